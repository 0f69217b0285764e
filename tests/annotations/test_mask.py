"""Masks: their parts, whatever else lies about; the largest alone where only one lesion is meant."""

from __future__ import annotations

import resource
from dataclasses import replace

import cv2
import numpy as np
import pytest

from mammo.annotations.mask import find, largest_part
from mammo.dicom.unusable import Unusable
from mammo.phantom.annotation_objects import film_name, mask_file, mask_png
from mammo.phantom.dicomfile import SECONDARY_CAPTURE, elements, encode, set_pixels, truncated


def lesion(height=100, width=80):
    mask = np.zeros((height, width), np.uint8)
    mask[height * 3 // 10 : height // 2, width // 4 : width // 2] = 255
    return mask


def test_the_box_is_half_open():
    assert largest_part(lesion()) == (20, 30, 40, 50)


def test_largest_is_by_area_not_by_box():
    mask = lesion()
    mask[5:95, 70] = 255
    mask[2:4, 2:4] = 255
    assert largest_part(mask) == (20, 30, 40, 50)


def found(film, settings, *masks, suffix=".dcm", frame=0):
    return [one.box for one in find(film.evidence("mask", *masks, suffix=suffix, frame=frame), settings)]


def of(film, mask):
    """A mask that names the film as its source."""
    return mask_file(mask > 0, film.name, "mask")


def test_the_largest_part_of_an_empty_mask_is_unusable():
    with pytest.raises(Unusable, match="empty"):
        largest_part(np.full((100, 80), 255, np.uint8))


def test_every_part_is_a_lesion_and_crumbs_are_none(film, settings):
    mask = lesion(320, 240)
    mask[200:230, 10:50] = 1
    mask[300:303, 200:204] = 1
    assert sorted(found(film, settings, of(film, mask))) == [(10, 200, 50, 230), (60, 96, 120, 160)]


def test_masks_one_a_lesion_may_touch(film, settings):
    right = np.zeros((320, 240), np.uint8)
    right[96:160, 120:150] = 1
    assert len(found(film, settings, of(film, lesion(320, 240)), of(film, right))) == 2


def test_a_mask_of_another_size_is_scaled_in_x_and_y_by_themselves(film, settings):
    ((x1, y1, x2, y2),) = found(film, settings, of(film, lesion(150, 120)))
    assert (x1, y1, x2, y2) == pytest.approx((60, 96, 120, 160))


def test_a_mask_as_png(film, settings):
    assert found(film, settings, mask_png(lesion(320, 240) // 255), suffix=".png") == [(60, 96, 120, 160)]


def test_smoothed_edges_are_cut_in_the_middle(film, settings):
    soft = cv2.GaussianBlur(lesion(320, 240), (5, 5), 0)
    data = cv2.imencode(".png", soft)[1].tobytes()
    assert found(film, settings, data, suffix=".png") == [(60, 96, 120, 160)]


def test_black_on_white_is_a_mask_too(film, settings):
    assert found(film, settings, of(film, 1 - lesion(320, 240) // 255)) == [(60, 96, 120, 160)]


def test_an_empty_mask_says_that_there_is_no_lesion(film, settings):
    assert found(film, settings, of(film, np.zeros((320, 240)))) == []
    assert found(film, settings) == []


def test_masks_of_other_films_and_frames_are_theirs(film, settings):
    mask = lesion(320, 240) // 255
    assert found(film, settings, mask_file(mask, film_name(240, 320, "another"), "mask")) == []
    second = mask_file(mask, replace(film.name, frames=(2,)), "mask")
    assert found(film, settings, second) == []
    assert len(found(film, settings, second, frame=1)) == 1
    assert len(found(film, settings, mask_file(mask, None, "mask"))) == 1


def test_frames_of_a_mask_are_lesions_of_a_film_that_has_one(film, settings):
    left, right = np.zeros((2, 320, 240), np.uint8)
    left[20:60, 10:60], right[20:60, 60:90] = 1, 1
    dataset = elements(Modality="MG")
    set_pixels(dataset, np.vstack([left, right]), 8, "MONOCHROME2")
    dataset.Rows, dataset.NumberOfFrames = 320, 2
    data = encode(dataset, SECONDARY_CAPTURE, "mask")
    assert found(film, settings, data) == [(10, 20, 60, 60), (60, 20, 90, 60)]


def test_one_bit_a_pixel(film, settings):
    mask = lesion(320, 240) // 255
    dataset = elements(Modality="MG", SourceImageSequence=[film.name.reference()])
    set_pixels(dataset, mask, 1, "MONOCHROME2")
    dataset.BitsAllocated = 1
    dataset.PixelData = np.packbits(mask.reshape(-1), bitorder="little").tobytes()
    assert found(film, settings, encode(dataset, SECONDARY_CAPTURE, "mask")) == [(60, 96, 120, 160)]


@pytest.mark.parametrize(
    ("data", "suffix", "reason"),
    [
        (truncated(mask_file(lesion(320, 240) // 255, None, "mask")), ".dcm", "cut off"),
        (mask_file(lesion(320, 320) // 255, None, "mask"), ".dcm", "proportions"),
        (
            cv2.imencode(".png", np.tile(np.arange(240, dtype=np.uint8), (320, 1)))[1].tobytes(),
            ".png",
            "two values",
        ),
        (b"", ".png", "empty"),
        (b"no picture at all", ".png", "DICOM"),
        (mask_png(lesion(320, 240) // 255)[:60], ".png", "read"),
        (
            mask_png(np.eye(8))[:16] + b"\0\0\xff\xff\0\0\xff\xff" + mask_png(np.eye(8))[24:],
            ".png",
            "more than",
        ),
    ],
    ids=["cut off", "proportions", "a picture", "empty", "text", "cut off PNG", "bomb"],
)
def test_what_is_no_mask_of_the_film_is_unusable(film, settings, data, suffix, reason):
    with pytest.raises(Unusable, match=reason):
        found(film, settings, data, suffix=suffix)


def test_a_png_whose_chunk_claims_gigabytes_costs_no_memory(film, settings):
    png = mask_png(lesion(320, 240) // 255)
    at = png.index(b"IDAT") - 4
    data = png[:at] + (0x7FFFFF00).to_bytes(4) + png[at + 4 :]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Unusable, match="cannot be read"):
        found(film, settings, data, suffix=".png")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000
