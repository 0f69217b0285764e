"""Label tables come from outside: what can be read is read, the rest is an error that says where and what to do."""

from __future__ import annotations

import pytest

from mammo.datasets.labels import breast_density, read_labels
from mammo.errors import UserError

PLAIN = "patient_id,View,note\nP_1,CC,a\nP_2,MLO,b\n"
COLUMNS = ("patient id", "view")


@pytest.fixture
def table(tmp_path):
    def written(data):
        path = tmp_path / "labels.csv"
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    return written


def values(path, **options):
    return [(row["patient id"], row["view"], row.line) for row in read_labels(path, COLUMNS, **options)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_encoding_with_its_mark_and_every_line_end_give_the_same_rows(table, encoding, end):
    assert values(table(PLAIN.replace("\n", end).encode(encoding))) == [("P_1", "CC", 2), ("P_2", "MLO", 3)]


def test_utf_16_in_big_endian_with_its_mark_is_read(table):
    assert len(values(table(b"\xfe\xff" + PLAIN.encode("utf-16-be")))) == 2


def test_the_line_is_where_the_row_begins_although_a_quoted_cell_ends_in_a_line_break(table):
    path = table('patient id,note,view\nP_1,"a\n",CC\nP_2,"b\n",CC\n')
    assert [line for *_, line in values(path)] == [2, 4]


def test_rows_without_text_and_empty_cells_behind_the_last_column_are_no_fault(table):
    assert len(values(table("patient id,view\nP_1,CC,,,\n,\n  \n\nP_2,CC\n"))) == 2


def test_text_in_utf_8_may_be_korean(table):
    assert values(table("patient id,view\n환자,CC\n"))[0][0] == "환자"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("patient id,view,note\nP_1,CC,환자\n".encode("cp949"), r"labels\.csv, line 2: .*no UTF-8; save it"),
        (PLAIN.encode("utf-16-le"), "line 1: .*zero bytes.*UTF-16 without its mark"),
        (b"\0" * 5000, "line 1: .*zero bytes"),
        (PLAIN.encode() + b"P_3,C\0C,c\n", "line 4: .*zero bytes"),
        (b"\xff\xfe" + PLAIN.encode("utf-16-le")[:-1], "no UTF-16"),
        ("", "'patient id' is missing; found no header"),
        (PLAIN.replace(",", ";"), "'patient id' is missing; .*the file is separated by semicolons"),
        (PLAIN.replace(",", "\t"), "the file is separated by tabs"),
        (PLAIN + 'P_3,"CC,c\nP_4,CC,d\n', "quote opens that is not closed"),
        (
            'patient id,view\nP_1,"CC\nP_2,CC\nP_3,MLO"\nP_4,CC\n',
            "line 2, column 'view': a line break inside",
        ),
        ("patient id,view\nP_1," + "C" * 200_000 + "\n", "field larger than field limit"),
        ("x" * 100_000 + "\n1\n", "'patient id' is missing"),
        ("patient id,view,view\nP_1,CC,MLO\n", "two columns 'view'"),
        (PLAIN + "P_3,CC\n", "line 4: fewer cells"),
        (PLAIN + "P_3,CC,a,b\n", "line 4: more cells"),
    ],
)
def test_what_is_no_such_table_is_one_short_sentence(table, data, message):
    with pytest.raises(UserError, match=message) as caught:
        values(table(data))
    assert len(str(caught.value)) < 800


def test_a_torn_row_is_given_where_it_was_asked_for(table):
    first, second, third = read_labels(table("patient id,view\nP_1,CC\nP_2\nP_3,CC,CC\n"), COLUMNS, torn=True)
    assert (first.torn, second.torn, third.torn) == (
        "",
        "fewer cells than the header has",
        "more cells than the header has",
    )
    assert second["view"] == ""


def test_a_table_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.csv: the label table cannot be read"):
        read_labels(tmp_path / "none.csv", COLUMNS)


def test_a_file_beyond_any_table_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "huge.csv"
    with open(path, "wb") as file:
        file.truncate(300_000_000)
    with pytest.raises(UserError, match="larger than 256 MB"):
        read_labels(path, COLUMNS)


@pytest.mark.parametrize(
    ("text", "letter"),
    [("1", "a"), ("4", "d"), ("B", "b"), ("DENSITY C", "c"), ("density d", "d"), ("ACR 2", "b"), (" 3 ", "c"),
     ("0", ""), ("5", ""), ("", ""), (" ", ""), ("2.5", ""), ("N/A", ""), ("DENSITY", "")],
)  # fmt: skip
def test_breast_density_is_a_letter_of_birads_or_unknown(text, letter):
    assert breast_density(text) == letter
