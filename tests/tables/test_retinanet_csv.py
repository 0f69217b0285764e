"""keras-retinanet's own tables: written so that keras-retinanet reads them, read with faults named."""

from __future__ import annotations

import csv

import pytest

from mammo.errors import UserError
from mammo.tables.retinanet_csv import (
    LabelledBox,
    read_annotations,
    read_classes,
    write_annotations,
    write_classes,
)

BOX = LabelledBox(1, 2, 30, 40, "malignant")


def test_images_with_and_without_lesions_read_back(tmp_path):
    images = [
        ("img/a.jpg", [BOX, LabelledBox(5, 5, 6, 6, "benign")]),
        ("img/ö, \r.jpg", []),
        ("c.jpg", [BOX]),
    ]
    write_annotations(tmp_path / "t.csv", images)
    assert list(read_annotations(tmp_path / "t.csv").items()) == images


def test_an_image_without_lesions_is_a_path_and_five_empty_cells(tmp_path):
    write_annotations(tmp_path / "t.csv", [("a.jpg", []), ("b.jpg", [BOX])])
    assert (tmp_path / "t.csv").read_bytes() == b"a.jpg,,,,,\nb.jpg,1,2,30,40,malignant\n"


@pytest.mark.parametrize(
    ("box", "written"),
    [
        ((0.6, 1.4, 9.6, 9.4), "1,1,10,9"),
        ((4.1, 4.6, 4.4, 4.9), "4,4,5,5"),
        ((99.6, 0, 100, 1), "99,0,100,1"),
        ((2.5, 0, 3.5, 1), "2,0,4,1"),
    ],
)
def test_boxes_are_whole_pixels_and_keep_at_least_one(tmp_path, box, written):
    write_annotations(tmp_path / "t.csv", [("a", [LabelledBox(*box, "m")])])
    assert (tmp_path / "t.csv").read_text() == f"a,{written},m\n"


def test_a_byte_order_mark_and_crlf_are_read(tmp_path):
    (tmp_path / "t.csv").write_bytes("\ufeffa.jpg,1,2,3,4,m\r\nb.jpg,,,,,\r\n".encode())
    assert list(read_annotations(tmp_path / "t.csv")) == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("a,1,2,3", "expected path,x1,y1,x2,y2,class_name, found 'a,1,2,3'"),
        (",1,2,3,4,m", "expected path"),
        ("a,1,2,x,4,m", "must be numbers, found '1,2,x,4'"),
        ("a,3,2,1,4,m", "0 <= x1 < x2"),
        ("a,-1,2,1,4,m", "0 <= x1 < x2"),
        ("a,1,2,inf,4,m", "0 <= x1 < x2"),
        ("a,1,2,nan,4,m", "0 <= x1 < x2"),
        ("a,1,2,3,4,", "a class name"),
        ("a,1,,3,4,m", "must be numbers"),
    ],
)
def test_a_wrong_row_is_named(tmp_path, row, says):
    (tmp_path / "t.csv").write_text("b,,,,,\n" + row + "\n")
    with pytest.raises(UserError, match=r"t\.csv, line 2: .*" + says):
        read_annotations(tmp_path / "t.csv")


def test_classes_read_back_in_the_order_of_their_ids(tmp_path):
    write_classes(tmp_path / "c.csv", ["benign", "malignant"])
    assert (tmp_path / "c.csv").read_text() == "benign,0\nmalignant,1\n"
    assert read_classes(tmp_path / "c.csv") == ["benign", "malignant"]


@pytest.mark.parametrize("text", ["", "a\n", "a,zero\n", "a,1\n", "a,0\nb,0\n", "a,0\na,1\n"])
def test_wrong_classes_are_refused_by_file(tmp_path, text):
    (tmp_path / "c.csv").write_text(text)
    with pytest.raises(UserError, match=r"c\.csv"):
        read_classes(tmp_path / "c.csv")


@pytest.mark.slow
def test_keras_retinanet_reads_what_we_write(tmp_path):
    pytest.importorskip("tensorflow")
    from keras_retinanet.preprocessing.csv_generator import _read_annotations, _read_classes

    import mammo.detector.keras  # noqa: F401 - the stand-in for Keras 2

    write_classes(tmp_path / "c.csv", ["benign", "malignant"])
    write_annotations(tmp_path / "t.csv", [('a, "b".jpg', [BOX, BOX]), ("n.jpg", [])])
    with open(tmp_path / "c.csv", newline="", encoding="utf-8") as file:
        classes = _read_classes(csv.reader(file))
    with open(tmp_path / "t.csv", newline="", encoding="utf-8") as file:
        found = _read_annotations(csv.reader(file), classes)
    theirs = {"x1": 1, "y1": 2, "x2": 30, "y2": 40, "class": "malignant"}
    assert dict(classes) == {"benign": 0, "malignant": 1}
    assert dict(found) == {'a, "b".jpg': [theirs, theirs], "n.jpg": []}
