"""Sets that come as Pascal VOC."""

from __future__ import annotations

import pytest

from mammo.errors import UserError
from mammo.phantom.pictures import pascal_set, picture_films, png

FILMS = picture_films(seed=9)
GOOD, PNG = png(FILMS[0].pixels), png(FILMS[1].pixels)
WIDTH, HEIGHT = FILMS[1].size
BILLION_LAUGHS = (
    '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><annotation>&b;</annotation>'
)


def xml(*boxes, name="mass", size="", extra=""):
    objects = "".join(
        f"<object><name>{name}</name>{extra}<bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax>"
        f"<ymax>{y2}</ymax></bndbox></object>"
        for x1, y1, x2, y2 in boxes
    )
    return f"<annotation>{size}{objects}</annotation>"


def run(listed, text, **files):
    """Tables of good.png without a lesion and of film.png with this XML."""
    made = {
        "JPEGImages/good.png": GOOD,
        "Annotations/good.xml": xml(),
        "JPEGImages/film.png": PNG,
        "Annotations/film.xml": text,
    }
    return listed("pascal", made | files)


def reasons(tables):
    return {row.source.removeprefix("Set/raw_files/"): row.reason for row in tables.rejects}


def test_every_film_and_lesion_is_recovered(listed):
    truth = pascal_set(FILMS, "Set")
    found = listed("pascal", truth.files)
    assert [
        (row.source, row.delivery, row.width, row.height, row.group, row.lesion_types) for row in found.images
    ] == [(row.source, "train", row.width, row.height, row.group, row.lesion_types) for row in truth.images]
    sources = {row.image_id: row.source for row in found.images}
    assert [
        (sources[row.image_id], row.lesion_id, row.x1, row.y1, row.x2, row.y2, row.lesion_type)
        for row in found.lesions
    ] == [
        (row.source, row.lesion_id, row.x1, row.y1, row.x2, row.y2, row.lesion_type) for row in truth.lesions
    ]
    assert {row.annotation_form for row in found.lesions} == {"pascal"}
    assert found.rejects == []


def test_the_last_pixel_of_a_box_is_inside_and_the_first_is_number_one(listed):
    (lesion,) = run(listed, xml((1, 1, 1, 10))).lesions
    assert (lesion.x1, lesion.y1, lesion.x2, lesion.y2) == (0, 0, 1, 10)


@pytest.mark.parametrize("size", ["<size><width>0</width><height>0</height></size>", "<size/>", ""])
def test_an_xml_that_says_no_size_is_taken_at_its_word(listed, size):
    assert len(run(listed, xml((1, 1, 9, 9), size=size)).lesions) == 1


def test_difficult_and_truncated_lesions_are_lesions(listed):
    extra = "<difficult>1</difficult><truncated>1</truncated>"
    assert len(run(listed, xml((1, 1, 9, 9), extra=extra)).lesions) == 1


def test_parts_of_an_object_are_no_lesions(listed):
    part = (
        "<part><name>x</name><bndbox><xmin>3</xmin><ymin>3</ymin><xmax>4</xmax><ymax>4</ymax></bndbox></part>"
    )
    (lesion,) = run(listed, xml((1, 1, 9, 9), extra=part)).lesions
    assert (lesion.lesion_type, lesion.x2) == ("mass", 9)


# --- sets -------------------------------------------------------------------------------------------------------------


def sets(listed, prefix="", **names):
    files = {f"{prefix}ImageSets/Main/{name}.txt": "\n".join(lines) + "\n" for name, lines in names.items()}
    for name in ("a", "b", "c"):
        files[f"{prefix}JPEGImages/{name}.png"] = PNG if name == "a" else GOOD
        files[f"{prefix}Annotations/{name}.xml"] = xml((1, 1, 9, 9)) if name == "a" else xml()
    return listed("pascal", files)


def deliveries(tables):
    return {row.source[-5]: row.delivery for row in tables.images}


def test_a_film_of_several_sets_belongs_to_the_smallest(listed):
    found = sets(listed, train=["a"], val=["b", "c"], trainval=["a", "b", "c"])
    assert deliveries(found) == {"a": "train", "b": "val", "c": "val"}


def test_lists_of_presence_are_no_sets(listed):
    found = sets(listed, train=["a", "b", "c"], mass_train=["a  1", "b -1", "c  0"])
    assert deliveries(found) == dict.fromkeys("abc", "train")
    assert found.rejects == []


def test_sets_lie_below_a_folder_of_their_own(listed):
    assert deliveries(sets(listed, "VOCdevkit/VOC2012/", train=["a", "b", "c"])) == dict.fromkeys(
        "abc", "train"
    )


def test_without_sets_every_xml_is_a_film_also_beside_its_picture(listed):
    found = listed("pascal", {"a.png": PNG, "a.xml": xml((1, 1, 9, 9)), "x/b.png": GOOD, "x/b.xml": xml()})
    assert [(row.image_id, row.delivery, row.group) for row in found.images] == [
        ("Set.a", "", "abn"),
        ("Set.x_b", "", "normal"),
    ]


def test_films_of_no_set_have_rows_for_picture_and_xml(listed):
    found = reasons(sets(listed, train=["a", "b"]))
    assert found == dict.fromkeys(("JPEGImages/c.png", "Annotations/c.xml"), "no list names this file")


def test_a_film_without_an_xml_is_no_normal(listed):
    found = listed(
        "pascal",
        {
            "JPEGImages/a.png": PNG,
            "JPEGImages/b.png": GOOD,
            "Annotations/b.xml": xml(),
            "ImageSets/Main/t.txt": "a\nb\n",
        },
    )
    assert reasons(found) == {"JPEGImages/a.png": "ImageSets/Main/t.txt#1: no XML of its name in Annotations"}


@pytest.mark.parametrize("name", ["../../secret", "/etc/hostname", "C:\\x"])
def test_a_name_never_leaves_the_raw_folder(listed, name, tmp_path):
    (tmp_path / "Set").mkdir()
    (tmp_path / "Set/secret.xml").write_text(xml((1, 1, 9, 9)))
    found = reasons(sets(listed, train=["a", name]))
    assert found["ImageSets/Main/train.txt#2"].endswith("is no path inside the raw folder")


def test_two_pictures_of_one_name_are_named(listed):
    found = run(listed, xml((1, 1, 9, 9)), **{"JPEGImages/film.jpg": PNG})
    assert "several files have this name: film.jpg, film.png" in reasons(found).values()


# --- XML that cannot be used ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (xml((9, 1, 1, 9)), "object 1: the box 8,0,1,9 has no area"),
        (xml((1, 1, 5, 5), ("nan", 1, 9, 9)), "object 2: a number was expected, found nan"),
        (xml(("", 1, 9, 9)), "object 1: a number was expected, found ''"),
        (xml(("1" * 500, 1, 9, 9)), "object 1: a number was expected, found inf"),
        (xml((1, 1, 9, 9), name=" "), "object 1: no name"),
        ("<annotation><object><name>mass</name></object></annotation>", "object 1: a number was expected"),
        (xml((WIDTH + 1, 1, WIDTH + 9, 9)), "lesion 00 lies outside of the film"),
        (xml((1, 1, 9, 9), size="<size><width>9</width><height>9</height></size>"), "the list speaks of 9x9 pixels"),
        (xml((1, 1, 9, 9))[:-5], "the XML is broken in line 1"),
        ("", "the XML is broken in line 1"),
        ("<html/>", "the XML is no annotation of Pascal VOC"),
        (BILLION_LAUGHS, "the XML declares entities"),
        (BILLION_LAUGHS.encode("utf-16"), "the XML declares entities"),
        ("<a>" * 100_000, "the XML is nested deeper than 50"),
        (b'<?xml version="1.0" encoding="euc-kr"?><annotation/>', "the XML is broken"),
        (b"<annotation>\xff\xfe</annotation>", "the XML is broken in line 1"),
    ],
)  # fmt: skip
def test_a_film_whose_xml_cannot_be_used_is_turned_down(listed, text, reason):
    found = run(listed, text)
    assert reason in reasons(found)["JPEGImages/film.png"]
    assert [row.image_id for row in found.images] == ["Set.JPEGImages_good"] and found.lesions == []


def test_an_outside_dtd_is_not_fetched(listed, tmp_path):
    (tmp_path / "evil.dtd").write_text('<!ENTITY x "y">')
    text = f'<!DOCTYPE annotation SYSTEM "{(tmp_path / "evil.dtd").as_uri()}"><annotation/>'
    assert [row.group for row in run(listed, text).images] == ["normal", "normal"]


def test_a_folder_without_xml_is_named(listed):
    with pytest.raises(UserError, match=r"no file \*\.xml inside; put VOC's Annotations"):
        listed("pascal", {"a.png": PNG})
