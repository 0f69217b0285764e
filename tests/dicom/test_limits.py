"""Files that claim more than they hold, or hold more than anybody should read, cost little to turn down."""

from __future__ import annotations

import resource
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from mammo.dicom.read import read_header, read_object, stored_pixels
from mammo.dicom.unusable import Unusable
from mammo.phantom.dicomfile import MAMMO_FOR_PRESENTATION, elements, encode, set_pixels

PIXELS = np.arange(48, dtype=np.uint16).reshape(6, 8) * 80
DEFLATED = b"1.2.840.10008.1.2.1.99"


def film_bytes(**values):
    dataset = elements(Modality="MG", **values)
    set_pixels(dataset, PIXELS, 12, "MONOCHROME2")
    return encode(dataset, MAMMO_FOR_PRESENTATION, "test")


def deflated(data, more=b""):
    """A file under the deflated transfer syntax; `more` raw deflate blocks take the place of its last."""
    length = struct.unpack("<I", data[140:144])[0]
    plain = b"1.2.840.10008.1.2.1\0"
    meta, body = data[128 : 144 + length], data[144 + length :]
    assert plain in meta
    meta = meta.replace(struct.pack("<H", 20) + plain, struct.pack("<H", 22) + DEFLATED)
    meta = meta[:12] + struct.pack("<I", length + 2) + meta[16:]
    packer = zlib.compressobj(wbits=-15)
    return (
        bytes(128)
        + meta
        + packer.compress(body)
        + packer.flush(zlib.Z_SYNC_FLUSH if more else zlib.Z_FINISH)
        + more
    )


@pytest.fixture
def write(tmp_path):
    def written(data):
        (tmp_path / "film.dcm").write_bytes(data)
        return tmp_path / "film.dcm"

    return written


def test_a_deflated_film_is_read_as_the_one_that_was_deflated(write):
    plain = read_header(write(film_bytes()))
    assert read_header(write(deflated(film_bytes()))) == plain
    assert (stored_pixels(read_object(write(deflated(film_bytes())))) == PIXELS).all()


def test_a_deflated_film_that_is_cut_off_is_turned_down(write):
    with pytest.raises(Unusable, match="cut off"):
        read_object(write(deflated(film_bytes())[:-9]))


def bomb(gigabytes):
    """Zeros that inflate without end."""
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(bytes(1 << 24)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * (64 * gigabytes)


@pytest.mark.parametrize("preamble", [True, False], ids=["as it should be", "without preamble"])
def test_a_deflated_bomb_takes_a_film_s_memory_at_most(write, preamble):
    data = deflated(film_bytes(), bomb(1))
    path = write(data if preamble else data[132:])
    code = (
        "import resource, sys\nfrom mammo.dicom.read import read_object\n"
        "from mammo.dicom.unusable import Unusable\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: read_object(sys.argv[1])\nexcept Unusable as reason: print(reason)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    scripts = str(Path(__file__).parents[2] / "scripts")
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, env={"PYTHONPATH": scripts}
    )
    reason, kilobytes = done.stdout.splitlines()
    assert "deflated" in reason, done.stderr
    assert int(kilobytes) < 600_000


def element(tag, vr, length, value=b""):
    return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr, 0, length) + value


@pytest.mark.parametrize("length", [0xFFFFFFF0, 0x7FFFFFFF])
def test_an_element_that_claims_gigabytes_reserves_none(write, length):
    film = film_bytes()
    header = film[: film.index(struct.pack("<HH", 0x7FE0, 0x0010))]
    path = write(header + element(0x00291001, b"OB", length, b"little"))
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    own = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (own + 500_000_000, hard))
    try:
        assert read_object(path).Rows == 6
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.mark.parametrize(
    "many",
    [
        b"".join(struct.pack("<HHI", 0x0009 + 2 * (n >> 16), n & 0xFFFF, 0) for n in range(30_000)),
        struct.pack("<HHI", 0x0008, 0x1140, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 30_000,
    ],
    ids=["elements", "items"],
)
def test_elements_without_end_are_turned_down(write, many, monkeypatch):
    monkeypatch.setattr("mammo.dicom.limits.MAX_PIECES", 20_000)
    with pytest.raises(Unusable):
        read_object(write(many))


ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, 0)


@pytest.mark.parametrize("value", [ITEM * 100_001, bytes(16_000_002)], ids=["items", "bytes"])
@pytest.mark.parametrize(("tag", "vr"), [(0x00081140, b"SQ"), (0x00081140, b"UN"), (0x00091001, b"UN")])
def test_a_sequence_larger_than_any_is_turned_down_before_it_is_taken_apart(write, tag, vr, value):
    film = film_bytes()
    meta_end = 144 + struct.unpack("<I", film[140:144])[0]
    path = write(film[:meta_end] + element(tag, vr, len(value), value) + film[meta_end:])
    with pytest.raises(Unusable, match="a sequence larger than any"):
        read_header(path)
    with pytest.raises(Unusable, match="a sequence larger than any"):
        read_object(path)
