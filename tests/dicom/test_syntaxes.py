"""Every transfer syntax gives back the values that went in."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
from dicom_writer import EXACT, LOSS, LOSSY, NATIVE, SYNTAXES, Form, encode, film, film_bytes, forms, ramp
from pydicom.encaps import encapsulate
from pydicom.uid import (
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSNearLossless,
    RLELossless,
)

from mammo.dicom.display import display_film
from mammo.dicom.read import read_film, stored_pixels
from mammo.dicom.unusable import Unusable
from mammo.settings import DisplaySettings


@pytest.fixture
def write(tmp_path):
    def written(data):
        path = tmp_path / "film.dcm"
        path.write_bytes(data)
        return path

    return written


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
def test_values_come_back_from_every_syntax_depth_and_sign(write, syntax):
    for form in forms(syntax):
        values = ramp(form)
        found = stored_pixels(read_film(write(film_bytes(form, values))))
        furthest = np.abs(found - values).max()
        least = 2 if syntax == JPEGLSNearLossless else 0
        assert furthest <= max(least, LOSS.get(syntax, 0) * 2**form.bits), form


@pytest.mark.parametrize("syntax", [*NATIVE, RLELossless], ids=lambda syntax: syntax.name)
@pytest.mark.parametrize(("high", "foreign"), [(11, 0xF000), (15, 0x000F), (13, 0xC003)])
def test_overlay_bits_above_and_below_the_value_do_not_reach_it(write, syntax, high, foreign):
    form = Form(12, high=high, foreign=foreign, syntax=syntax)
    assert (stored_pixels(read_film(write(film_bytes(form)))) == ramp(form)).all()


def test_overlay_bits_in_lossless_jpeg_do_not_reach_the_value(write):
    form = Form(12, syntax=JPEGLosslessSV1)
    dataset = film(form)
    stream = imagecodecs.jpeg8_encode(
        (ramp(form) | 0x8000).astype(np.uint16), lossless=True, bitspersample=16
    )
    dataset.PixelData = encapsulate([stream])
    assert (stored_pixels(read_film(write(encode(dataset, form.syntax)))) == ramp(form)).all()


def test_white_that_lossy_coding_overshoots_stays_white(write):
    # 4095 coded with 16 bits and an error of 2 comes back as up to 4097, which is 1 in its lower 12 bits.
    form = Form(12, syntax=JPEGLSNearLossless)
    values = ramp(form)
    found = stored_pixels(read_film(write(film_bytes(form, values))))
    assert found.max() == 4095 and np.abs(found - values).max() <= 2


def test_a_stream_says_itself_what_it_is(write):
    for real, claimed in [(JPEG2000Lossless, JPEGLosslessSV1), (JPEGLosslessSV1, JPEGExtended12Bit)]:
        form = Form(12, syntax=real)
        assert (stored_pixels(read_film(write(encode(film(form), claimed)))) == ramp(form)).all()


@pytest.mark.parametrize("predictor", range(1, 8))
def test_every_predictor_of_lossless_jpeg_is_exact(write, predictor):
    form = Form(16, syntax=JPEGLosslessSV1)
    values = np.random.default_rng(0).integers(0, 65536, (48, 64))
    dataset = film(form, values)
    stream = imagecodecs.jpeg8_encode(
        values.astype(np.uint16), lossless=True, predictor=predictor, bitspersample=16
    )
    dataset.PixelData = encapsulate([stream])
    assert (stored_pixels(read_film(write(encode(dataset, form.syntax)))) == values).all()


def test_a_stream_in_several_fragments_is_one_image(write):
    form = Form(12, syntax=JPEGLosslessSV1)
    dataset = film(form)
    stream = imagecodecs.jpeg8_encode(ramp(form).astype(np.uint16), lossless=True, bitspersample=12)
    dataset.PixelData = encapsulate([stream], fragments_per_frame=5)
    assert (stored_pixels(read_film(write(encode(dataset, form.syntax)))) == ramp(form)).all()


# --- several frames ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
def test_each_frame_of_several_is_found(write, syntax):
    bits, allocated = (8, 8) if syntax == JPEGBaseline8Bit else (12, 16)
    form = Form(bits, allocated, syntax=syntax, frames=3)
    frames = np.stack([ramp(form), ramp(form)[::-1], ramp(form) // 2])
    path = write(film_bytes(form, frames))
    for number, values in enumerate(frames):
        found = stored_pixels(read_film(path, number), number)
        assert np.abs(found - values).max() <= max(2 if syntax in LOSSY else 0, LOSS.get(syntax, 0) * 2**bits)


def test_frames_of_bits_need_not_begin_at_a_byte(write):
    form = Form(8, 8, frames=3)
    dataset = film(form, np.zeros((3, 5, 5), int))
    masks = np.random.default_rng(1).integers(0, 2, (3, 5, 5), np.uint8)
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit = 0
    dataset.PixelData = np.packbits(masks.ravel(), bitorder="little").tobytes()
    film_ = read_film(write(encode(dataset)), 2)
    assert all((stored_pixels(film_, number) == masks[number]).all() for number in range(3))


def test_a_frame_that_is_not_there_is_turned_down(write):
    path = write(film_bytes(Form(frames=2), np.stack([ramp(Form())] * 2)))
    with pytest.raises(Unusable, match="no frame 3: the file has 2"):
        display_film(path, DisplaySettings(), frame=2)
    with pytest.raises(Unusable, match="2 frames: a film has one"):
        read_film(path)


def test_every_syntax_is_tried():
    assert len(SYNTAXES) == 16 and set(EXACT) | set(LOSSY) == set(SYNTAXES)
