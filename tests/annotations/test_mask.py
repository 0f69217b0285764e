"""Masks: the largest part, whatever else lies about."""

from __future__ import annotations

import numpy as np
import pytest

from mammo.annotations.mask import is_mask, largest_part, mask_box
from mammo.dicom.unusable import Unusable
from mammo.phantom.dicomfile import SECONDARY_CAPTURE, elements, encode, set_pixels, truncated


@pytest.fixture
def write(tmp_path):
    def written(pixels, bits=8, damage=lambda data: data):
        dataset = elements(Modality="MG")
        set_pixels(dataset, pixels, bits, "MONOCHROME2")
        path = tmp_path / "mask.dcm"
        path.write_bytes(damage(encode(dataset, SECONDARY_CAPTURE, "mask")))
        return path

    return written


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


def test_a_mask_of_another_size_is_scaled_in_x_and_y_by_themselves(write):
    assert mask_box(write(lesion()), (160, 220)) == (40, 66, 80, pytest.approx(110))


@pytest.mark.parametrize("value", [0, 255])
def test_an_empty_mask_is_unusable(write, value):
    with pytest.raises(Unusable, match="empty"):
        mask_box(write(np.full((100, 80), value, np.uint8)), (80, 100))


def test_a_broken_mask_is_unusable(write):
    with pytest.raises(Unusable, match="cut off"):
        mask_box(write(lesion(), damage=truncated), (80, 100))


def test_pixels_tell_mask_from_crop(write):
    assert is_mask(write(lesion()), (85, 110))
    assert not is_mask(write(lesion().astype(np.uint16) * 200, bits=16), (80, 100))
    assert not is_mask(write(lesion(20, 16)), (80, 100))
    assert not is_mask(write(np.arange(8000, dtype=np.uint16).reshape(100, 80).astype(np.uint8)), (80, 100))
