"""What tests/fuzz/run.py found, each as small as it is: the reader gave no reason, or took too long or too much."""

from __future__ import annotations

import struct

import pytest
from fuzz_dicom import PIXELS, SYNTAX, Element, find, parsed, set_syntax, written
from fuzz_targets import Target, film, plist, read_in_a_folder, targets
from fuzz_texts import png_claiming
from fuzz_watch import address_space, check

from mammo.datasets.base import read_shard
from mammo.datasets.indexing import write_index
from mammo.errors import UserError, run_main
from mammo.settings import DatasetSettings


def reason(name: str, data: bytes) -> str:
    target: Target = targets()[name]
    return check(lambda: read_in_a_folder(target, data))


@pytest.mark.parametrize("name", ["display", "white_marks"])
def test_a_fragment_that_claims_four_gigabytes_reserves_none(name):
    made = parsed(film())
    pixels = find(made, PIXELS)
    pixels.vr, pixels.undefined = b"OB", True
    pixels.value = (
        struct.pack("<HHI", 0xFFFE, 0xE000, 0) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFF0) + b"\xff\xd8"
    )
    set_syntax(made, b"1.2.840.10008.1.2.4.70")
    assert find(made, SYNTAX)
    with address_space(1 << 30):
        assert reason(name, written(made))


@pytest.mark.parametrize("colour", [0, 2])
def test_a_picture_larger_than_a_film_is_refused_before_it_is_decoded(colour):
    assert "more than any mammogram" in reason(
        "outline", png_claiming(30_000, 20_000, colour=colour, rows=20)
    )


@pytest.mark.parametrize(
    "markup",
    [b'<plist a="' + b"A" * 3_000_000 + b'"/>', b"<plist><!-- " + b"> <" * 1_000_000 + b" --></plist>"],
    ids=["attribute", "comment"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_markup_without_end_does_not_take_minutes(markup, encoding):
    text = b'<?xml version="1.0"?>' + markup
    assert "markup" in reason("plist", text.decode().encode(encoding))


def test_an_honest_plist_is_still_read():
    assert reason("plist", plist(40)) == ""


def test_a_sequence_that_ends_nowhere_is_turned_down_or_read():
    made = parsed(film())
    made.append(
        Element(0x00081140, b"SQ", struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) * 1000, undefined=True)
    )
    made.sort(key=lambda one: one.tag)
    assert "broken DICOM header" in reason("display", written(made))


def test_a_header_of_control_characters_is_shown_in_one_plain_line():
    assert "is missing; found" in reason("inbreast_csv", b"File Name;View;Bi-R\x1b[2J\r\x01ds\n1;CC;2\n")


def test_an_error_for_the_terminal_is_one_plain_line_whatever_it_quotes(capsys):
    def main():
        raise UserError("found 'Bi-R\x1b[2J\r\nads" + "A" * 9000)

    with pytest.raises(SystemExit):
        run_main(main)
    line = capsys.readouterr().err
    assert line.startswith("error: found 'Bi-R") and line[:-1].isprintable() and len(line) < 3100


def test_a_film_whose_name_breaks_lines_is_one_film_of_its_shard(tmp_path):
    folder = tmp_path / "set/dicom/d"
    folder.mkdir(parents=True)
    (folder / "one\u2028two\x85three.dcm").write_bytes(film())
    wanted = {
        "format": "hospital",
        "shards": 1,
        "parts": {"data": {}},
        "deliveries": {"d": {"group": "mixed"}},
    }
    write_index("set", tmp_path / "set", DatasetSettings.model_validate(wanted), tmp_path / "work")
    (item,) = read_shard(tmp_path / "work/shard_00.jsonl")
    assert (tmp_path / item.film).is_file()
