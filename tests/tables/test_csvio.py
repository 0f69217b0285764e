"""Tables read back as they were written, and a wrong row is named by file, line, column and value."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from pydantic import ValidationError

from mammo.errors import UserError
from mammo.tables.csvio import columns, read_frame, read_table, write_table
from mammo.tables.records import Detection, Image, Lesion, Reject

DIGEST = "0" * 64


def image(**changes: object) -> Image:
    values = {
        "image_id": "A.1", "path": "img/1.jpg", "dataset": "A", "delivery": "", "patient": "A.p", "study": "",
        "laterality": "L", "view": "CC", "width": 10, "height": 20, "pixel_mm": None, "group": "abn",
        "lesion_types": "mass", "source": "A/1.dcm", "source_sha256": DIGEST, "sha256": DIGEST,
    }  # fmt: skip
    return Image(**(values | changes))


def detection(**changes: object) -> Detection:
    values = {"image_id": "a", "x1": 1.0, "y1": 2.0, "x2": 3.0, "y2": 4.0, "score": 0.5, "label": "malignant"}
    return Detection(**(values | changes))


ROWS = [
    image(),
    image(pixel_mm=0.07, view="MLO", path='Bilder/größe, "quoted" 乳.jpg'),
    Lesion(
        image_id="a",
        lesion_id="1",
        x1=0,
        y1=1.25,
        x2=1e6,
        y2=2,
        lesion_type="",
        pathology="",
        annotation_form="mask",
    ),
    Reject(source="a\nb.dcm", stage="decode", reason='two\r\nlines, and "more"'),
    Reject(source="a\rb.dcm", stage="decode", reason="  spaces  "),
    detection(x1=-0.1, score=0.123456),
]


@pytest.mark.parametrize("row", ROWS, ids=range(len(ROWS)))
def test_a_row_reads_back_as_it_was_written(tmp_path, row):
    write_table(tmp_path / "t.csv", type(row), [row, row])
    assert read_table(tmp_path / "t.csv", type(row)) == [row, row]


def test_any_figure_and_any_text_read_back_equal(tmp_path):
    random = np.random.default_rng(1)
    marks = list("ab ,;\"'\r\n\t#|ü乳\u2028")
    rows = [
        detection(x1=float(number), image_id="".join(random.choice(marks, size=5)))
        for number in np.concatenate(
            [
                random.normal(size=200) * 10.0 ** random.integers(-300, 300, 200),
                [0.1, 1e15, 1e16, 5e-324, -0.5],
            ]
        )
    ]
    write_table(tmp_path / "t.csv", Detection, rows)
    assert read_table(tmp_path / "t.csv", Detection) == rows


def test_the_written_form_is_plain(tmp_path):
    write_table(tmp_path / "t.csv", Detection, [detection(x1=np.float64(1.5), x2=3.0, score=0.25)])
    assert (tmp_path / "t.csv").read_bytes() == (
        b"image_id,x1,y1,x2,y2,score,label\na,1.5,2,3,4,0.25,malignant\n"
    )


def test_numpy_figures_are_written_as_figures(tmp_path):
    row = Detection.model_construct(**(vars(detection()) | {"x1": np.float64(1.5)}))
    write_table(tmp_path / "t.csv", Detection, [row])
    assert read_table(tmp_path / "t.csv", Detection)[0].x1 == 1.5


def test_the_columns_are_the_model_s_whatever_the_order_of_a_row_s_values(tmp_path):
    row = Reject.model_construct(reason="r", stage="s", source="a")
    write_table(tmp_path / "t.csv", Reject, [row])
    assert (tmp_path / "t.csv").read_text() == "source,stage,reason\na,s,r\n"


def test_python_s_own_reader_sees_the_same_cells(tmp_path):
    row = ROWS[4]
    write_table(tmp_path / "t.csv", Reject, [row])
    with open(tmp_path / "t.csv", newline="", encoding="utf-8") as file:
        assert list(csv.DictReader(file)) == [vars(row)]


def test_an_empty_figure_is_none_and_an_empty_text_is_a_text(tmp_path):
    write_table(tmp_path / "t.csv", Image, [image()])
    (row,) = read_table(tmp_path / "t.csv", Image)
    assert row.pixel_mm is None and row.view == "CC" and row.study == ""


def test_a_table_without_rows_has_a_header_and_a_frame_with_columns(tmp_path):
    write_table(tmp_path / "t.csv", Detection, [])
    assert read_table(tmp_path / "t.csv", Detection) == []
    assert list(read_frame(tmp_path / "t.csv", Detection).columns) == columns(Detection)


def test_a_frame_holds_the_rows(tmp_path):
    write_table(tmp_path / "t.csv", Detection, [detection(), detection(score=0.25)])
    assert read_frame(tmp_path / "t.csv", Detection)["score"].tolist() == [0.5, 0.25]


@pytest.mark.parametrize(("before", "end"), [("\ufeff", "\n"), ("", "\r\n"), ("\ufeff", "\r\n")])
def test_a_table_from_a_spreadsheet_program_is_read(tmp_path, before, end):
    text = before + end.join(["source,stage,reason", "ä.dcm,index,why", ""])
    (tmp_path / "t.csv").write_bytes(text.encode())
    assert read_table(tmp_path / "t.csv", Reject) == [Reject(source="ä.dcm", stage="index", reason="why")]


HEADER = "image_id,x1,y1,x2,y2,score,label\n"
GOOD = "a,1,2,3,4,0.5,m\n"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("a,left,2,3,4,0.5,m", "line 3, x1: .*found 'left'"),
        ("a,1,2,3,4,1.5,m", "line 3, score: .*found '1.5'"),
        ("a,1,2,3,4,nan,m", "line 3, score: .*found 'nan'"),
        ("a,1,inf,3,4,0.5,m", "line 3, y1: .*found 'inf'"),
        (",1,2,3,4,0.5,m", "line 3, image_id: .*found ''"),
        ("a,1,,3,4,0.5,m", "line 3, y1: .*found ''"),
        ("a,1,2,3", "line 3: fewer cells than the header has columns, found 'a,1,2,3'"),
        (
            "a,1,2,3,4,0.5,m,x,y",
            "line 3: more cells than the header has columns, found 'a,1,2,3,4,0.5,m,x,y'",
        ),
    ],
)
def test_a_wrong_row_is_named(tmp_path, row, says):
    (tmp_path / "t.csv").write_text(HEADER + GOOD + row + "\n")
    with pytest.raises(UserError, match=r"t\.csv, " + says):
        read_table(tmp_path / "t.csv", Detection)


def test_a_missing_column_is_named(tmp_path):
    (tmp_path / "t.csv").write_text("source,reason\n")
    with pytest.raises(UserError, match="missing: stage"):
        read_table(tmp_path / "t.csv", Reject)


def test_images_written_before_density_was_kept_are_read_without_it(tmp_path):
    write_table(tmp_path / "new.csv", Image, [image(density="c")])
    header, row = (tmp_path / "new.csv").read_text().splitlines()
    (tmp_path / "old.csv").write_text(f"{header.removesuffix(',density')}\n{row.removesuffix(',c')}\n")
    assert read_table(tmp_path / "new.csv", Image)[0].density == "c"
    assert read_table(tmp_path / "old.csv", Image) == [image(density="")]


def test_a_column_too_many_is_named(tmp_path):
    (tmp_path / "t.csv").write_text("source,stage,reason,extra\na,b,c,d\n")
    with pytest.raises(UserError, match="line 2, extra"):
        read_table(tmp_path / "t.csv", Reject)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b'source,stage,reason\n"a,b,c\n'])
def test_a_file_that_is_no_table_is_named(tmp_path, content):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(UserError, match=r"t\.csv: cannot be read as a CSV table"):
        read_table(tmp_path / "t.csv", Reject)


def test_an_empty_file_and_a_missing_file_are_named(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"")
    with pytest.raises(UserError, match="missing: source, stage, reason"):
        read_table(tmp_path / "t.csv", Reject)
    with pytest.raises(UserError, match=r"none\.csv"):
        read_table(tmp_path / "none.csv", Reject)


def test_a_failed_write_leaves_the_old_table(tmp_path):
    write_table(tmp_path / "t.csv", Reject, [])

    def rows():
        yield ROWS[3]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_table(tmp_path / "t.csv", Reject, rows())
    assert read_table(tmp_path / "t.csv", Reject) == []


@pytest.mark.parametrize(
    "box", [(1, 1, 1, 2), (1, 2, 3, 2), (3, 1, 1, 2), (-1, 0, 1, 1), (0, 0, float("inf"), 1)]
)
def test_a_lesion_s_box_has_an_area_and_lies_in_the_image(box):
    x1, y1, x2, y2 = box
    with pytest.raises(ValidationError):
        Lesion(
            image_id="a", lesion_id="1", x1=x1, y1=y1, x2=x2, y2=y2,
            lesion_type="", pathology="", annotation_form="mask",
        )  # fmt: skip
