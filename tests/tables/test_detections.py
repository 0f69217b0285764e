"""Detections read as columns are those read row by row, and faults are told in the same words."""

from __future__ import annotations

import numpy as np
import pytest

from mammo.errors import UserError
from mammo.tables import detections as module
from mammo.tables.csvio import read_table, write_table
from mammo.tables.detections import as_columns, read_detections, write_detections
from mammo.tables.records import Detection

HEADER = "image_id,x1,y1,x2,y2,score,label\n"


def same(one, other):
    return (
        one.image_ids == other.image_ids
        and one.labels == other.labels
        and one.boxes.tolist() == other.boxes.tolist()
        and one.scores.tolist() == other.scores.tolist()
    )


def row(image_id="a", score=0.5, label="malignant", x1=0.1):
    return Detection(image_id=image_id, x1=x1, y1=1, x2=2.34, y2=5e-7, score=score, label=label)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [row()],
        [row(score=float(score)) for score in np.random.default_rng(0).random(500)],
        [
            row("a,b"),
            row('a "b"'),
            row("a\nb"),
            row("a\r\nb"),
            row("  a "),
            row("#a"),
            row("é"),
            row(label="x, y"),
        ],
    ],
    ids=["none", "one", "many", "odd-texts"],
)
def test_columns_hold_what_rows_hold_bit_for_bit(tmp_path, rows):
    write_table(tmp_path / "d.csv", Detection, rows)
    assert same(read_detections(tmp_path / "d.csv"), as_columns(rows))
    assert as_columns(rows).boxes.shape == (len(rows), 4)


ODD_NUMBERS = (
    0.1 + 0.2,
    3.0,
    -0.0,
    1e-7,
    123456.75,
    1e15,
    2.0**53,
    1e16,
    1e22,
    1e300,
    5e-324,
    999999999999999.0,
)


def test_columns_are_written_as_rows_are_byte_for_byte(tmp_path):
    names = ["a", "a,b", 'a "b"', "a\nb", "a\rb", "é", " a "]
    rng = np.random.default_rng(0)
    rows = [
        row(names[place % len(names)], x1=x1, label=f"m{place % 2}") for place, x1 in enumerate(ODD_NUMBERS)
    ]
    rows += [
        row(score=float(score), x1=float(x1))
        for score, x1 in zip(rng.random(300), rng.normal(0, 900, 300).round(2), strict=True)
    ]
    for some in ([], rows, [row(x1=x1) for x1 in ODD_NUMBERS if x1 < 1e15]):
        write_table(tmp_path / "rows.csv", Detection, some)
        write_detections(tmp_path / "columns.csv", as_columns(some))
        assert (tmp_path / "columns.csv").read_bytes() == (tmp_path / "rows.csv").read_bytes()


def test_a_plain_table_is_not_read_row_by_row(tmp_path, monkeypatch):
    write_table(tmp_path / "d.csv", Detection, [row(), row("b")])
    monkeypatch.setattr(module, "read_table", None)
    assert read_detections(tmp_path / "d.csv").image_ids == ["a", "b"]


def test_another_order_of_columns_and_a_byte_order_mark_are_read(tmp_path):
    (tmp_path / "d.csv").write_text("\ufeffscore,image_id,x1,y1,x2,y2,label\n0.5,a,1,2,3,4,m\n", "utf-8")
    read = read_detections(tmp_path / "d.csv")
    assert (read.image_ids, read.scores.tolist(), read.boxes.tolist()) == (["a"], [0.5], [[1, 2, 3, 4]])


@pytest.mark.parametrize(
    "line",
    ["a,1,2,3,4,1.5,m", "a,1,2,3,nan,0.5,m", "a,1,2,3,x,0.5,m", "a,1,2,3,4,0.5", "a,1,2,3,4,0.5,m,n", ",1,2,3,4,0.5,m",
     "a,1,2,3,4,0.5,", "a,1,2,3,4,,m"],
)  # fmt: skip
def test_a_fault_is_told_in_the_words_of_any_table(tmp_path, line):
    path = tmp_path / "d.csv"
    path.write_text(f"{HEADER}a,1,2,3,4,0.5,m\n{line}\n")
    with pytest.raises(UserError) as expected:
        read_table(path, Detection)
    with pytest.raises(UserError) as found:
        read_detections(path)
    assert str(found.value) == str(expected.value)
    assert "line 3" in str(found.value)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(UserError, match=r"d\.csv: cannot be read as a CSV table"):
        read_detections(tmp_path / "d.csv")
