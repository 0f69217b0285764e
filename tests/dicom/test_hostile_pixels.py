"""Pixels that lie about themselves are turned down, with a reason and before memory is taken."""

from __future__ import annotations

import struct
import tracemalloc

import imagecodecs
import numpy as np
import pytest
from dicom_writer import SYNTAXES, Form, encode, film, film_bytes, ramp
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    MPEG2MPML,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from mammo.dicom.display import display_film
from mammo.dicom.read import read_film, stored_pixels
from mammo.dicom.unusable import Unusable
from mammo.settings import DisplaySettings

STREAMS = [JPEGBaseline8Bit, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless, HTJ2KLossless]
COMPRESSED = [*STREAMS, RLELossless]


def form_of(syntax):
    return Form(8, 8, syntax=syntax) if syntax == JPEGBaseline8Bit else Form(12, syntax=syntax)


@pytest.fixture
def write(tmp_path):
    def written(data):
        path = tmp_path / "film.dcm"
        path.write_bytes(data)
        return path

    return written


def name(syntax):
    return syntax.name


@pytest.mark.parametrize("syntax", COMPRESSED, ids=name)
def test_a_header_larger_than_its_stream_is_turned_down_without_its_memory(write, syntax):
    dataset = film(form_of(syntax))
    dataset.Rows = dataset.Columns = 9999
    path = write(encode(dataset, syntax))
    tracemalloc.start()
    with pytest.raises(Unusable, match=r"size that the header says|no end"):
        display_film(path, DisplaySettings())
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEGLosslessSV1], ids=name)
def test_a_stream_too_short_for_the_size_that_it_claims_is_turned_down(write, syntax):
    form = form_of(syntax)
    values = np.zeros((48, 64), np.uint8 if form.bits == 8 else np.uint16)
    lossless = syntax == JPEGLosslessSV1
    stream = imagecodecs.jpeg8_encode(values, lossless=lossless, bitspersample=form.bits)
    at = stream.index(b"\xff\xc3" if lossless else b"\xff\xc0") + 5
    stream = stream[:at] + struct.pack(">HH", 9000, 9000) + stream[at + 4 :]
    dataset = film(form)
    dataset.Rows = dataset.Columns = 9000
    dataset.PixelData = encapsulate([stream])
    with pytest.raises(Unusable, match="cut off"):
        display_film(write(encode(dataset, syntax)), DisplaySettings())


@pytest.mark.parametrize("syntax", SYNTAXES, ids=name)
@pytest.mark.parametrize("share", [0.5, 0.99])
def test_a_film_cut_off_anywhere_in_its_pixels_is_turned_down(write, syntax, share):
    bits = 8 if syntax == JPEGBaseline8Bit else 12
    form = Form(bits, 8 if bits == 8 else 16, syntax=syntax)
    noise = np.random.default_rng(0).integers(0, 1 << bits, (96, 128))
    data = film_bytes(form, noise)
    with pytest.raises(Unusable):
        display_film(write(data[: int(len(data) * share)]), DisplaySettings())


@pytest.mark.parametrize("syntax", COMPRESSED, ids=name)
def test_compressed_pixels_of_zeros_are_turned_down(write, syntax):
    dataset = film(form_of(syntax))
    dataset.PixelData = encapsulate([b"\0" * 5000])
    with pytest.raises(Unusable):
        display_film(write(encode(dataset, syntax)), DisplaySettings())


@pytest.mark.parametrize("syntax", COMPRESSED, ids=name)
def test_broken_bytes_are_an_image_or_a_reason_and_never_a_crash(write, syntax):
    data = film_bytes(form_of(syntax))
    random = np.random.default_rng(2)
    for _ in range(40):
        broken = bytearray(data)
        for place in random.integers(400, len(data), 6):
            broken[place] = random.integers(256)
        try:
            shape = display_film(write(bytes(broken)), DisplaySettings()).pixels.shape
        except Unusable:
            continue
        assert shape[0] * shape[1] <= 65535**2


def test_video_is_turned_down_with_a_reason(write):
    dataset = film(Form(8, 8, syntax=JPEGBaseline8Bit))
    dataset.PixelData = encapsulate([b"\x00\x00\x01\xb3" + b"\x11" * 500])
    with pytest.raises(Unusable, match="cannot be decoded"):
        display_film(write(encode(dataset, MPEG2MPML)), DisplaySettings())


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"BitsStored": 17}, "bits stored"),
        ({"BitsAllocated": 32}, "32 bits a pixel"),
        ({"BitsAllocated": 12}, "12 bits allocated"),
        ({"Rows": 0}, "no image size"),
        ({"Rows": 65535}, "cut off"),
        ({"Rows": 65535, "Columns": 65535}, "more than any mammogram has"),
        ({"SamplesPerPixel": 3}, "samples per pixel"),
    ],
)
def test_headers_that_contradict_themselves_are_turned_down(write, elements, reason):
    dataset = film(Form(12))
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    with pytest.raises(Unusable, match=reason):
        display_film(write(encode(dataset)), DisplaySettings())


def test_a_length_beyond_the_file_is_cut_off_and_reserves_nothing(write):
    data = film_bytes(Form(12))
    at = data.rindex(b"\xe0\x7f\x10\x00OW\0\0") + 8
    path = write(data[:at] + struct.pack("<I", 0xFFFFFF00) + data[at + 4 :])
    # All pixels are there; only the length lies.
    assert (stored_pixels(read_film(path)) == ramp(Form(12))).all()
    path = write(data[:at] + struct.pack("<I", 0xFFFFFF00) + data[at + 4 : -100])
    with pytest.raises(Unusable, match="cut off: 6044 of 6144 bytes"):
        display_film(path, DisplaySettings())


def test_an_element_that_cannot_be_understood_does_not_cost_the_film(write):
    dataset = film(Form(12), WindowCenter=2048, WindowWidth=4096)
    dataset.KVP = 28
    data = encode(dataset, ExplicitVRLittleEndian).replace(b"DS\x02\x0028", b"DS\x02\x00\xff\xfe")
    assert display_film(write(data), DisplaySettings()).pixels.max() == 255


def test_a_table_of_numbers_beyond_any_does_not_cost_the_film(write):
    table = Dataset()
    table.LUTDescriptor = [4, 0, 12]
    table.add_new("LUTData", "IS", [str(10**30), "1", "2", "3"])
    path = write(film_bytes(Form(12), VOILUTSequence=[table], WindowCenter=2048, WindowWidth=4096))
    assert display_film(path, DisplaySettings()).pixels.max() == 255
