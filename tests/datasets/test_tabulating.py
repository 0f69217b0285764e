"""A dataset's tables from its shards'."""

from __future__ import annotations

import pytest

from mammo.datasets.tabulating import tabulate
from mammo.errors import UserError
from mammo.tables.csvio import write_table
from mammo.tables.records import Image, Lesion, Reject


def image(name):
    return Image(
        image_id=f"d.{name}", path=f"img/{name}.jpg", dataset="d", delivery="", patient="d.p", study="", laterality="L",
        view="CC", width=100, height=80, pixel_mm=None, group="abn", lesion_types="", source=f"d/{name}.dcm",
        source_sha256="0" * 64, sha256="1" * 64,
    )  # fmt: skip


def lesion(name, x1=1.0, y1=1.0, x2=9.0, y2=9.0, lesion_id="00"):
    return Lesion(
        image_id=f"d.{name}", lesion_id=lesion_id, x1=x1, y1=y1, x2=x2, y2=y2, lesion_type="", pathology="",
        annotation_form="mask",
    )  # fmt: skip


def reject(name, stage="decode", reason="broken"):
    return Reject(source=f"d/{name}.dcm", stage=stage, reason=reason)


@pytest.fixture
def join(tmp_path):
    def joined(images=(), lesions=(), rejects=(), most=1.0):
        write_table(tmp_path / "images_00.csv", Image, images)
        write_table(tmp_path / "lesions_00.csv", Lesion, lesions)
        write_table(tmp_path / "rejects_00.csv", Reject, rejects)
        paths = [[tmp_path / f"{kind}_00.csv"] for kind in ("images", "lesions", "rejects")]
        return tabulate("d", *paths, most)

    return joined


def test_rows_are_sorted(join):
    images, lesions, _ = join(
        [image("b"), image("a")], [lesion("b"), lesion("a", lesion_id="01"), lesion("a")]
    )
    assert [row.image_id for row in images] == ["d.a", "d.b"]
    assert [(row.image_id, row.lesion_id) for row in lesions] == [("d.a", "00"), ("d.a", "01"), ("d.b", "00")]


def test_a_film_that_annotate_turned_down_is_left_out_with_its_lesions(join):
    images, lesions, rejects = join([image("a"), image("b")], [lesion("b")], [reject("b", "annotate")])
    assert [row.image_id for row in images] == ["d.a"] and lesions == [] and len(rejects) == 1


def test_a_file_has_one_row_of_the_first_stage_that_turned_it_down(join):
    rejects = join([image("a")], [], [reject("b", "annotate"), reject("b", "decode")])[2]
    assert [(row.source, row.stage) for row in rejects] == [("d/b.dcm", "decode")]


def test_boxes_are_cut_to_the_image(join):
    (row,) = join([image("a")], [lesion("a", 90, 70, 130, 130)])[1]
    assert (row.x1, row.y1, row.x2, row.y2) == (90, 70, 100, 80)


def test_a_box_outside_of_the_image_turns_the_film_down(join):
    images, lesions, rejects = join([image("a"), image("b")], [lesion("a", 200, 1, 300, 9), lesion("a")])
    assert [row.image_id for row in images] == ["d.b"] and lesions == []
    assert rejects[0].stage == "tabulate" and "outside" in rejects[0].reason


def test_too_many_rejects_stop_with_the_worst_reasons_and_where_to_look(join):
    rows = [reject(str(number), reason=f"cut off: {number} of 99 bytes") for number in range(4)]
    with pytest.raises(
        UserError, match=r"5 of 6 files.*4 × decode: cut off.*first: d/0\.dcm.*rejects_00\.csv"
    ):
        join([image("a")], [], [*rows, reject("z", reason="empty")], most=0.1)


def test_duplicates_are_no_loss(join):
    join([image("a")], [], [reject("b", "index", "duplicate of d/a.dcm")], most=0.0)


def test_nothing_left_is_an_error(join):
    with pytest.raises(UserError, match="no usable film is left"):
        join([], [], [reject("a")])


def test_an_image_of_two_shards_is_an_error(join):
    with pytest.raises(UserError, match=r"d\.a comes from two shards"):
        join([image("a"), image("a")])
