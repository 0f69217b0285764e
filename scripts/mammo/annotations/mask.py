"""Lesions given as a mask: a second image, DICOM or PNG, of one value but for the lesion."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mammo.annotations.elements import film_uid, refers_to
from mammo.annotations.finding import Evidence, Finding
from mammo.annotations.frames import Box, check_proportions
from mammo.annotations.graphics import on_film
from mammo.annotations.rasters import parts_of_mask
from mammo.dicom.elements import items, text
from mammo.dicom.picture import checked_bytes, is_picture
from mammo.dicom.read import MAX_PIXELS, frames, read_header, read_object, size, stored_pixels, tolerant
from mammo.dicom.unusable import Unusable
from mammo.settings import AnnotationSettings

# Masks were made at another resolution than the film now and then, never at half or double.
LEAST_SIZE, MOST_SIZE = 0.6, 1.67
# Smoothing and JPEG leave values between the two along the edges: this share of the lesion's and the image's pixels.
BETWEEN_OF_LESION, BETWEEN_OF_ALL = 0.5, 0.02


def find(evidence: Evidence, settings: AnnotationSettings) -> list[Finding]:
    """The connected parts of each mask of the film, scaled to it; an empty mask says that there is no lesion.

    Masks that name other films or frames as their source are left out. Crumbs are dropped beside a larger part. Raises
    `Unusable` where a mask is broken, or has more than two values, or other proportions than the film.
    """
    paths = evidence.of("mask")
    uid = film_uid(evidence.film) if paths else ""
    boxes = []
    for path in paths:
        for pixels in _rasters(path, uid, evidence):
            check_proportions("the mask", (pixels.shape[1], pixels.shape[0]), evidence.size)
            boxes += parts_of_mask(two_valued(pixels), evidence.size, settings.marks.min_side)
    return on_film([Finding(box, "mask") for box in boxes], evidence.size)


def two_valued(pixels: NDArray[np.integer]) -> NDArray[np.uint8]:
    """A mask (rows, columns) as 0 and 1; 0 is the value that the image's border has. Raises `Unusable`.

    Values between the two are cut in the middle; an image with many of them is no mask.
    """
    low, high = int(pixels.min()), int(pixels.max())
    if low == high:
        return np.zeros(pixels.shape, np.uint8)
    bright = pixels.astype(np.int32) * 2 > low + high
    margin = (high - low) / 8
    between = np.count_nonzero((pixels > low + margin) & (pixels < high - margin))
    border = np.concatenate([bright[0], bright[-1], bright[:, 0], bright[:, -1]])
    lesion = ~bright if border.mean() > 0.5 else bright
    if between > BETWEEN_OF_ALL * pixels.size or between > BETWEEN_OF_LESION * np.count_nonzero(lesion):
        raise Unusable("the mask has more than two values")
    return lesion.astype(np.uint8)


def _rasters(path: Path, uid: str, evidence: Evidence) -> list[NDArray[np.integer]]:
    """The rasters (rows, columns) of a mask that lie on the film's frame; none where it belongs to another film."""
    if is_picture(path):
        return [_picture(path)]
    mask = read_object(path)
    with tolerant():
        sources = items(mask, "SourceImageSequence") + items(mask, "ReferencedImageSequence")
        named = [source for source in sources if text(source, "ReferencedSOPInstanceUID")]
        if uid and named and not any(refers_to(source, uid, evidence.frame) for source in named):
            return []
        rows, columns = size(mask)
        if rows * columns > MAX_PIXELS:
            raise Unusable(f"a mask of {columns}x{rows} pixels is more than any film has")
        places = _frames_on(frames(mask), evidence)
    return [_grey(stored_pixels(mask, place)) for place in places]


def _grey(pixels: NDArray[np.integer]) -> NDArray[np.integer]:
    return pixels if pixels.ndim == 2 else pixels.max(axis=2)


def _frames_on(count: int, evidence: Evidence) -> list[int]:
    """Which of a mask's frames lie on the film's: its only one, the one of the same number, or all on a single film."""
    if count == 1:
        return [0]
    of_film = frames(read_header(evidence.film, ["NumberOfFrames", "SOPInstanceUID"]))
    if of_film == count:
        return [evidence.frame]
    if of_film != 1:
        raise Unusable(f"a mask of {count} frames for a film of {of_film}")
    return list(range(count))


def _picture(path: Path) -> NDArray[np.integer]:
    """The picture as grey, decoded only where it is whole and no larger than a film."""
    kind = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(np.frombuffer(checked_bytes(path), np.uint8), kind)
    except Unusable as reason:
        raise Unusable(f"the mask cannot be read: {reason}") from reason
    except cv2.error as error:
        raise Unusable(f"the mask cannot be read ({type(error).__name__})") from error
    if pixels is None:
        raise Unusable("the mask cannot be read")
    return pixels


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
