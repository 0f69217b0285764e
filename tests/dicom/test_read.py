"""Files as hospitals send them: read where possible, turned down with a reason where not."""

from __future__ import annotations

import contextlib
import io
import warnings

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from mammo.dicom.facts import film_facts
from mammo.dicom.read import read_film, read_header, stored_pixels
from mammo.dicom.unusable import Unusable
from mammo.phantom.dicomfile import (
    MAMMO_FOR_PRESENTATION,
    MAMMO_FOR_PROCESSING,
    elements,
    encode,
    put_invalid,
    set_pixels,
    truncated,
    without_pixels,
)

PIXELS = np.arange(48, dtype=np.uint16).reshape(6, 8) * 80

BREAST_PROJECTION_FOR_PROCESSING = "1.2.840.10008.5.1.4.1.1.13.1.5"


def film_bytes(sop_class=MAMMO_FOR_PRESENTATION, pixels=PIXELS, bits=12, photometric="MONOCHROME2", **values):
    dataset = elements(Modality="MG", **values)
    set_pixels(dataset, pixels, bits, photometric)
    put_invalid(dataset, "StudyDate", "UNKNOWN")
    return encode(dataset, sop_class, "test")


@pytest.fixture
def write(tmp_path):
    def written(data):
        path = tmp_path / "film.dcm"
        path.write_bytes(data)
        return path

    return written


def test_dates_that_say_unknown_are_read_without_a_word(write):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        film = read_film(write(film_bytes()))
        assert stored_pixels(film).tolist() == PIXELS.tolist()


def test_a_file_without_preamble_and_meta_header_is_read(write):
    dataset = elements(SOPClassUID=MAMMO_FOR_PRESENTATION, Modality="MG", StudyDate="")
    set_pixels(dataset, PIXELS, 12, "MONOCHROME2")
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, implicit_vr=True, little_endian=True)
    assert stored_pixels(read_film(write(buffer.getvalue()))).tolist() == PIXELS.tolist()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"this is a text and no image at all, whatever it is called" * 9, "DICOM"),
        (without_pixels(film_bytes()), "no pixels"),
        (film_bytes(MAMMO_FOR_PROCESSING), "For Processing"),
        (film_bytes(BREAST_PROJECTION_FOR_PROCESSING), "For Processing"),
        (film_bytes(PresentationIntentType="FOR PROCESSING"), "For Processing"),
        (film_bytes(NumberOfFrames=3), "3 frames"),
        (film_bytes(photometric="HSV"), "photometric"),
        (truncated(film_bytes(pixels=np.ones((90, 80), np.uint16))), "cut off"),
    ],
)
def test_what_is_no_film_is_turned_down_with_its_reason(write, data, reason):
    with pytest.raises(Unusable, match=reason):
        stored_pixels(read_film(write(data)))


def test_a_missing_file_is_unusable_and_no_crash(tmp_path):
    with pytest.raises(Unusable, match="cannot be read"):
        read_header(tmp_path / "absent.dcm")


def test_an_image_size_beyond_reason_is_refused_before_memory_is_taken(write):
    dataset = elements(Modality="MG")
    set_pixels(dataset, PIXELS, 12, "MONOCHROME2")
    dataset.Rows = dataset.Columns = 65535
    with pytest.raises(Unusable, match="65535x65535"):
        read_film(write(encode(dataset, MAMMO_FOR_PRESENTATION, "big")))


@pytest.mark.parametrize("length", range(0, 1400, 97))
def test_a_file_cut_anywhere_is_unusable_or_read_but_never_a_crash(write, length):
    with contextlib.suppress(Unusable):
        stored_pixels(read_film(write(film_bytes()[:length])))


def test_bits_above_those_stored_are_masked_off(write):
    overlaid = PIXELS | 0x8000
    assert stored_pixels(read_film(write(film_bytes(pixels=overlaid)))).tolist() == PIXELS.tolist()


def test_negative_values_keep_their_sign(write):
    dataset = elements(Modality="MG")
    set_pixels(dataset, (PIXELS.astype(np.int16) // 2 - 1000).astype(np.uint16) & 0x0FFF, 12, "MONOCHROME2")
    dataset.PixelRepresentation = 1
    data = encode(dataset, MAMMO_FOR_PRESENTATION, "signed")
    assert stored_pixels(read_film(write(data))).min() == -1000


def test_real_overlays_in_unused_bits_do_not_reach_the_pixels(shared_data):
    film = read_film(shared_data / "dicom/overlay/dcm4che_ovly_p01.dcm")
    assert stored_pixels(film).max() < 2**film.BitsStored


def test_side_view_and_spacing_come_from_the_real_header(shared_data):
    facts = film_facts(read_header(shared_data / "dicom/mammography/fodicom_GH133_GE_MG.dcm"))
    assert (facts.width, facts.height, facts.laterality, facts.view) == (2394, 3062, "R", "MLO")
    assert facts.pixel_mm == pytest.approx(0.0940909)


def test_calibrated_spacing_goes_before_the_detectors(shared_data):
    facts = film_facts(read_header(shared_data / "dicom/mammography/MG_Explicit_Little.dcm"))
    assert facts.pixel_mm == 0.25


def test_a_view_given_as_a_code_is_understood():
    view = Dataset()
    view.CodeValue = "R-10226"
    facts = film_facts(elements(Rows=4, Columns=4, ViewCodeSequence=[view]))
    assert facts.view == "MLO"


def test_what_the_header_does_not_say_stays_empty():
    facts = film_facts(elements(Rows=4, Columns=4, ImageLaterality="B", PixelSpacing=[0, 0]))
    assert (facts.laterality, facts.view, facts.pixel_mm) == ("", "", None)
