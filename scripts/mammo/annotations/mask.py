"""Lesions given as a mask: a second DICOM image, black but for the lesion."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mammo.annotations.frames import Box, check_proportions, scale_to_film
from mammo.dicom.read import read_film, size, stored_pixels
from mammo.dicom.unusable import Unusable

# Masks were made at another resolution than the film now and then, never at half or double.
LEAST_SIZE, MOST_SIZE = 0.6, 1.67


def mask_box(path: Path | str, film: tuple[int, int]) -> Box:
    """Box of the mask's largest part, half-open in the film's pixels; `film` is (width, height).

    Raises `Unusable` where the file is broken, empty or no mask of this film.
    """
    dataset = read_film(path)
    rows, columns = size(dataset)
    check_proportions("the mask", (columns, rows), film)
    box = largest_part(stored_pixels(dataset))
    return scale_to_film(box, (columns, rows), film)


def largest_part(mask: NDArray[np.integer]) -> Box:
    """Half-open box of the connected part with the largest area (not box) above the background.

    Crumbs and scratches lie about in masks; a scratch's box can be larger than the lesion's. Raises `Unusable`.
    """
    if mask.ndim != 2 or mask.min() == mask.max():
        raise Unusable("the mask is empty")
    lesion = (mask > mask.min()).astype(np.uint8)
    _, _, statistics, _ = cv2.connectedComponentsWithStats(lesion, connectivity=8)
    x, y, width, height, _ = statistics[1 + int(np.argmax(statistics[1:, cv2.CC_STAT_AREA]))]
    return (float(x), float(y), float(x + width), float(y + height))


def is_mask(path: Path | str, film: tuple[int, int]) -> bool:
    """Whether a file is a mask of the film, by its pixels: 8 bit, two values at most, about the film's size.

    Raises `Unusable` where the header says that it should be one and the pixels cannot be read.
    """
    dataset = read_film(path)
    rows, columns = size(dataset)
    shares = (columns / film[0], rows / film[1])
    if int(dataset.get("BitsAllocated", 0)) != 8 or not all(
        LEAST_SIZE <= share <= MOST_SIZE for share in shares
    ):
        return False
    pixels = stored_pixels(dataset)
    return pixels.ndim == 2 and bool(np.isin(pixels, (pixels.min(), pixels.max())).all())
