"""Two-valued rasters: the parts of a mask, and what is drawn into an overlay plane."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from mammo.annotations.drawn import drawn_lesions
from mammo.annotations.frames import Box, scale_to_film
from mammo.dicom.unusable import Unusable

Raster = NDArray[np.uint8]

# More than this share of the plane is a frame around everything.
MOST_OF_PLANE = 0.7
# An ellipse fills .79 of its box, a diamond .5; the hole of an R a third, of an A less.
OUTLINE_SHARE = 0.45
# Letters are no higher than so many pixels or this share of the plane; in a row they may be larger.
LETTER_PIXELS, LETTER_SHARE, ROW_SHARE = 44, 0.03, 0.04
# Letters of a row: tops and feet differ by less than this share of the height; gaps, spaces too, are below that.
ALIKE, BETWEEN = 0.25, 0.8
# A drawing has some hundred lines and letters, and their boxes together are a few planes large; a grid, a hatching, a
# picture or noise would take hours.
MOST_CONTOURS, MOST_SPREAD = 1500, 10
# Less high is dirt; more parts than that are no text.
LEAST_LETTER, MOST_LETTERS = 5, 3000
# A filled region fills its box at least so far; what fills less is lines that cross.
FILLED_SHARE = 0.4
# One that fills less than this may be a fat arrow: then twice as large a disc must fit in.
FULL_SHARE = 0.6


def parts_of_mask(mask: Raster, film: tuple[int, int], min_side: int) -> list[Box]:
    """Half-open boxes, in the film's pixels, of the connected parts of a mask (0 or not) that has the film's frame.

    `film` is (width, height); a mask of another size is scaled. Crumbs (a side below `min_side`) are dropped beside a
    larger part; a small lesion that stands alone is kept: the largest part by area.
    """
    _, _, statistics, _ = cv2.connectedComponentsWithStats((mask > 0).astype(np.uint8), connectivity=8)
    parts = statistics[1:]
    if not len(parts):
        return []
    across, down = film[0] / mask.shape[1], film[1] / mask.shape[0]
    sides = parts[:, (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT)] * (across, down)
    kept = np.flatnonzero(sides.min(axis=1) >= min_side)
    if not len(kept):
        kept = np.array([int(np.argmax(parts[:, cv2.CC_STAT_AREA]))])
    boxes = [(float(x), float(y), float(x + w), float(y + h)) for x, y, w, h, _ in parts[kept].tolist()]
    return [scale_to_film(box, (mask.shape[1], mask.shape[0]), film) for box in boxes]


def drawn_boxes(raster: Raster, close_gap: int, min_side: int) -> list[Box]:
    """Half-open boxes of the lesions drawn into a raster (0 or 1), in its pixels.

    A lesion is what lines enclose, wholly, but for gaps up to `close_gap`, or together with the raster's edge (its box
    runs along the middle of the line), or a filled region (its whole extent), of at least `min_side` in both
    directions. Crosshairs, arrows, rulers and text enclose nothing of size; `drawn` says how they are told apart. A
    frame around everything is none. A single O or D of more than a letter's height cannot be told from an outline.
    Raises `Unusable` for what is no drawing.
    """
    labels, statistics = cv2.connectedComponentsWithStats(raster, connectivity=8)[1:3]
    parts = statistics[:, [cv2.CC_STAT_LEFT, cv2.CC_STAT_TOP, cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]]
    corners = np.concatenate([parts[:, :2], parts[:, :2] + parts[:, 2:]], axis=1)
    # Pieces of a line are longer than its gaps; shorter ones (grains, dots of print) would make rings anywhere.
    short = parts[:, 2:].max(axis=1) < max(close_gap, 2)
    short[0] = True
    long = (~short)[labels].astype(np.uint8)
    spread = parts[~short, 2:].prod(axis=1, dtype=np.int64).sum()
    gaps, _ = cv2.connectedComponents(1 - long, connectivity=4)
    if gaps + np.count_nonzero(~short) > MOST_CONTOURS or spread > MOST_SPREAD * raster.size:
        raise Unusable("an overlay plane holds a picture or noise, no drawing")
    contours, hierarchy = cv2.findContours(long, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    holes = [contour for index, contour in enumerate(contours) if hierarchy[0][index][3] >= 0]
    filled = _filled(raster, labels, statistics, min_side) & ~short
    letters = _letters(corners, _enclosed_shares(holes, labels, corners), raster.shape[0]) & ~short
    lines = (~(filled | letters | short))[labels].astype(np.uint8)
    boxes = [tuple(box) for box in corners[filled & ~letters].astype(float).tolist()]
    boxes += [tuple(map(float, box)) for box in drawn_lesions(lines, lines, close_gap, min_side)]
    return [box for box in boxes if (box[2] - box[0]) * (box[3] - box[1]) <= MOST_OF_PLANE * raster.size]


def _enclosed_shares(
    holes: Sequence[NDArray[np.int32]], labels: NDArray[np.int32], corners: NDArray[np.int32]
) -> NDArray[np.float64]:
    """How much of its box the largest hole of each connected part (by label) fills, both along the line's middle.

    A hole's contour runs on the part's own pixels, one outside the hole.
    """
    shares = np.zeros(len(corners))
    for contour in holes:
        label = labels[contour[0][0][1], contour[0][0][0]]
        x, y, width, height = cv2.boundingRect(contour)
        x1, y1, x2, y2 = corners[label].tolist()
        line = max(1, min(x + 1 - x1, y + 1 - y1, x2 - x - width + 1, y2 - y - height + 1))
        grown = (width - 2 + line) * (height - 2 + line) / max(1, (width - 1) * (height - 1))
        middle = max(1, (x2 - x1 - line) * (y2 - y1 - line))
        shares[label] = max(shares[label], cv2.contourArea(contour) * grown / middle)
    return shares


def _letters(
    corners: NDArray[np.int32], enclosed: NDArray[np.float64], plane_height: int
) -> NDArray[np.bool_]:
    """Which connected parts (by label) are letters: small ones that enclose little of their box (R, A, 4), and rows.

    A row is three parts at least, alike in height and foot line, less than a letter apart, of which one encloses
    little: outlines in a row all enclose much.
    """
    sides = corners[:, 2:] - corners[:, :2]
    hollow = (enclosed > 0) & (enclosed < OUTLINE_SHARE)
    letters = hollow & (sides.max(axis=1) <= max(LETTER_PIXELS, LETTER_SHARE * plane_height))
    tall = max(LETTER_PIXELS, ROW_SHARE * plane_height)
    some = np.flatnonzero(
        (sides[:, 1] >= LEAST_LETTER) & (sides[:, 1] <= tall) & (sides[:, 0] <= 2 * sides[:, 1])
    )
    if not 3 <= len(some) <= MOST_LETTERS:
        return letters
    row_of = _rows(corners[some].astype(np.float64))
    for row in np.flatnonzero(np.bincount(row_of) >= 3):
        members = some[row_of == row]
        letters[members] |= bool((enclosed[members] < OUTLINE_SHARE).any())
    return letters


def _rows(boxes: NDArray[np.float64]) -> NDArray[np.int_]:
    """The number of the row that each box (n, 4) stands in."""
    heights = boxes[:, 3] - boxes[:, 1]
    reach = ALIKE * np.maximum(heights[:, None], heights)
    alike = (np.abs(boxes[:, None, 1] - boxes[:, 1]) <= reach) & (
        np.abs(boxes[:, None, 3] - boxes[:, 3]) <= reach
    )
    apart = boxes[None, :, 0] - boxes[:, None, 2]
    follows = alike & (apart >= -reach) & (apart <= BETWEEN * heights[:, None])
    np.fill_diagonal(follows, False)
    row_of = np.arange(len(boxes))
    for first, second in np.argwhere(follows).tolist():
        if row_of[first] != row_of[second]:
            row_of[row_of == row_of[second]] = row_of[first]
    return row_of


def _filled(
    raster: Raster, labels: NDArray[np.int32], statistics: NDArray[np.int32], min_side: int
) -> NDArray[np.bool_]:
    """Which connected parts (by label) are filled regions: a disc of `min_side` fits in, as into no line."""
    sides = statistics[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]]
    share = statistics[:, cv2.CC_STAT_AREA] / np.maximum(sides.prod(axis=1, dtype=np.int64), 1)
    filled = (sides.min(axis=1) >= min_side) & (share >= FILLED_SHARE)
    filled[0] = False
    if filled.any():
        framed = cv2.copyMakeBorder(raster, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        depth = cv2.distanceTransform(framed, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
        deepest = np.zeros(len(statistics), np.float32)
        np.maximum.at(deepest, labels[raster > 0], depth[raster > 0])
        # The depth of a disc of n pixels across is about (n + 1) / 2.
        filled &= 2 * deepest >= np.where(share >= FULL_SHARE, 1, 2) * min_side
    return filled
