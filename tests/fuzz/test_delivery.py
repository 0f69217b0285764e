"""A delivery of hostile files beside one good film: each has its row, the film comes out, nothing breaks."""

from __future__ import annotations

import io
import re
import struct
import tarfile
import unicodedata
from pathlib import Path

import pytest
from fuzz_dicom import (
    PIXELS,
    deflated,
    encapsulated,
    find,
    jpeg_header,
    parsed,
    put,
    set_syntax,
    written,
)
from fuzz_targets import film, outlined

from mammo.datasets.annotating import annotate_shard
from mammo.datasets.archives import unpack
from mammo.datasets.decoding import decode_shard
from mammo.datasets.indexing import write_index
from mammo.datasets.tabulating import tabulate
from mammo.settings import DatasetSettings, DisplaySettings, UnpackSettings
from mammo.tables.csvio import write_table
from mammo.tables.records import Image, Lesion, Reject

GOOD = film()


def with_number(tag, vr, value):
    made = parsed(GOOD)
    put(made, tag, vr, value)
    return written(made)


def compressed(syntax, *fragments, table=b""):
    made = parsed(GOOD)
    made.remove(find(made, PIXELS))
    made.append(encapsulated(*fragments, table=table))
    set_syntax(made, syntax)
    return written(made)


def claiming(length):
    made = parsed(GOOD)
    find(made, PIXELS).claimed = length
    return written(made)[: -len(find(made, PIXELS).value)] + bytes(9)


WORD = struct.Struct("<H").pack
# Bytes of each hostile film, and what its row says.
HOSTILE = {
    "empty.dcm": (b"", "empty"),
    "zeros.dcm": (bytes(5000), "DICOM|no pixels"),
    "ones.dcm": (b"\xff" * 5000, "DICOM|broken"),
    "noise.dcm": (bytes((n * n * 31 + n // 7) % 256 for n in range(9000)), "DICOM|broken|no pixels|size"),
    "text.dcm": ("이것은 사진이 아니다\n".encode() * 300, "DICOM|broken"),
    "cut.dcm": (GOOD[:1500], "cut off"),
    "cut_in_header.dcm": (GOOD[:300], "no pixels|size|broken|DICOM"),
    "rows.dcm": (with_number(0x00280010, b"US", WORD(65535)), "cut off"),
    "rows_and_columns.dcm": (
        with_number(0x00280010, b"US", WORD(65535)).replace(b"\x28\0\x11\0US\2\0\x30\0", b"\x28\0\x11\0US\2\0\xff\xff"),
        "more than any mammogram",
    ),
    "bits.dcm": (with_number(0x00280100, b"US", WORD(64)), "64 bits"),
    "frames.dcm": (with_number(0x00280008, b"IS", b"2000000000"), "frames"),
    "length.dcm": (claiming(0xFFFFFFF0), "cut off"),
    "undefined.dcm": (claiming(0xFFFFFFFF), "cut off|broken|decoded"),
    "bomb.dcm": (deflated(parsed(GOOD), bytes(400_000_000)), "inflat|deflated"),
    "jpeg.dcm": (compressed(b"1.2.840.10008.1.2.4.70", jpeg_header(65500, 65500)), "size"),
    "table.dcm": (compressed(b"1.2.840.10008.1.2.4.70", b"", table=struct.pack("<2I", 0, 2**31)), "decoded"),
}  # fmt: skip
KOREAN = "유방 사진.dcm"


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    data = tmp_path_factory.mktemp("hostile")
    root = data / "set"
    (root / "tar").mkdir(parents=True)
    with tarfile.open(root / "tar/abn.tar.gz", "w:gz") as archive:
        for name, content in {
            **{f"abn/X/1/{name}": content for name, (content, _) in HOSTILE.items()},
            **{f"abn/X/1/{name[:-4]}.jpg": outlined()[0] for name in HOSTILE},
            "abn/X/1/good.dcm": GOOD, "abn/X/1/good.jpg": outlined()[0],
            f"abn/X/1/{unicodedata.normalize('NFD', KOREAN)}": GOOD,
            f"abn/X/1/{unicodedata.normalize('NFD', KOREAN)[:-4]}.jpg": outlined()[0],
            "abn/X/1/broken_picture.dcm": GOOD, "abn/X/1/broken_picture.jpg": b"\xff\xd8\xff\xe0" + bytes(90),
            "abn/X/1/empty_picture.dcm": GOOD, "abn/X/1/empty_picture.jpg": b"",
            "abn/X/1/" + "n" * 240 + ".dcm": GOOD, "abn/X/1/" + "n" * 240 + ".jpg": outlined()[0],
        }.items():  # fmt: skip
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    unpack(
        [root / "tar/abn.tar.gz"], "abn", root / "dicom/abn", root / "dicom/abn.files.csv", UnpackSettings()
    )
    settings = DatasetSettings.model_validate(
        {
            "format": "ncc",
            "shards": 2,
            "deliveries": {"abn": {"group": "abn"}},
            "letters": {"X": "mass"},
            "parts": {"data": {}},
        }
    )
    write_index("set", root, settings, root / "work")
    paths = {"images": [], "lesions": [], "rejects": [root / "work/rejects.csv"]}
    for shard in sorted((root / "work").glob("shard_*.jsonl")):
        images, refused = decode_shard(shard, data, root, root / "img" / shard.stem[-2:], DisplaySettings())
        lesions, unknown = annotate_shard(shard, data, settings)
        for kind, model, rows in (
            ("images", Image, images),
            ("lesions", Lesion, lesions),
            ("rejects", Reject, refused + unknown),
        ):
            paths[kind].append(root / "work" / f"{kind}_{shard.stem}.csv")
            write_table(paths[kind][-1], model, rows)
    return tabulate("set", paths["images"], paths["lesions"], paths["rejects"], 1.0)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_has_its_row(tables, name):
    (row,) = [row for row in tables[2] if row.source == f"set/dicom/abn/X/1/{name}"]
    assert re.search(HOSTILE[name][1], row.reason), row.reason


@pytest.mark.parametrize("name", ["broken_picture", "empty_picture"])
def test_a_film_with_a_broken_picture_has_its_row(tables, name):
    (row,) = [row for row in tables[2] if row.source == f"set/dicom/abn/X/1/{name}.dcm"]
    assert row.stage == "annotate"


@pytest.mark.parametrize("name", ["good.dcm", KOREAN, "n" * 240 + ".dcm"], ids=["good", "korean", "long"])
def test_a_good_film_comes_out_with_its_lesion(tables, name):
    images, lesions, _ = tables
    (image,) = [image for image in images if image.source == f"set/dicom/abn/X/1/{name}"]
    assert image.image_id.isascii() and len(Path(image.path).name) < 200
    assert [lesion.lesion_type for lesion in lesions if lesion.image_id == image.image_id] == ["mass"]


def test_nothing_else_comes_out_and_nothing_is_lost(tables):
    images, _, rejects = tables
    assert len(images) == 3
    assert len(rejects) == len(HOSTILE) + 2
