"""Films as DCMTK shows them, pixel for pixel: decoder, modality, VOI and presentation of another house.

DCMTK knows no JPEG 2000; there an uncompressed twin of the same values stands in. Where DCMTK and the standard say
different things, the test says so and holds the standard's side by its formula.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from dcmtk import JPEG_LS, render
from dicom_writer import SYNTAXES, Form, film_bytes, forms, lut, ramp
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    ExplicitVRBigEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSNearLossless,
)

from mammo.dicom.display import display_film, is_padding
from mammo.dicom.read import read_film, stored_pixels
from mammo.dicom.unusable import Unusable
from mammo.settings import DisplaySettings

UNKNOWN_TO_DCMTK = (JPEG2000, JPEG2000Lossless, HTJ2K, HTJ2KLossless, HTJ2KLosslessRPCL)
# What MONOCHROME1 and PresentationLUTShape may say together (PS3.3 C.8.11.3.1.2).
SHAPES = [("MONOCHROME2", ""), ("MONOCHROME2", "IDENTITY"), ("MONOCHROME2", "INVERSE")]
SHAPES += [("MONOCHROME1", ""), ("MONOCHROME1", "INVERSE")]


def furthest(path, settings, *options, jpeg_ls=False):
    """Largest difference between our pixels and DCMTK's, in grey levels."""
    ours = display_film(path, DisplaySettings(**settings)).pixels
    return int(np.abs(ours.astype(int) - render(path, *options, jpeg_ls=jpeg_ls)).max())


# --- transfer syntaxes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
def test_every_syntax_depth_and_sign_is_shown_as_dcmtk_shows_it(tmp_path, syntax):
    path, twin = tmp_path / "film.dcm", tmp_path / "twin.dcm"
    for form in forms(syntax):
        span = form.last - form.first
        values = ramp(form)
        if syntax == JPEGLSNearLossless:
            # DCMTK takes what overshoots white for foreign bits, so that it comes out black; see test_syntaxes.
            values = np.minimum(values, form.last - 2)
        window = {"WindowCenter": round(form.first + 0.57 * span), "WindowWidth": round(0.8 * span)}
        path.write_bytes(film_bytes(form, values, **window))
        if syntax in UNKNOWN_TO_DCMTK:
            stored = stored_pixels(read_film(path)).astype(np.int64)
            twin.write_bytes(film_bytes(Form(form.bits, form.allocated, form.signed), stored, **window))
            shown = display_film(path, DisplaySettings()).pixels.astype(int)
            assert np.abs(shown - render(twin, "+Wi", "1")).max() <= 1, form
        else:
            assert furthest(path, {}, "+Wi", "1", jpeg_ls=syntax in JPEG_LS) <= 1, form


# --- modality, VOI, presentation --------------------------------------------------------------------------------------


def curve(count, bits):
    return [int(entry) for entry in np.round(np.linspace(0, 1, count) ** 1.7 * (2**bits - 1))]


def vois(low, high):
    """Name, elements, DCMTK's options and our settings for each way to say what is shown of `low` to `high`."""
    span = high - low
    centre, width = round(low + 0.55 * span), round(0.6 * span)
    window = {"WindowCenter": centre, "WindowWidth": width}
    two = {"WindowCenter": [centre // 2, centre], "WindowWidth": [width // 2, width]}
    yield "LINEAR", window, ("+Wi", "1"), {}
    yield "second", two, ("+Wi", "2"), {"window_index": 1}
    named = {**two, "WindowCenterWidthExplanation": ["NORMAL", "Softer"]}
    yield "explained", named, ("+Wi", "2"), {"window_explanation": "SOFTER"}
    # DCMTK 3.6 does not know LINEAR_EXACT; by its formula it is LINEAR half a unit higher and one wider.
    exact = {**window, "VOILUTFunction": "LINEAR_EXACT"}
    yield "LINEAR_EXACT", exact, ("+Ww", f"{centre + 0.5}", f"{width + 1}"), {}
    yield "SIGMOID", {**window, "VOILUTFunction": "SIGMOID"}, ("+Wfs", "+Wi", "1"), {}
    yield "minmax", {}, ("+Wm",), {"window": "minmax"}
    first, count = round(low + 0.1 * span), round(0.7 * span)
    if count < 65536 and -32768 <= first < 65536:
        for bits in (8, 12, 16):
            table = lut(first, curve(count, bits), bits)
            yield f"LUT {bits}", {"VOILUTSequence": [table]}, ("+Wl", "1"), {}
        tables = [
            lut(first, curve(count, 10)[::-1], 10),
            lut(first, curve(count, 10), 10, explanation="harder"),
        ]
        yield "second LUT", {"VOILUTSequence": tables}, ("+Wl", "2"), {"window_index": 1}
        yield "explained LUT", {"VOILUTSequence": tables}, ("+Wl", "2"), {"window_explanation": "Harder"}


def modalities(form):
    """Elements of each modality transformation, and the range of values that it makes of the form's."""
    yield {}, form.first, form.last
    yield {"RescaleSlope": 2, "RescaleIntercept": -1024}, 2 * form.first - 1024, 2 * form.last - 1024
    table = lut(form.first, [int(value) for value in np.linspace(0, 4000, 2 ** min(form.bits, 15))], 12)
    table.ModalityLUTType = "US"
    yield {"ModalityLUTSequence": [table]}, 0, 4000


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
def test_every_modality_voi_and_presentation_is_shown_as_dcmtk_shows_it(tmp_path, bits, signed):
    path = tmp_path / "film.dcm"
    form = Form(bits, signed=signed)
    shapes = itertools.cycle(SHAPES)
    wrong = []
    for modality, low, high in modalities(form):
        for name, voi, options, settings in vois(low, high):
            # Each with one of the five ways of inversion. All combinations were tried once, 2 800 pictures, alike.
            photometric, shape = next(shapes)
            presentation = {"PresentationLUTShape": shape} if shape else {}
            inverted = Form(bits, signed=signed, photometric=photometric)
            path.write_bytes(film_bytes(inverted, **modality, **voi, **presentation))
            far = furthest(path, settings, *options)
            if far > 1:
                wrong.append((name, sorted(modality), photometric, shape, far))
    assert not wrong


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian], ids=lambda syntax: syntax.name
)
def test_tables_and_negative_numbers_are_read_in_every_encoding(tmp_path, syntax):
    path = tmp_path / "film.dcm"
    form = Form(12, signed=True, syntax=syntax)
    table = lut(-1500, curve(3000, 12), 12, form)
    path.write_bytes(film_bytes(form, VOILUTSequence=[table]))
    assert furthest(path, {}, "+Wl", "1") <= 1


def test_monochrome1_that_calls_its_shape_identity_is_inverted_though_not_by_dcmtk(tmp_path):
    # The two contradict each other: PS3.3 C.8.11.3.1.2 wants INVERSE with MONOCHROME1. DCMTK lets the shape win.
    # C.7.6.3.1.2 has the least value of MONOCHROME1 white after any VOI, and so it is shown: white air is seen at once.
    path = tmp_path / "film.dcm"
    window = {"WindowCenter": 2048, "WindowWidth": 4096, "PresentationLUTShape": "IDENTITY"}
    path.write_bytes(film_bytes(Form(photometric="MONOCHROME1"), **window))
    ours = display_film(path, DisplaySettings()).pixels.astype(int)
    assert ours[0, 0] == 255 and ours[-1, -1] == 0
    assert np.abs(255 - ours - render(path, "+Wi", "1")).max() <= 1


def test_half_modality_units_count_though_not_for_dcmtk(tmp_path):
    # DCMTK rounds modality values to whole numbers; C.11.1.1.2 does not. 8 bits at slope .5 show the difference.
    path = tmp_path / "film.dcm"
    elements = {"RescaleSlope": 0.5, "RescaleIntercept": 0, "WindowCenter": 64, "WindowWidth": 65}
    path.write_bytes(film_bytes(Form(8, 8), **elements))
    stored = ramp(Form(8, 8))
    expected = np.clip((0.5 * stored - 63.5) / 64 + 0.5, 0, 1) * 255
    assert np.abs(display_film(path, DisplaySettings()).pixels - expected).max() <= 0.5 + 1e-9
    assert 1 < furthest(path, {}, "+Wi", "1") <= 255 / 64


def test_sixteen_bit_png_follows_dcmtk_to_sixteen_bits(tmp_path):
    path = tmp_path / "film.dcm"
    path.write_bytes(film_bytes(Form(14), WindowCenter=9000, WindowWidth=12000))
    ours = display_film(path, DisplaySettings(image_format="png16")).pixels
    assert ours.dtype == np.uint16
    assert np.abs(ours.astype(int) - render(path, "+Wi", "1", depth=16)).max() <= 1


# --- real files -------------------------------------------------------------------------------------------------------


def copied(path, folder):
    """A file under another name, because pictures are written beside it."""
    copy = folder / "film.dcm"
    copy.write_bytes(path.read_bytes())
    return copy


def test_every_real_image_is_shown_as_dcmtk_shows_it(shared_data, tmp_path):
    shown = 0
    for path in sorted((shared_data / "dicom").rglob("*.dcm")):
        try:
            film = read_film(path)
            ours = display_film(path, DisplaySettings()).pixels.astype(int)
        except Unusable:
            # Reports and segmentations; test_dcmtk is about films.
            continue
        settings, option = {}, None
        if "VOILUTSequence" in film:
            option = ("+Wl", "1")
        elif "WindowCenter" in film:
            sigmoid = film.get("VOILUTFunction") == "SIGMOID"
            option = ("+Wfs", "+Wi", "1") if sigmoid else ("+Wi", "1")
        else:
            settings, option = {"window": "minmax"}, ("+Wm",)
            ours = display_film(path, DisplaySettings(**settings)).pixels.astype(int)
        image = ~is_padding(film, stored_pixels(film))
        far = np.abs(ours - render(copied(path, tmp_path), *option))[image].max()
        assert far <= 1, f"{path.name}: {far} grey levels"
        shown += 1
    assert shown >= 6


def test_every_window_of_the_real_ge_film_is_shown_as_dcmtk_shows_it(shared_data, tmp_path):
    path = tmp_path / "film.dcm"
    film = read_film(shared_data / "dicom/mammography/fodicom_GH133_GE_MG.dcm")
    image = ~is_padding(film, stored_pixels(film))
    film.PixelData  # noqa: B018 - brought into memory before the copy is written
    del film.VOILUTSequence
    film.save_as(path)
    for index in range(3):
        ours = display_film(path, DisplaySettings(window_index=index)).pixels.astype(int)
        assert np.abs(ours - render(path, "+Wfs", "+Wi", str(index + 1)))[image].max() <= 1
