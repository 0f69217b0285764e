"""mini-MIAS: Info.txt and mdb*.pgm."""

from __future__ import annotations

import pytest

from mammo.errors import UserError
from mammo.phantom.mias import HEAD, TAIL, mias_set
from mammo.phantom.pictures import pgm, picture_films

TRUTH = mias_set(5, "Set")
FILM = dict(TRUTH.files)["mdb001.pgm"]


def one(listed, *rows, film=FILM, name="mdb001.pgm", **changes):
    """Tables of a normal film and of rows about another."""
    text = HEAD + "mdb002 G NORM\n" + "".join(f"{row}\n" for row in rows) + TAIL
    return listed("mias", {"Info.txt": text, "mdb002.pgm": FILM, name: film}, **changes)


def boxes(found):
    return [(row.x1, row.y1, row.x2, row.y2) for row in found.lesions]


def reasons(found):
    return {row.source.removeprefix("Set/raw_files/"): row.reason for row in found.rejects}


@pytest.fixture
def whole(listed):
    return listed("mias", TRUTH.files)


# --- the set ----------------------------------------------------------------------------------------------------------


def test_every_film_is_recovered(whole):
    assert [
        (row.source, row.laterality, row.view, row.width, row.height, row.group, row.lesion_types)
        for row in whole.images
    ] == [
        (row.source, row.laterality, row.view, row.width, row.height, row.group, row.lesion_types)
        for row in TRUTH.images
    ]
    assert {row.pixel_mm for row in whole.images} == {0.2}


def test_every_lesion_is_recovered_right_side_up(whole):
    sources = {row.image_id: row.source for row in whole.images}
    assert [
        (sources[row.image_id], (row.x1, row.y1, row.x2, row.y2), row.lesion_type, row.pathology)
        for row in whole.lesions
    ] == [
        (row.source, (row.x1, row.y1, row.x2, row.y2), row.lesion_type, row.pathology)
        for row in TRUTH.lesions
    ]


def test_the_boxes_hold_what_is_brighter_than_their_mirror_images(whole, tmp_path):
    """The axis is right by the pixels, too: upside down, boxes of films in a corner hold air."""
    import cv2

    for row in whole.lesions:
        path = next(image.path for image in whole.images if image.image_id == row.image_id)
        pixels = cv2.imread(str(tmp_path / "Set" / path), cv2.IMREAD_UNCHANGED).astype(float)
        rows, columns = slice(int(row.y1), int(row.y2)), slice(int(row.x1), int(row.x2))
        assert pixels[rows, columns].mean() > pixels[::-1][rows, columns].mean()


def test_both_films_of_a_pair_are_one_patients_the_odd_one_left(whole):
    found = [(row.patient, row.laterality) for row in whole.images]
    assert found[:4] == [("Set.001", "L"), ("Set.001", "R"), ("Set.002", "L"), ("Set.002", "R")]


def test_scattered_calcifications_make_no_normal_film(whole):
    assert {row.source for row in TRUTH.rejects} == {"Set/raw_files/mdb005.pgm"}
    assert list(reasons(whole)) == ["mdb005.pgm"]
    assert "abnormal, but the list gives no place" in reasons(whole)["mdb005.pgm"]


# --- rows -------------------------------------------------------------------------------------------------------------


def test_a_published_row_is_the_square_around_its_circle(listed):
    # The fifth film's first row as it was published; 1024 − 133 = 891.
    found = one(listed, "mdb005 F CIRC B 477 133 30", name="mdb005.pgm")
    assert boxes(found) == [(447, 861, 507, 921)]
    assert [(row.lesion_type, row.pathology) for row in found.lesions] == [("mass", "benign")]


def test_two_rows_of_a_film_are_two_lesions(listed):
    found = one(listed, "mdb001 F CIRC B 477 133 30", "mdb001 F CALC M 500 168 26")
    assert len(found.lesions) == 2
    assert [row.lesion_types for row in found.images] == ["calcification;mass", ""]


def test_a_circle_that_leaves_the_film_is_cut_to_it(listed):
    assert boxes(one(listed, "mdb001 G MISC M 10 1020 30")) == [(0, 0, 40, 34)]


def test_a_circle_beside_the_film_turns_it_down(listed):
    assert "mdb001.pgm" in reasons(one(listed, "mdb001 G CIRC M 2000 500 30"))


@pytest.mark.parametrize(
    "row",
    [
        "mdb001 D CALC M",
        "mdb001 D CALC M *NOTE 3*",
        "mdb001 D CALC M *** see note 2",
        "mdb001 G CIRC B 535 425",
        "mdb001 G CIRC B 535 425 0",
        "mdb001 G CIRC B 535 425 -3",
        "mdb001 G CIRC B 535 425 nan",
        "mdb001 G CIRC B 535 425 1e999",
        "mdb001 G CIRC B 535 425 30 12",
        "mdb001 G CIRC B x y 30",
        "mdb001 G CIRC X 535 425 30",
        "mdb001 G CIRC 535 425 30",
        "mdb001 G LUMP B 535 425 30",
        "mdb001 X CIRC B 535 425 30",
        "mdb001 G NORM B",
        "mdb001 G",
        "mdb001",
    ],
)
def test_a_row_that_says_nothing_certain_turns_the_film_down(listed, row):
    found = one(listed, row)
    assert [image.source for image in found.images] == ["Set/raw_files/mdb002.pgm"]
    assert "mdb001.pgm" in reasons(found)


def test_a_film_listed_as_abnormal_and_as_normal_is_abnormal(listed):
    found = one(listed, "mdb001 G CIRC B 535 425 30", "mdb001 G NORM")
    assert [row.group for row in found.images] == ["abn", "normal"]


def test_one_bad_row_of_two_turns_the_film_down(listed):
    found = one(listed, "mdb001 F CIRC B 477 133 30", "mdb001 F CALC M")
    assert found.lesions == []
    assert "mdb001.pgm" in reasons(found)


@pytest.mark.parametrize("name", ["mdb01", "mdb0001", "mdb000", "mdb../../x", "mdb٠٠١"])
def test_a_name_that_is_none_has_a_reason(listed, name):
    found = one(listed, f"{name} G NORM")
    assert any("expected a film such as mdb001" in reason for reason in reasons(found).values())


def test_capitals_of_a_name_do_not_matter(listed):
    assert len(one(listed, "MDB001 G CIRC B 535 425 30").lesions) == 1


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_film_of_another_size_is_turned_down(listed):
    found = one(listed, "mdb001 G CIRC B 35 42 30", film=pgm(picture_films(seed=1)[0].pixels))
    assert "1024" in reasons(found)["mdb001.pgm"]


@pytest.mark.parametrize(
    "film", [b"", b"P5\n1024 1024\n255\n", FILM[:-5000], b"P5\n-1 9\n255\n", b"P6\n1 1\n255\n..."]
)
def test_a_film_that_cannot_be_read_is_turned_down(listed, film):
    assert "mdb001.pgm" in reasons(one(listed, "mdb001 G CIRC B 535 425 30", film=film))


def test_a_listed_film_that_is_missing_and_a_film_that_is_not_listed_have_rows(listed):
    found = one(listed, "mdb007 G NORM", name="mdb009.pgm")
    assert set(reasons(found)) == {"mdb007.pgm", "mdb009.pgm"}


def test_the_folder_of_the_published_archive_may_stay(listed):
    found = listed("mias", {f"all-mias/{name}": data for name, data in TRUTH.files})
    assert len(found.images) == len(TRUTH.images)
    assert len(found.lesions) == len(TRUTH.lesions)


def test_a_set_without_its_list_is_an_error(listed):
    with pytest.raises(UserError, match=r"Info\.txt"):
        listed("mias", {"mdb001.pgm": FILM})


def test_a_list_without_rows_is_an_error(listed):
    with pytest.raises(UserError, match="no film of format mias"):
        listed("mias", {"Info.txt": HEAD + TAIL, "mdb001.pgm": FILM})
