"""Colour captures: palette, RGB, YBR, in every layout and syntax, become the grey that was meant."""

from __future__ import annotations

import cv2
import imagecodecs
import numpy as np
import pytest
from dcmtk import render
from dicom_writer import Form, encode, film, film_bytes
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
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

ROWS, COLUMNS = 48, 64
Y, X = np.mgrid[0:ROWS, 0:COLUMNS]
RGB = np.dstack([Y * 4 + 20, X * 3 + 30, (X + Y) * 2 + 10]).astype(np.uint8)
# Full-range YBR of PS3.3 C.7.6.3.1.2.
TO_YBR = np.array([[0.299, 0.587, 0.114], [-0.1687, -0.3313, 0.5], [0.5, -0.4187, -0.0813]])
YBR = np.clip(np.round(RGB @ TO_YBR.T + [0, 128, 128]), 0, 255).astype(np.uint8)
LUMA = np.array([0.299, 0.587, 0.114])


@pytest.fixture
def write(tmp_path):
    def written(data):
        path = tmp_path / "film.dcm"
        path.write_bytes(data)
        return path

    return written


def colour(values=RGB, photometric="RGB", syntax=ExplicitVRLittleEndian, planar=0, **elements):
    return film_bytes(Form(8, 8, photometric=photometric, syntax=syntax, planar=planar), values, **elements)


def grey(path, **settings):
    return display_film(path, DisplaySettings(**settings)).pixels.astype(int)


NATIVE = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless]
EXACT = [JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless, HTJ2KLossless]


@pytest.mark.parametrize("syntax", [*NATIVE, *EXACT], ids=lambda syntax: syntax.name)
@pytest.mark.parametrize("planar", [0, 1])
def test_rgb_comes_back_from_every_syntax_and_layout(write, syntax, planar):
    photometric = "YBR_RCT" if syntax in (JPEG2000Lossless, HTJ2KLossless) else "RGB"
    path = write(colour(photometric=photometric, syntax=syntax, planar=planar))
    assert (stored_pixels(read_film(path)) == RGB).all()
    assert np.abs(grey(path) - RGB @ LUMA).max() <= 1


@pytest.mark.parametrize("syntax", NATIVE, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
def test_uncompressed_colour_is_shown_as_dcmtk_shows_it(write, syntax, planar, photometric):
    path = write(colour(RGB if photometric == "RGB" else YBR, photometric, syntax, planar))
    assert np.abs(grey(path) - render(path) @ LUMA).max() <= 1
    assert np.abs(grey(path) - RGB @ LUMA).max() <= 2


def test_colours_shared_by_neighbours_are_shown_as_dcmtk_shows_them(write):
    # Y1 Y2 Cb Cr for each pair.
    pairs = np.stack([YBR[:, 0::2, 0], YBR[:, 1::2, 0], YBR[:, 0::2, 1], YBR[:, 0::2, 2]], axis=-1)
    dataset = film(Form(8, 8, photometric="YBR_FULL_422"), YBR)
    dataset.PixelData = pairs.tobytes()
    path = write(encode(dataset))
    assert np.abs(grey(path) - render(path) @ LUMA).max() <= 1


@pytest.mark.parametrize(
    ("photometric", "subsampling"),
    [("RGB", "444"), ("YBR_FULL", "444"), ("YBR_FULL_422", "422"), ("YBR_FULL_422", "420")],
)
def test_lossy_jpeg_colour_is_shown_as_dcmtk_shows_it(write, photometric, subsampling):
    dataset = film(Form(8, 8, photometric=photometric), RGB)
    space = "RGB" if photometric == "RGB" else "YCBCR"
    stream = imagecodecs.jpeg8_encode(
        RGB, level=95, colorspace="RGB", outcolorspace=space, subsampling=subsampling
    )
    dataset.PixelData = encapsulate([stream])
    dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
    path = write(encode(dataset, JPEGBaseline8Bit))
    assert np.abs(grey(path) - render(path) @ LUMA).max() <= 2
    assert np.abs(grey(path) - RGB @ LUMA).max() <= 6


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless])
def test_a_palette_is_shown_as_dcmtk_shows_it(write, bits, syntax):
    indices = ((X + 2 * Y) % 200).astype(np.uint8)
    entries = [np.linspace(0, 1, 256) ** power * (2**bits - 1) for power in (1, 2, 0.5)]
    dataset = film(Form(8, 8, photometric="PALETTE COLOR", syntax=syntax), indices)
    for name, table in zip(("Red", "Green", "Blue"), entries, strict=True):
        setattr(dataset, f"{name}PaletteColorLookupTableDescriptor", [256, 0, bits])
        data = np.round(table).astype("u1" if bits == 8 else "<u2").tobytes()
        setattr(dataset, f"{name}PaletteColorLookupTableData", data)
    path = write(encode(dataset, syntax))
    expected = np.stack([table[indices] / (2**bits - 1) * 255 for table in entries], axis=-1) @ LUMA
    assert np.abs(grey(path) - expected).max() <= 1
    assert np.abs(grey(path) - render(path) @ LUMA).max() <= 2


def test_grey_stored_as_colour_stays_exact_in_eight_and_sixteen_bits(write):
    values = np.repeat(RGB[:, :, :1], 3, axis=2)
    path = write(colour(values))
    assert (grey(path) == values[:, :, 0]).all()
    assert (grey(path, image_format="png16") == values[:, :, 0].astype(int) * 257).all()


def test_colour_of_sixteen_bits_is_scaled(write):
    values = RGB.astype(int) * 16
    path = write(film_bytes(Form(12, photometric="RGB"), values))
    assert np.abs(grey(path) - values / 4095 * 255 @ LUMA).max() <= 1
    assert np.abs(grey(path, image_format="png16") - values / 4095 * 65535 @ LUMA).max() <= 2


def test_eight_bits_in_words_of_sixteen_are_no_dark_picture(write):
    path = write(film_bytes(Form(8, 16, photometric="RGB"), RGB))
    shown = display_film(path, DisplaySettings(image_format="png")).pixels
    assert shown.dtype == np.uint8
    assert np.abs(shown - RGB @ LUMA).max() <= 1
    assert np.abs(grey(path, image_format="png16") - 257 * (RGB @ LUMA)).max() <= 257


def test_a_jpeg_that_says_its_colours_is_believed_over_the_header(write):
    # The header says RGB, the stream's JFIF marker says YCbCr: scanners of films write so.
    done, jfif = cv2.imencode(".jpg", RGB[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
    assert done
    dataset = film(Form(8, 8, photometric="RGB"), RGB)
    dataset.PixelData = encapsulate([jfif.tobytes()])
    dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
    path = write(encode(dataset, JPEGBaseline8Bit))
    assert np.abs(grey(path) - RGB @ LUMA).max() <= 6


def test_samples_that_contradict_the_colours_are_turned_down(write):
    with pytest.raises(Unusable, match="samples per pixel"):
        grey(write(colour(SamplesPerPixel=1)))
