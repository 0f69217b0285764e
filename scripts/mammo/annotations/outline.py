"""Lesions outlined in colour in a picture of the film.

JPEG halves the colour's resolution and blurs it, so no exact colour survives; what does is that the film is grey.
A pixel belongs to a line when it is far enough from grey and its hue is one of the readers'. All of this happens in
the picture's own pixels: resized first, a thin line would be gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mammo.annotations.frames import Box
from mammo.dicom.unusable import Unusable
from mammo.settings import OutlineSettings

Mask = NDArray[np.uint8]

# Hue in degrees and how far from it a pixel may lie. Dark red is red of less brightness: JPEG makes the one the other.
HUES = {
    "red": (0, 30), "dark_red": (0, 30), "yellow": (60, 25), "green": (120, 40), "cyan": (180, 25), "blue": (240, 35),
    "magenta": (300, 30),
}  # fmt: skip
# A line's faint edges count as far as they touch its core: this share of min_chroma.
FAINT = 0.6
# A line ends where its colour has fallen to half; its course can be followed through paler places.
HALF, TRACE = 0.5, 0.25
# As far as JPEG smears a line's colour: a block of its grid.
BLOCK = 8
# Lines that touch make two holes of comparable size; a loop drawn twice makes slivers.
TWIN_HOLE_SHARE = 0.25


def read_picture(path: Path | str) -> NDArray[np.uint8]:
    """A colour picture as (height, width, 3) BGR, not turned by what its EXIF says. Raises `Unusable`."""
    try:
        data = np.frombuffer(Path(path).read_bytes(), np.uint8)
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION) if len(data) else None
    except (OSError, cv2.error) as error:
        raise Unusable(f"the picture with the outline cannot be read ({type(error).__name__})") from error
    if picture is None:
        raise Unusable("the picture with the outline cannot be read")
    return picture


def find_outlines(picture: NDArray[np.uint8], settings: OutlineSettings) -> list[Box]:
    """Boxes of the outlined lesions, half-open in the picture's pixels, around the middle of the line.

    Gaps are closed to find out which lines belong together; boxes are measured on the lines as they are. Lesions
    inside an outline belong to it. Top to bottom; nothing found: an empty list.
    """
    colour = _chroma(picture)
    left, top, right, bottom = _coloured_part(colour, settings)
    picture, colour = picture[top:bottom, left:right], colour[top:bottom, left:right]
    lines = line_mask(picture, colour, settings, HALF)
    closed = _close_gaps(line_mask(picture, colour, settings, TRACE), settings.close_gap)
    contours, hierarchy = cv2.findContours(closed, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    boxes: list[Box] = []
    for index, contour in enumerate(contours):
        if hierarchy[0][index][3] < 0 and min(cv2.boundingRect(contour)[2:]) >= settings.min_side:
            holes = _holes(contours, hierarchy[0], index)
            boxes += _boxes_of(contour, lines, holes, settings.min_side)
    moved = [(x1 + left, y1 + top, x2 + left, y2 + top) for x1, y1, x2, y2 in _outermost(boxes)]
    return sorted(moved, key=lambda box: (box[1], box[0], box[3], box[2]))


def _chroma(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Distance from grey of each pixel: largest minus smallest of its three values."""
    blue, green, red = cv2.split(picture)
    return cv2.max(cv2.max(blue, green), red) - cv2.min(cv2.min(blue, green), red)


def _coloured_part(chroma: NDArray[np.uint8], settings: OutlineSettings) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the part with all colour in it and room around it: the rest need not be searched."""
    height, width = chroma.shape
    coloured = (chroma >= settings.min_chroma).astype(np.uint8)
    x, y, across, down = cv2.boundingRect(coloured)
    room = 2 * BLOCK + settings.close_gap + settings.min_side
    if not across:
        return (0, 0, min(1, width), min(1, height))
    return (max(0, x - room), max(0, y - room), min(width, x + across + room), min(height, y + down + room))


def line_mask(
    picture: NDArray[np.uint8], chroma: NDArray[np.uint8], settings: OutlineSettings, share: float
) -> Mask:
    """Pixels of coloured lines, 0 or 1, (height, width): those with `share` of the most colour near them."""
    coloured = np.zeros(chroma.shape, np.uint8)
    peak = cv2.dilate(chroma, np.ones((2 * BLOCK + 1, 2 * BLOCK + 1), np.uint8))
    edge = np.maximum(settings.min_chroma * FAINT, peak * share)
    rows, columns = np.nonzero(chroma >= edge)
    hues = _hue(picture[rows, columns].astype(np.float32), chroma[rows, columns].astype(np.float32))
    wanted = np.zeros(len(hues), bool)
    for hue, reach in {HUES[colour] for colour in settings.colours}:
        wanted |= np.abs((hues - hue + 180) % 360 - 180) <= reach
    coloured[rows[wanted], columns[wanted]] = 1
    return _touching(coloured, (chroma >= settings.min_chroma) & (coloured > 0))


def _hue(pixels: NDArray[np.float32], chroma: NDArray[np.float32]) -> NDArray[np.float32]:
    """Hue in degrees of (n, 3) BGR pixels that are not grey (the hexagon of HSV)."""
    blue, green, red = pixels.T
    top = pixels.max(axis=1)
    sector = np.where(top == red, (green - blue) / chroma, 0)
    sector = np.where((top == green) & (top != red), (blue - red) / chroma + 2, sector)
    sector = np.where((top == blue) & (top != red) & (top != green), (red - green) / chroma + 4, sector)
    return sector * 60


def _touching(mask: Mask, cores: NDArray[np.bool_]) -> Mask:
    """The connected parts of a mask that hold a core pixel."""
    _, labels = cv2.connectedComponents(mask, connectivity=8)
    kept = np.zeros(int(labels.max()) + 1, np.uint8)
    kept[labels[cores]] = 1
    kept[0] = 0
    return kept[labels]


def _close_gaps(lines: Mask, gap: int) -> Mask:
    """Join the ends of a line across gaps up to `gap` pixels without making the line wider elsewhere."""
    if gap == 0:
        return lines
    # A disc of this diameter, grown from both ends, bridges the gap; a border keeps lines at the edge whole.
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (gap + 1 | 1, gap + 1 | 1))
    framed = cv2.copyMakeBorder(lines, gap, gap, gap, gap, cv2.BORDER_CONSTANT, value=0)
    closed = cv2.morphologyEx(framed, cv2.MORPH_CLOSE, disc)[gap:-gap, gap:-gap]
    return np.ascontiguousarray(closed)


def _holes(contours: Sequence, hierarchy: NDArray[np.int32], outer: int) -> list[Box]:
    """Half-open boxes of the holes inside an external contour, those of comparable size only."""
    found = []
    child = hierarchy[outer][2]
    while child >= 0:
        # A hole's contour runs on the line's pixels, one outside the hole.
        x, y, width, height = cv2.boundingRect(contours[child])
        found.append(
            (cv2.contourArea(contours[child]), (x + 1.0, y + 1.0, x + width - 1.0, y + height - 1.0))
        )
        child = hierarchy[child][0]
    largest = max((area for area, _ in found), default=0)
    return [box for area, box in found if area > 0 and area >= TWIN_HOLE_SHARE * largest]


def _boxes_of(contour: NDArray[np.int32], lines: Mask, holes: list[Box], min_side: int) -> list[Box]:
    """The lesions of one connected drawing: usually one, more where closed outlines touch."""
    x, y, width, height = cv2.boundingRect(contour)
    drawing = np.zeros((height, width), np.uint8)
    cv2.drawContours(drawing, [contour], 0, 1, cv2.FILLED, offset=(-x, -y))
    drawing &= lines[y : y + height, x : x + width]
    if not drawing.any():
        # Too pale beside another drawing's colour: its shadow, not a line.
        return []
    line = line_width(drawing)
    lesions = _outermost([hole for hole in holes if min(hole[2] - hole[0], hole[3] - hole[1]) >= min_side])
    if len(lesions) > 1:
        # The pixel in the middle of the line is the lesion's last one, as it is for a line of one pixel.
        grown = (line + 1) / 2
        return [(x1 - grown, y1 - grown, x2 + grown, y2 + grown) for x1, y1, x2, y2 in lesions]
    left, top, across, down = cv2.boundingRect(drawing)
    outer = (x + left, y + top, x + left + across, y + top + down)
    shrunk = min((line - 1) / 2, across / 4, down / 4)
    return [_shrunk(outer, shrunk, lines.shape)]


def _shrunk(box: tuple[int, int, int, int], by: float, shape: tuple[int, ...]) -> Box:
    """The box smaller by `by` on each side but those at the picture's edge, where the line's middle may lie outside."""
    x1, y1, x2, y2 = map(float, box)
    return (
        x1 + by if x1 > 0 else 0.0,
        y1 + by if y1 > 0 else 0.0,
        x2 - by if x2 < shape[1] else float(x2),
        y2 - by if y2 < shape[0] else float(y2),
    )


def line_width(lines: Mask) -> float:
    """Mean width in pixels of the lines of a mask, at least 1.

    Area over half the length of the edge; pixel edges exceed a curve's length by 4/π where it runs in all directions
    alike (Cauchy-Crofton).
    """
    framed = cv2.copyMakeBorder(lines, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    edges = np.count_nonzero(np.diff(framed, axis=0)) + np.count_nonzero(np.diff(framed, axis=1))
    return max(1.0, 2 * int(lines.sum()) / (edges * np.pi / 4)) if edges else 1.0


def _outermost(boxes: list[Box]) -> list[Box]:
    """Boxes that do not lie inside another one; of equal boxes the first."""
    return [
        box
        for index, box in enumerate(boxes)
        if not any(
            _inside(box, other) and (box != other or place < index)
            for place, other in enumerate(boxes)
            if place != index
        )
    ]


def _inside(box: Box, other: Box) -> bool:
    return box[0] >= other[0] and box[1] >= other[1] and box[2] <= other[2] and box[3] <= other[3]
