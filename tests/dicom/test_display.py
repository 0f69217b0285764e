"""Stored values → what readers see."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from pydicom.dataset import Dataset

from mammo.dicom.display import breast_region, display_film, display_pixels, is_padding
from mammo.dicom.read import read_film, stored_pixels
from mammo.dicom.unusable import Unusable
from mammo.dicom.voi import apply_window
from mammo.phantom.dicomfile import MAMMO_FOR_PRESENTATION, PixelForm, elements, encode, set_brightness
from mammo.phantom.film import FilmSpec, make_film
from mammo.phantom.settings import DifficultySettings
from mammo.settings import DisplaySettings

RAMP = np.arange(4096).reshape(64, 64)


def header(**values):
    return elements(**{"PhotometricInterpretation": "MONOCHROME2", "PixelRepresentation": 0, **values})


def shown(film, stored=RAMP, **settings):
    return display_pixels(film, stored, DisplaySettings(**settings))


def lut(first, entries, bits):
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries), first, bits])
    item.add_new("LUTData", "US", entries)
    return item


# --- windows (PS3.3 C.11.2.1.2, its own examples) --------------------------------------------------------------------


def test_the_linear_window_follows_the_standards_formula():
    # C.11.2.1.2.1, Note 2: centre 2048, width 4096 shows 0..4095; centre 2048, width 1 is a threshold.
    assert apply_window(np.array([0.0, 4095.0]), 2048, 4096, "LINEAR").tolist() == [0, 1]
    assert apply_window(np.array([2047.0, 2048.0]), 2048, 1, "LINEAR").tolist() == [0, 1]


def test_linear_exact_has_its_edges_half_a_width_from_the_centre():
    assert apply_window(np.array([50.0, 100.0, 150.0]), 100, 100, "LINEAR_EXACT").tolist() == [0, 0.5, 1]


def test_sigmoid_never_clips():
    values = apply_window(np.array([1753.0, 2653.0, 3553.0]), 2653, 900, "SIGMOID")
    assert values == pytest.approx([1 / (1 + np.e**4), 0.5, 1 / (1 + np.e**-4)])


def test_of_several_windows_the_first_is_used_unless_the_settings_say_otherwise():
    film = header(WindowCenter=[1000, 3000], WindowWidth=[100, 100])
    assert shown(film)[2000 // 64, 2000 % 64] == 255
    assert shown(film, window_index=1)[2000 // 64, 2000 % 64] == 0


def test_a_window_without_width_counts_as_none():
    assert len(np.unique(shown(header(WindowCenter=2000, WindowWidth=0)))) > 100


def test_the_voi_lut_goes_before_the_window():
    film = header(VOILUTSequence=[lut(0, [0] * 2048 + [4095] * 2048, 12)], WindowCenter=10, WindowWidth=5)
    assert (shown(film) == np.where(RAMP < 2048, 0, 255)).all()


def test_values_beyond_a_lut_take_its_ends():
    film = header(VOILUTSequence=[lut(1000, list(range(0, 4096, 2)), 12)])
    picture = shown(film).ravel()
    assert (picture[:1000] == 0).all() and (picture[3048:] == 255).all()


def test_a_lut_of_more_bits_than_it_says_is_not_white_all_over():
    film = header(VOILUTSequence=[lut(0, list(range(4096)), 8)])
    assert shown(film).ravel()[[0, 2048, 4095]].tolist() == [0, 128, 255]


def test_the_window_is_in_modality_units():
    film = header(
        RescaleSlope=1, RescaleIntercept=-1024, WindowCenter=0, WindowWidth=2, VOILUTFunction="LINEAR_EXACT"
    )
    assert shown(film).ravel()[[1022, 1024, 1026]].tolist() == [0, 128, 255]


# --- inversion and padding --------------------------------------------------------------------------------------------


def test_inversion_said_twice_is_done_once():
    window = {"WindowCenter": 2048, "WindowWidth": 4096}
    plain = shown(header(**window))
    once = shown(header(**window, PhotometricInterpretation="MONOCHROME1"))
    twice = shown(header(**window, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE"))
    assert (once == twice).all()
    assert np.abs(255 - plain.astype(int) - once).max() <= 1


def test_padding_is_black_also_in_an_inverted_film():
    film = header(
        PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=0, WindowCenter=2048, WindowWidth=4096
    )
    assert shown(film)[0, 0] == 0 and shown(film)[0, 1] == 255


@pytest.mark.parametrize(("value", "limit"), [(0, 30), (30, 0)])
def test_padding_may_be_a_range_in_either_direction(value, limit):
    film = header(PixelPaddingValue=value, PixelPaddingRangeLimit=limit)
    assert is_padding(film, np.arange(33)).sum() == 31


# --- films without a window -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def phantom():
    return make_film(
        FilmSpec("display", "display", 512, 416, "L", "MLO", ("mass",), DifficultySettings(), 0.01)
    )


def film_file(path, phantom, form):
    dataset = elements(Modality="MG")
    set_brightness(dataset, phantom.pixels, phantom.air, form)
    path.write_bytes(encode(dataset, MAMMO_FOR_PRESENTATION, "display"))
    return path


@pytest.mark.parametrize(
    "form", [PixelForm(bits=14), PixelForm(bits=12, padding=True), PixelForm(bits=12, inverted=True)]
)
def test_the_breast_fills_the_grey_scale_and_air_stays_dark(tmp_path, phantom, form):
    picture = display_film(film_file(tmp_path / "f.dcm", phantom, form), DisplaySettings()).pixels
    breast = ~phantom.air & (phantom.pixels < 0.9)
    assert picture[phantom.air].mean() < 12
    assert picture[breast].std() > 35
    assert (picture[breast] == 255).mean() < 0.02 and (picture[breast] == 0).mean() < 0.1
    assert np.corrcoef(picture[breast], phantom.pixels[breast])[0, 1] > 0.98


def test_a_bright_marker_does_not_set_the_window(phantom):
    region = breast_region(phantom.pixels.astype(float), np.ones(phantom.pixels.shape, bool))
    assert region[phantom.pixels > 0.9].mean() < 0.3
    assert region[~phantom.air].mean() > 0.85


def test_grey_stored_as_colour_comes_out_exactly(tmp_path, phantom):
    path = film_file(tmp_path / "f.dcm", phantom, PixelForm(rgb=True))
    assert (display_film(path, DisplaySettings()).pixels == np.round(phantom.pixels * 255)).all()


def test_a_film_of_one_brightness_is_turned_down(tmp_path, phantom):
    class Flat:
        pixels, air = np.full((32, 32), 0.5, np.float32), np.zeros((32, 32), bool)

    with pytest.raises(Unusable, match="one brightness"):
        display_film(film_file(tmp_path / "f.dcm", Flat, PixelForm()), DisplaySettings())


# --- the real GE film -------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def read_once(path):
    film = read_film(path)
    stored = stored_pixels(film)
    return film, stored, ~is_padding(film, stored)


@pytest.fixture
def ge_film(shared_data):
    return read_once(shared_data / "dicom/mammography/fodicom_GH133_GE_MG.dcm")


def test_the_real_films_voi_shows_the_breast_as_its_vendor_meant(ge_film):
    film, stored, breast = ge_film
    picture = display_pixels(film, stored, DisplaySettings())[breast]
    assert picture.mean() == pytest.approx(66, abs=3) and picture.std() == pytest.approx(41, abs=3)


def test_the_real_films_lut_and_sigmoid_are_the_same_curve(ge_film):
    film, stored, breast = ge_film
    sigmoid = 255 * apply_window(stored[breast].astype(float), 2653, 900, "SIGMOID")
    assert np.abs(sigmoid - display_pixels(film, stored, DisplaySettings())[breast]).max() < 8


def test_min_max_washes_the_real_film_out(ge_film):
    film, stored, breast = ge_film
    picture = display_pixels(film, stored, DisplaySettings(window="minmax"))[breast]
    assert picture.mean() == pytest.approx(172, abs=2) and picture.std() == pytest.approx(25, abs=1.5)


def test_the_real_sigmoid_read_as_linear_would_clip_an_eighth_of_the_breast(ge_film):
    _, stored, breast = ge_film
    linear = apply_window(stored[breast].astype(float), 2653, 900, "LINEAR")
    assert (np.round(linear * 255) == 0).mean() == pytest.approx(0.126, abs=0.005)


def test_the_real_films_padding_is_68_per_cent_and_black(ge_film):
    film, stored, breast = ge_film
    assert (~breast).mean() == pytest.approx(0.68, abs=0.005)
    assert display_pixels(film, stored, DisplaySettings())[~breast].max() == 0


def test_real_overlay_planes_do_not_show(shared_data):
    path = shared_data / "dicom/mammography/fodicom_OutOfBoundsOverlay_MG.dcm"
    assert display_film(path, DisplaySettings()).pixels.shape == (788, 1318)
