"""Two-valued rasters: the parts of a mask, and the outlines drawn into an overlay plane."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mammo.annotations.frames import Box, scale_to_film

Raster = NDArray[np.uint8]

# A drawing is an outline when what it encloses fills at least this share of its box: an ellipse fills 0.79, a diamond
# 0.5, the hole of an R or an A a fifth. Once gaps were closed, words have holes too, so more is asked for.
ENCLOSED_SHARE, CLOSED_SHARE = 0.3, 0.4
# Holes smaller than this share of a drawing's largest one lie between the turns of a line drawn twice.
TWIN_HOLE_SHARE = 0.25
# One outline that lines divide (a target's cross, a ruler) is as good as convex; outlines that touch are not.
CONVEX_SHARE = 0.9
# A filled region fills its box at least so far.
FILLED_SHARE = 0.4
# Letters beside each other: heights, tops and feet differ by less than this share of the height, gaps are below that.
GLYPH_REACH, GLYPH_GAP = 0.25, 0.6
# More than this share of the plane is a frame around the film, or lies between rulers that run to its edges.
MOST_OF_PLANE, MOST_CUT_OFF = 0.7, 0.2


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


@dataclass(frozen=True)
class Drawing:
    """A connected drawing: its pixels' half-open box, its holes as (area, box), the area of its outer edge and of the
    convex hull around it, and one of its pixels (x, y)."""

    box: Box
    holes: tuple[tuple[float, Box], ...]
    area: float
    hull: float
    pixel: tuple[int, int]

    @property
    def sides(self) -> tuple[float, float]:
        """Width and height."""
        return (self.box[2] - self.box[0], self.box[3] - self.box[1])


def drawn_boxes(raster: Raster, close_gap: int, min_side: int, cut: bool = True) -> list[Box]:
    """Half-open boxes of the lesions drawn into a raster (0 or 1), in its pixels.

    A lesion is a closed outline (its box runs along the middle of the line) or a filled region (its whole extent) of
    at least `min_side` in both directions; outlines inside one another and outlines that touch are lesions each. Lines
    that enclose nothing (crosshairs, arrows, rulers), letters and a frame around everything are none. An outline may
    have gaps up to `close_gap`; where the raster's edge may `cut` it, the edge closes it. A closed letter is told from
    an outline by an open letter of its height beside it, so a single O standing alone is not.
    """
    if not raster.any():
        return []
    labels = cv2.connectedComponents(raster, connectivity=8)[1]
    drawings = _drawings(raster)
    closed = [index for index, one in enumerate(drawings) if _is_outline(one, min_side, ENCLOSED_SHARE)]
    filled = _filled(raster, labels, drawings, min_side)
    letters = _letters(drawings, {*closed, *filled})
    boxes = [box for index in closed if index not in letters for box in _lesions(drawings[index], min_side)]
    boxes += [drawings[index].box for index in sorted(filled - letters - {*closed})]
    used = np.ones(int(labels.max()) + 1, np.uint8)
    used[[0, *(labels[drawings[index].pixel[::-1]] for index in {*closed, *filled})]] = 0
    boxes += _boxes_with_gaps(used[labels], close_gap, min_side)
    found = _up_to(boxes, MOST_OF_PLANE * raster.size)
    if cut:
        known = set(boxes)
        cut_off = _boxes_with_gaps(used[labels], close_gap, min_side, cut)
        found += _up_to([box for box in cut_off if box not in known], MOST_CUT_OFF * raster.size)
    return found


def _up_to(boxes: list[Box], area: float) -> list[Box]:
    return [box for box in boxes if (box[2] - box[0]) * (box[3] - box[1]) <= area]


def _drawings(raster: Raster) -> list[Drawing]:
    """The connected drawings of a raster; the work grows with the length of their edges, not with their boxes."""
    framed = cv2.copyMakeBorder(raster, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    contours, hierarchy = cv2.findContours(framed, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE, offset=(-1, -1))
    holes: dict[int, list[tuple[float, Box]]] = {}
    for index, contour in enumerate(contours):
        parent = int(hierarchy[0][index][3])
        if parent >= 0:
            # A hole's contour runs on the line's pixels, one outside the hole.
            x, y, width, height = cv2.boundingRect(contour)
            box = (x + 1.0, y + 1.0, x + width - 1.0, y + height - 1.0)
            holes.setdefault(parent, []).append((cv2.contourArea(contour), box))
    drawings = []
    for index, contour in enumerate(contours):
        if hierarchy[0][index][3] < 0:
            x, y, width, height = cv2.boundingRect(contour)
            box = (float(x), float(y), float(x + width), float(y + height))
            hull = cv2.contourArea(cv2.convexHull(contour))
            area = cv2.contourArea(contour)
            pixel = (int(contour[0][0][0]), int(contour[0][0][1]))
            drawings.append(Drawing(box, tuple(holes.get(index, ())), area, hull, pixel))
    return drawings


def _large_holes(drawing: Drawing) -> list[tuple[float, Box]]:
    largest = max((hole[0] for hole in drawing.holes), default=0)
    return [hole for hole in drawing.holes if hole[0] > 0 and hole[0] >= TWIN_HOLE_SHARE * largest]


def _is_outline(drawing: Drawing, min_side: int, share: float, reach: int = 0) -> bool:
    """Whether a drawing encloses enough to be an outline: `share` of its box. Its lines were widened by `reach`."""
    width, height = (side - 2 * reach for side in drawing.sides)
    enclosed = 0.0
    for area, (x1, y1, x2, y2) in _large_holes(drawing):
        across, down = x2 - x1, y2 - y1
        enclosed += area / (across * down) * (across + 2 * reach) * (down + 2 * reach)
    return min(width, height) >= min_side and enclosed >= share * width * height


def _lesions(drawing: Drawing, min_side: int) -> list[Box]:
    """The lesions of an outline, along the middle of its line: several where outlines touch."""
    holes = [box for _, box in _large_holes(drawing)]
    x1, y1, x2, y2 = drawing.box
    left, top = min(box[0] for box in holes), min(box[1] for box in holes)
    right, bottom = max(box[2] for box in holes), max(box[3] for box in holes)
    # A line that leads away from the outline makes one side look thick, the raster's edge one or two look thin.
    line = max(1.0, sorted((left - x1, top - y1, x2 - right, y2 - bottom))[-2])
    if len(holes) > 1 and drawing.area >= CONVEX_SHARE * drawing.hull:
        holes = [(left, top, right, bottom)]
    # The pixel in the middle of the line is the lesion's last one, as it is for a line of one pixel.
    grown = (line + 1) / 2
    boxes = [(a - grown, b - grown, c + grown, d + grown) for a, b, c, d in holes]
    return [box for box in boxes if min(box[2] - box[0], box[3] - box[1]) >= min_side]


def _filled(raster: Raster, labels: NDArray[np.int32], drawings: list[Drawing], min_side: int) -> set[int]:
    """Which drawings are filled regions: a disc of `min_side` fits in, as into no line."""
    large = [index for index, one in enumerate(drawings) if min(one.sides) >= min_side]
    if not large:
        return set()
    framed = cv2.copyMakeBorder(raster, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    depth = cv2.distanceTransform(framed, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    deepest = np.zeros(int(labels.max()) + 1, np.float32)
    drawn = raster > 0
    np.maximum.at(deepest, labels[drawn], depth[drawn])
    found = set()
    for index in large:
        one = drawings[index]
        inked = one.area - sum(hole[0] for hole in one.holes)
        # The depth of a disc of n pixels across is about (n + 1) / 2.
        if 2 * deepest[labels[one.pixel[::-1]]] - 1 >= min_side - 1 and inked >= FILLED_SHARE * np.prod(
            one.sides
        ):
            found.add(index)
    return found


def _letters(drawings: list[Drawing], closed: set[int]) -> set[int]:
    """Which closed drawings stand in a row of letters: beside an open one of their height, or beside such a one."""
    boxes = np.array([one.box for one in drawings])
    heights = boxes[:, 3] - boxes[:, 1]
    known = {index for index in range(len(drawings)) if index not in closed and heights[index] >= 5}
    letters: set[int] = set()
    left = sorted(closed)
    while left:
        found = []
        others = sorted(known)
        for index in left:
            reach = GLYPH_REACH * heights[index]
            near = boxes[others]
            beside = np.maximum(near[:, 0] - boxes[index, 2], boxes[index, 0] - near[:, 2])
            alike = np.abs(near[:, (1, 3)] - boxes[index, (1, 3)]).max(axis=1, initial=0) <= reach
            if others and bool((alike & (beside >= 0) & (beside <= GLYPH_GAP * heights[index])).any()):
                found.append(index)
        letters.update(found)
        known, left = set(found), [index for index in left if index not in letters]
        if not found:
            break
    return letters


def _boxes_with_gaps(raster: Raster, gap: int, min_side: int, cut: bool = False) -> list[Box]:
    """Lesions of outlines with gaps, and of those `cut` by the raster's edge.

    Pieces of a line are longer than its gaps; shorter ones (grains, dots of print) would make rings anywhere.
    """
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(raster, connectivity=8)
    long = statistics[:, (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT)].max(axis=1) >= max(gap, 2)
    long[0] = False
    if not long.any():
        return []
    raster = long.astype(np.uint8)[labels]
    height, width = raster.shape
    # Lines as wide as the gap on either side meet across it; their middle stays where it was.
    reach = (gap + 1) // 2
    room = reach + 2
    inside = np.s_[room:-room, room:-room]
    framed = cv2.copyMakeBorder(raster, room, room, room, room, cv2.BORDER_CONSTANT, value=0)
    framed = cv2.dilate(framed, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)))
    if cut:
        clipped = np.zeros_like(framed)
        clipped[inside] = framed[inside]
        framed = clipped
        _join_at_edges(framed, room)
    boxes = []
    for one in _drawings(framed):
        if _is_outline(one, min_side, CLOSED_SHARE, reach):
            for x1, y1, x2, y2 in _lesions(one, min_side):
                moved = (
                    max(0.0, x1 - room),
                    max(0.0, y1 - room),
                    min(width, x2 - room),
                    min(height, y2 - room),
                )
                boxes.append(tuple(map(float, moved)))
    return boxes


def _join_at_edges(framed: Raster, room: int) -> None:
    """Close outlines that leave the raster: the edge joins where they leave it. `room` is the border around it."""
    for drawing in _drawings(framed):
        x1, y1, x2, y2 = map(int, drawing.box)
        height, width = framed.shape
        ends = (x1 == room, y1 == room, x2 == width - room, y2 == height - room)
        if not any(ends):
            continue
        patch = framed[y1:y2, x1:x2]
        # Other drawings in the box may touch the same edge; then this one's line is longer than it need be.
        columns = [np.flatnonzero(patch[row]) for row in (0, -1)]
        rows = [np.flatnonzero(patch[:, column]) for column in (0, -1)]
        if ends[1] and len(columns[0]):
            _line(framed, y1 - 1, (x1 + columns[0][0], x1 + columns[0][-1]), ends[0], ends[2], room, False)
        if ends[3] and len(columns[1]):
            _line(framed, y2, (x1 + columns[1][0], x1 + columns[1][-1]), ends[0], ends[2], room, False)
        if ends[0] and len(rows[0]):
            _line(framed, x1 - 1, (y1 + rows[0][0], y1 + rows[0][-1]), ends[1], ends[3], room, True)
        if ends[2] and len(rows[1]):
            _line(framed, x2, (y1 + rows[1][0], y1 + rows[1][-1]), ends[1], ends[3], room, True)


def _line(
    framed: Raster, at: int, span: tuple[int, int], from_start: bool, to_end: bool, room: int, upright: bool
) -> None:
    """Draw along an edge, just outside the raster, as far as the corner where the drawing reaches the next edge."""
    length = framed.shape[0 if upright else 1]
    first = room - 1 if from_start else span[0]
    last = length - room if to_end else span[1]
    if upright:
        framed[first : last + 1, at] = 1
    else:
        framed[at, first : last + 1] = 1
