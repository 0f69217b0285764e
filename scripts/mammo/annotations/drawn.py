"""Lesions in a drawing: which of its lines go round something, and where.

A lesion is a region that a line encloses, wholly or but for gaps: text, arrows and rulers enclose nothing of size. The
picture's edge encloses as a line does. What is measured is the region, from within, so that whatever is drawn
near the line or joined to it from outside does not move the box.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from mammo.annotations.frames import Box
from mammo.dicom.unusable import Unusable

# 0 or 1, (height, width).
Mask = NDArray[np.uint8]
Window = tuple[int, int, int, int]

# A drawing has some hundred lines and letters; those that come near one another enclose some dozen regions.
MOST_PIECES, MOST_REGIONS = 3000, 150
# A box of which both sides are nearly the picture's is a frame round it.
FRAME_SHARE = 0.9
# Of a region that is cut off by the picture's edge at most this share of its rim lies there; a corner has .59.
EDGE_SHARE = 0.65
# As far into a corner as a region is followed, in pixels.
MOST_STEPS = 60
# So much of what lies beyond a line is the same region as within: the line is an outline inside another one.
# It is clearly smaller than that one.
AROUND_SHARE, NESTED_SHARE = 0.8, 0.5
# Of the lines that close a small region with gaps, at least this share lies beside it.
OWN_INK = 0.75
# Of a region's rim at most this share may be gaps.
GAP_SHARE = 0.35
# A region that overlaps one already found by more than this share is the same, with its gaps closed.
SAME_SHARE = 0.3
# Narrower than this share of its length, a region lies between two strokes of one line, or is the lens of two outlines.
SLIVER_SHARE = 0.12
# Two strokes that meet in a corner look up to so much thicker than one; what is thicker has something joined to it.
CORNER = 1.5
# What is narrower than this share of the line round it was not meant to be seen.
STROKE_SHARE = 0.8
# Boxes that overlap by more belong to a line drawn twice.
TWICE_IOU = 0.5
# Where two outlines cross, what they share looks outside but at its two ends.
OUTSIDE_SHARE, CONVEX = 0.25, 0.85
# Of what lies across a region's line at least this share is a neighbour that counts.
BESIDE_SHARE = 0.08
# Pockets beside an outline: much smaller than it, or hollow.
POCKET_SHARE, CLOSED_POCKET_SHARE, HOLLOW = 0.01, 0.1, 0.55
# Letters stand in a row: alike in height and place, less than a letter's height apart.
LETTER_PIXELS, LETTER_SHARE = 44, 0.03
# A painted shape: thicker than any pen, rounder than an arrowhead, less square than a plate, and all in one piece.
PAINTED, ROUND, SQUARE, WHOLE = 24, 0.62, 0.95, 0.9
# A line that goes round all but this many degrees of its middle is an outline, if it is larger than letters.
OPEN_DEGREES = 50


@dataclass(frozen=True)
class _Face:
    """A region enclosed by lines, in the pixels of its part of the picture.

    `region` has the part's shape; `inner` is its half-open box; `line` the width of the line round it; `thickness`
    the diameter of the largest disc inside; `gap` the gap that was closed for it; `box` runs round the middle of the
    line; so does `tight`, but where the line looks thick it is taken for two.
    """

    region: Mask = field(repr=False)
    inner: Window
    area: int
    gap: int
    line: float
    thickness: float
    solidity: float
    box: Box
    tight: Box


@dataclass(frozen=True)
class _Part:
    """A part of the picture that holds one drawing: its lines, firm and traced, and which sides are the picture's."""

    window: Window
    lines: Mask = field(repr=False)
    trace: Mask = field(repr=False)
    edges: tuple[bool, bool, bool, bool]


def drawn_lesions(
    lines: Mask, trace: Mask, close_gap: int, min_side: int, picture: tuple[int, int] | None = None
) -> list[Box]:
    """Boxes of what the lines enclose, half-open in the masks' pixels, around the middle of the line.

    `lines` are the pixels of the lines, `trace` the same with paler ones along which a line goes on; `picture` is
    (height, width) of the whole picture where the masks are a part of it. Gaps up to `close_gap` pixels are closed;
    boxes with a side below `min_side` are dropped. Of nested outlines each is a lesion, unless the boxes nearly agree
    (a line drawn twice). Sorted from top to bottom, then from left to right. Raises `Unusable` for what is no drawing:
    noise and photographs would take hours.
    """
    shape = lines.shape if picture is None else picture
    trace = np.maximum(lines, trace)
    glyphs, pieces = _components(lines), _components(trace)
    if max(len(glyphs), len(pieces)) > MOST_PIECES:
        raise Unusable(f"more than {MOST_PIECES} separate lines are no drawing")
    found: list[Box] = []
    for part in _parts(lines, trace, pieces, close_gap + 3):
        boxes = _without_letters(_enclosed(part, close_gap, min_side, shape), part, glyphs, lines, shape)
        left, top = part.window[:2]
        found += [
            (float(x1 + left), float(y1 + top), float(x2 + left), float(y2 + top)) for x1, y1, x2, y2 in boxes
        ]
    return sorted(found, key=lambda box: (box[1], box[0], box[3], box[2]))


def connected_to(mask: Mask, cores: NDArray[np.bool_]) -> Mask:
    """The connected parts of a mask (8-neighbourhood) that hold a core pixel."""
    _, labels = cv2.connectedComponents(mask, connectivity=8)
    kept = np.zeros(int(labels.max(initial=0)) + 1, np.uint8)
    kept[labels[cores]] = 1
    kept[0] = 0
    return kept[labels]


# --- parts --------------------------------------------------------------------------------------------------------


def _components(mask: Mask) -> NDArray[np.int32]:
    """Half-open boxes (n, 4) of a mask's connected parts, 8-neighbourhood."""
    _, _, statistics, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    boxes = statistics[1:, :4].copy()
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def _parts(lines: Mask, trace: Mask, boxes: NDArray[np.int32], room: int) -> Iterator[_Part]:
    """The picture cut into parts with all lines that come within `room` of one another, `room` around them."""
    height, width = lines.shape
    count = -1
    while len(boxes) != count:
        count = len(boxes)
        ground = np.zeros((height, width), np.uint8)
        for x1, y1, x2, y2 in boxes:
            ground[max(0, y1 - room) : y2 + room, max(0, x1 - room) : x2 + room] = 1
        boxes = _components(ground)
        room = 0
    for x1, y1, x2, y2 in boxes.tolist():
        cut = np.s_[y1:y2, x1:x2]
        edges = (x1 == 0, y1 == 0, x2 == width, y2 == height)
        yield _Part((x1, y1, x2, y2), lines[cut], trace[cut], edges)


def _enclosed(part: _Part, close_gap: int, min_side: int, shape: tuple[int, ...]) -> list[Box]:
    """Boxes of a part's lesions in the part's pixels."""
    faces = [
        face
        for face in _faces(part, close_gap, shape)
        if min(face.box[2] - face.box[0], face.box[3] - face.box[1]) >= min(min_side, 4 + min_side / 4)
    ]
    boxes = _sorted_out(faces, part)
    boxes = [box for box in boxes if min(box[2] - box[0], box[3] - box[1]) >= min_side]
    boxes += _painted(part, boxes, min_side)
    if not boxes:
        boxes = _nearly_closed(part, max(2 * min_side, _letter_height(shape)), shape)
    return boxes


# --- regions ------------------------------------------------------------------------------------------------------


def _faces(part: _Part, close_gap: int, shape: tuple[int, ...]) -> list[_Face]:
    """What the lines enclose as they are, then what they enclose once wider and wider gaps are closed."""
    found: list[_Face] = []
    taken = np.zeros(part.lines.shape, np.uint8)
    gaps = sorted({0, *(round(close_gap * share) for share in (1 / 3, 2 / 3, 1))})
    for gap, wall in [(0, part.lines), *((gap, part.trace) for gap in gaps)]:
        for region, area in _regions(wall, gap, part, shape):
            if int((taken & region).sum()) > SAME_SHARE * area and not _lies_within(region, found, part):
                continue
            if gap and _open_share(region, part) > GAP_SHARE:
                continue
            taken |= region
            face = _measured(region, gap, part)
            # At the picture's edge half a disc is enough to get past the ends of a short line.
            if not gap or (face.thickness > gap and not _between_shapes(face, part, shape)):
                found.append(face)
    return found


def _lies_within(region: Mask, found: list[_Face], part: _Part) -> bool:
    """Whether a larger region goes on beyond this one's own line: it is that of an outline with gaps in another."""
    area = int(region.sum())
    covering = [face for face in found if int((face.region & region).sum()) > SAME_SHARE * area]
    if any(area > NESTED_SHARE * face.area for face in covering):
        return False
    width, _ = _line_round(region, part)
    beyond = cv2.dilate(region, _disc(2 * int(np.ceil(width + 3)) + 1)) & (1 - region) & (1 - part.trace)
    least = AROUND_SHARE * max(1, int(beyond.sum()))
    return any(int((beyond & face.region).sum()) > least for face in covering)


def _between_shapes(face: _Face, part: _Part, shape: tuple[int, ...]) -> bool:
    """Whether a small region with gaps lies between shapes of their own, such as letters, not between pieces of a line.

    A line has nearly all its ink beside the region; shapes have most of it elsewhere.
    """
    if face.inner[3] - face.inner[1] > _letter_height(shape):
        return False
    near = cv2.dilate(face.region, _disc(2 * int(np.ceil(face.line + 2)) + 1))
    _, labels = cv2.connectedComponents(part.trace, connectivity=8)
    pieces = np.unique(labels[(near > 0) & (labels > 0)])
    ink = np.isin(labels, pieces)
    return int((ink & (near > 0)).sum()) < OWN_INK * int(ink.sum())


def _regions(wall: Mask, gap: int, part: _Part, shape: tuple[int, ...]) -> Iterator[tuple[Mask, int]]:
    """Regions that a wall encloses, up to the part's lines, with their areas; gaps up to `gap` pixels do not let out.

    A disc that is too large for the gap stays inside. What it cannot reach, corners, the gap itself and the paler
    rims of the lines, goes to the region that comes there first.
    """
    # One pixel more: a line's ends are paler than the line.
    disc = _disc(gap + 3 | 1)
    thick = cv2.dilate(wall, disc) if gap else wall
    holes = list(_holes(thick, part.edges, shape))
    everywhere = np.zeros(wall.shape, np.uint8)
    for region, (x1, y1, x2, y2) in holes:
        everywhere[y1:y2, x1:x2] |= region
    outside = 1 - thick - everywhere
    if gap:
        outside = cv2.dilate(outside, disc) & (1 - wall)
    for region, (x1, y1, x2, y2) in holes:
        whole = np.zeros(wall.shape, np.uint8)
        whole[y1:y2, x1:x2] = region
        if gap:
            whole = cv2.dilate(whole, disc) & (1 - wall) & (1 - outside)
        if wall is not part.lines:
            whole = _filled_up(whole, outside | (everywhere & (1 - whole)), part.lines)
        yield whole, int(whole.sum())


def _filled_up(region: Mask, outside: Mask, wall: Mask) -> Mask:
    """A region and the outside grown against each other until nothing between them is left; the region."""
    step = np.ones((3, 3), np.uint8)
    free = 1 - (region | outside | wall)
    for _ in range(MOST_STEPS):
        if not free.any():
            break
        outside = outside | (cv2.dilate(outside, step) & free)
        grown = cv2.dilate(region, step) & free & (1 - outside)
        region = region | grown
        free = free & (1 - outside) & (1 - region)
        if not grown.any():
            break
    return region


def _holes(
    wall: Mask, edges: tuple[bool, bool, bool, bool], shape: tuple[int, ...]
) -> Iterator[tuple[Mask, Window]]:
    """Connected regions beside the wall that do not reach the outside: mask within its box, and the box."""
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(1 - wall, connectivity=4)
    rims = (labels[:, 0], labels[0], labels[:, -1], labels[-1])
    large = statistics[:, (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT)].min(axis=1) >= 3
    if int(large.sum()) > MOST_REGIONS:
        raise Unusable(f"lines that enclose more than {MOST_REGIONS} regions are no drawing")
    outside = {0} | {
        int(label) for rim, edge in zip(rims, edges, strict=True) if not edge for label in np.unique(rim)
    }
    for label in range(1, len(statistics)):
        x, y, across, down, area = (int(value) for value in statistics[label])
        if label in outside or min(across, down) < 3 or area < 9:
            continue
        if _is_frame(across, down, shape):
            continue
        region = (labels[y : y + down, x : x + across] == label).astype(np.uint8)
        if _at_edges(region, (x, y, x + across, y + down), edges, wall.shape) <= EDGE_SHARE:
            yield region, (x, y, x + across, y + down)


def _is_frame(across: int, down: int, shape: tuple[int, ...]) -> bool:
    return across > FRAME_SHARE * shape[1] and down > FRAME_SHARE * shape[0]


def _at_edges(
    region: Mask, box: Window, edges: tuple[bool, bool, bool, bool], shape: tuple[int, ...]
) -> float:
    """The share of a region's rim that lies at the picture's edge."""
    x1, y1, x2, y2 = box
    touching = (x1 == 0, y1 == 0, x2 == shape[1], y2 == shape[0])
    rims = (region[:, 0], region[0], region[:, -1], region[-1])
    cut_off = sum(
        int(rim.sum()) for rim, edge, near in zip(rims, edges, touching, strict=True) if edge and near
    )
    return cut_off / max(1.0, _rim_length(region))


def _rim_length(region: Mask) -> float:
    """Length of a region's edge by its crossings with lines in four directions (Cauchy-Crofton), within 5 %."""
    framed = cv2.copyMakeBorder(region, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    straight = np.count_nonzero(framed[1:] != framed[:-1]) + np.count_nonzero(framed[:, 1:] != framed[:, :-1])
    slanting = np.count_nonzero(framed[1:, 1:] != framed[:-1, :-1])
    slanting += np.count_nonzero(framed[1:, :-1] != framed[:-1, 1:])
    return np.pi / 8 * (straight + slanting / np.sqrt(2))


def _open_share(region: Mask, part: _Part) -> float:
    """The share of a region's rim at which there is no line."""
    rim = cv2.dilate(region, np.ones((3, 3), np.uint8)) - region
    near = cv2.dilate(part.trace, np.ones((3, 3), np.uint8))
    return 1 - int((rim & near).sum()) / max(1, int(rim.sum()))


def _measured(region: Mask, gap: int, part: _Part) -> _Face:
    """A region with the width of its line and its box around the line's middle."""
    width, band = _line_round(region, part)
    x, y, across, down = cv2.boundingRect(region)
    inner = (x, y, x + across, y + down)
    cut = region[y : y + down, x : x + across]
    distance = cv2.distanceTransform(
        cv2.copyMakeBorder(cut, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0), cv2.DIST_L2, 5
    )
    return _Face(
        region=region,
        inner=inner,
        area=int(cut.sum()),
        gap=gap,
        line=width,
        thickness=2 * float(distance.max()) - 1,
        solidity=_solidity(cut),
        box=_around(inner, width, band, part, CORNER * width + 2.5, gap > 0),
        tight=_around(inner, width, band, part, width + 1.5, gap > 0),
    )


def _line_round(region: Mask, part: _Part) -> tuple[float, Mask]:
    """Width of the line round a region, and the region with that line."""
    distance = cv2.distanceTransform(part.lines, cv2.DIST_L2, 5)
    rim = (cv2.dilate(region, np.ones((3, 3), np.uint8)) - region).astype(bool)
    halves = cv2.dilate(distance, np.ones((13, 13), np.uint8))[rim]
    halves = halves[halves > 0]
    half = float(np.median(halves)) if len(halves) else 1.0
    reach = int(np.ceil(2 * half)) + 2
    band = cv2.dilate(region, _disc(2 * reach + 1)) & part.lines
    width = line_width(band)
    # Strokes that are joined to the line from outside are no wider than it and go in an opening; a pointed corner,
    # where two strokes of the line run together, stays.
    whole = cv2.morphologyEx(region | band, cv2.MORPH_OPEN, _disc(int(np.ceil(1.3 * width)) | 1))
    return width, whole


def _disc(diameter: int) -> Mask:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter))


def line_width(lines: Mask) -> float:
    """Mean width in pixels of the lines of a mask, at least 1.

    Area over half the length of the edge.
    """
    length = _rim_length(lines)
    return max(1.0, 2 * int(lines.sum()) / length) if length else 1.0


def _around(inner: Window, width: float, whole: Mask, part: _Part, thickest: float, gaps: bool) -> Box:
    """The box around the middle of the line: half way between the region's box and the box with its line.

    The pixel in the middle of the line is the lesion's last one, as it is for a line of one pixel. At the picture's
    edge, where part of the line may be cut off, where little of it was found and where it is thicker than `thickest`,
    as something else is joined to it there, its width alone decides.
    """
    left, top, across, down = cv2.boundingRect(whole)
    outer = (left, top, left + across, top + down)
    limits = (0, 0, whole.shape[1], whole.shape[0])
    sides = []
    for place, (at, edge) in enumerate(zip(inner, part.edges, strict=True)):
        sign = -1 if place < 2 else 1
        stroke = (outer[place] - at) * sign
        cut_off = edge and outer[place] == limits[place]
        if gaps and not cut_off and (width - 1) / 2 - 1 <= stroke <= thickest:
            # The region reaches into the gap, as far as the middle of the line.
            side = outer[place] - sign * (width - 1) / 2
        elif width + 1.5 < stroke <= thickest:
            # A corner filled by the line itself: only its outer side tells where it is.
            side = outer[place] - sign * (width - 1) / 2
        else:
            usual = not cut_off and width - 1.5 <= stroke <= width + 1.5
            side = at + sign * ((stroke if usual else width) + 1) / 2
        side = float(at) if edge and at == limits[place] else side
        inside = max(side, 0.0) if place < 2 else min(side, float(limits[place]))
        sides.append(inside if edge else side)
    return (sides[0], sides[1], sides[2], sides[3])


def _solidity(region: Mask) -> float:
    """Area of a region with its holes filled over that of its convex hull."""
    framed = cv2.copyMakeBorder(region, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    contours, _ = cv2.findContours(framed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    contour = max(contours, key=cv2.contourArea)
    hull = cv2.contourArea(cv2.convexHull(contour))
    return cv2.contourArea(contour) / hull if hull else 0.0


# --- which regions are lesions ------------------------------------------------------------------------------------


def _sorted_out(faces: list[_Face], part: _Part) -> list[Box]:
    """Boxes of the regions that are lesions: crossing outlines put together again, double lines made one."""
    neighbours = [_neighbours(index, faces, part) for index in range(len(faces))]
    lesions = {index for index, face in enumerate(faces) if not _is_sliver(face)}
    for index in sorted(lesions):
        beside = [faces[other].area for other in neighbours[index][0]]
        if beside and _is_pocket(faces[index], max(beside)):
            lesions.discard(index)
    shared = {
        index
        for index, (beside, outside) in enumerate(neighbours)
        if len(_among(beside, lesions)) >= 2
        and outside < OUTSIDE_SHARE
        and faces[index].gap <= max(faces[other].gap for other in _among(beside, lesions))
    }
    boxes = {
        index: faces[index].tight if _touches(index, lesions, faces) else faces[index].box
        for index in sorted(lesions - shared)
    }
    for index, face in enumerate(faces):
        beside = [
            other for other in _among(neighbours[index][0], lesions) if other in boxes and other != index
        ]
        if index in shared and (len(beside) == 2 or face.solidity >= CONVEX):
            for other in beside:
                boxes[other] = _union(boxes[other], face.tight)
        elif index not in lesions and len(beside) == 1 and _area(face.box) > _area(faces[beside[0]].box):
            # Two strokes of one line round the same: half way between them.
            boxes[beside[0]] = _mean(boxes[beside[0]], _union(boxes[beside[0]], face.box))
    return _once([boxes[index] for index in sorted(boxes)])


def _touches(index: int, lesions: set[int], faces: list[_Face]) -> bool:
    """Whether another lesion's line may run along a region's own, or be joined to it."""
    face = faces[index]
    near = cv2.dilate(face.region, _disc(2 * int(np.ceil(2 * face.line)) + 2 * face.gap + 7))
    return any(bool((near & faces[other].region).any()) for other in lesions if other != index)


def _among(shares: dict[int, float], lesions: set[int]) -> list[int]:
    return [other for other, share in shares.items() if share > BESIDE_SHARE and other in lesions]


def _neighbours(index: int, faces: list[_Face], part: _Part) -> tuple[dict[int, float], float]:
    """Which regions lie across a region's line, each with its share of what lies there, and the outside's share."""
    face = faces[index]
    reach = int(np.ceil(face.line)) + face.gap + 3
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    ring = (cv2.dilate(face.region, disc) - face.region).astype(bool) & (part.trace == 0)
    total = max(1, int(ring.sum()))
    shares = {
        other: int((ring & (one.region > 0)).sum()) / total
        for other, one in enumerate(faces)
        if other != index
    }
    return {other: share for other, share in shares.items() if share > 0}, 1 - sum(shares.values())


def _is_sliver(face: _Face) -> bool:
    length = max(face.inner[2] - face.inner[0], face.inner[3] - face.inner[1])
    return face.thickness < max(3.0, STROKE_SHARE * face.line, SLIVER_SHARE * length)


def _is_pocket(face: _Face, bigger: int) -> bool:
    """Whether a region beside a larger one is but a corner between its line and something else."""
    share = CLOSED_POCKET_SHARE if face.gap else POCKET_SHARE
    return face.area < share * bigger or (face.area < bigger and face.solidity < HOLLOW)


def _once(boxes: list[Box]) -> list[Box]:
    """The larger one of boxes that nearly agree."""
    kept: list[Box] = []
    for box in sorted(boxes, key=_area, reverse=True):
        if all(overlap(box, other) < TWICE_IOU for other in kept):
            kept.append(box)
    return kept


def _painted(part: _Part, taken: list[Box], min_side: int) -> list[Box]:
    """Boxes of shapes that are painted over instead of outlined."""
    boxes = []
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(part.lines, connectivity=8)
    least = max(min_side, PAINTED)
    for label in range(1, len(statistics)):
        x, y, across, down, area = (int(value) for value in statistics[label])
        if min(across, down) < least or area < ROUND * across * down:
            continue
        shape = (labels[y : y + down, x : x + across] == label).astype(np.uint8)
        blob = cv2.morphologyEx(
            cv2.copyMakeBorder(shape, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0),
            cv2.MORPH_OPEN,
            _disc(least - 2 | 1),
        )
        contours, _ = cv2.findContours(blob, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        box = (float(x), float(y), float(x + across), float(y + down))
        if len(contours) != 1 or any(overlap(box, other) > 0.1 for other in taken):
            continue
        _, sides, _ = cv2.minAreaRect(contours[0])
        fills = cv2.contourArea(contours[0]) / max(1.0, sides[0] * sides[1])
        if ROUND <= fills <= SQUARE and int(blob.sum()) >= WHOLE * area:
            boxes.append(box)
    return boxes


def _nearly_closed(part: _Part, least: int, shape: tuple[int, ...]) -> list[Box]:
    """Boxes of single lines that go nearly round something large without closing."""
    boxes = []
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(part.lines, connectivity=8)
    for label in range(1, len(statistics)):
        x, y, across, down, area = (int(value) for value in statistics[label])
        if min(across, down) < least or area > 0.35 * across * down or _is_frame(across, down, shape):
            continue
        line = (labels[y : y + down, x : x + across] == label).astype(np.uint8)
        rows, columns = np.nonzero(line)
        hull = cv2.convexHull(np.stack([columns, rows], 1).astype(np.int32))
        moments = cv2.moments(hull)
        if not moments["m00"]:
            continue
        middle = moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]
        angles = np.sort(np.degrees(np.arctan2(rows - middle[1], columns - middle[0])))
        widest = np.diff(np.append(angles, angles[0] + 360)).max()
        # A line through the middle is a sign or a letter.
        clear = np.hypot(rows - middle[1], columns - middle[0]).min() > 0.2 * min(across, down)
        if widest <= OPEN_DEGREES and clear:
            boxes.append(_along((x, y, x + across, y + down), line_width(line), part))
    return boxes


def _along(outer: Window, width: float, part: _Part) -> Box:
    """The box around the middle of a line from the box round all of it."""
    height, across = part.lines.shape
    limits, shrunk = (0, 0, across, height), (width - 1) / 2
    sides = [
        float(at) if edge and at == limit else at + (shrunk if place < 2 else -shrunk)
        for place, (at, edge, limit) in enumerate(zip(outer, part.edges, limits, strict=True))
    ]
    return (sides[0], sides[1], sides[2], sides[3])


# --- text ---------------------------------------------------------------------------------------------------------


def _letter_height(shape: tuple[int, ...]) -> int:
    return max(LETTER_PIXELS, round(LETTER_SHARE * shape[0]))


def _without_letters(
    boxes: list[Box], part: _Part, glyphs: NDArray[np.int32], lines: Mask, shape: tuple[int, ...]
) -> list[Box]:
    """Boxes that are no letter of a word and no frame round one."""
    left, top = part.window[:2]
    tallest = _letter_height(shape)
    kept = []
    for box in boxes:
        small = box[3] - box[1] <= tallest
        whole = (box[0] + left, box[1] + top, box[2] + left, box[3] + top)
        glyph = _glyph_of(whole, glyphs)
        letter = small and (
            _in_row(_outer(whole, lines), glyphs)
            or (glyph is not None and glyph[3] - glyph[1] <= tallest and _in_row(glyph, glyphs))
            or _is_glued(box, boxes, part.lines)
        )
        if not letter and not _is_stamp(box, part.lines):
            kept.append(box)
    return kept


def _outer(box: Box, lines: Mask) -> Box:
    """A box along the middle of a line → the box around the line."""
    x1, y1, x2, y2 = box
    near = lines[max(0, int(y1) - 6) : int(y2) + 6, max(0, int(x1) - 6) : int(x2) + 6]
    half = (line_width(near) - 1) / 2
    return (x1 - half, y1 - half, x2 + half, y2 + half)


def _glyph_of(box: Box, glyphs: NDArray[np.int32]) -> Box | None:
    """The box of the connected shape that a loop belongs to, where the loop is a good part of it."""
    overlaps = [overlap(box, tuple(glyph)) for glyph in glyphs.tolist()]
    best = int(np.argmax(overlaps)) if overlaps else 0
    if not overlaps or overlaps[best] < 0.2:
        return None
    x1, y1, x2, y2 = (float(value) for value in glyphs[best])
    contains = x1 <= box[0] + 2 and y1 <= box[1] + 2 and x2 >= box[2] - 2 and y2 >= box[3] - 2
    return (x1, y1, x2, y2) if contains else None


def _in_row(box: Box, glyphs: NDArray[np.int32]) -> bool:
    """Whether a shape has letters beside it: one of its height, or two that are lower, on one foot line.

    `glyphs` are the half-open boxes of all connected shapes.
    """
    left, top, right, foot = box
    down = foot - top
    within = max(1.6, 0.06 * down)
    apart = np.maximum(glyphs[:, 0] - right, left - glyphs[:, 2])
    heights, widths = glyphs[:, 3] - glyphs[:, 1], glyphs[:, 2] - glyphs[:, 0]
    level = (np.abs(glyphs[:, 3] - foot) <= within) & (apart > 0) & (widths <= 1.8 * down)
    alike = level & (np.abs(glyphs[:, 1] - top) <= within) & (apart <= 0.8 * down)
    # Small letters are between six and nine tenths of the capitals.
    lower = level & (heights >= 0.6 * down) & (heights <= down + within) & (apart <= 2.5 * down)
    return bool(alike.any()) or int(lower.sum()) >= 2


def _is_glued(box: Box, boxes: list[Box], lines: Mask) -> bool:
    """Whether a loop is a letter of a word whose letters run into one another; boxes in the lines' pixels."""
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(lines, connectivity=8)
    x1, y1, x2, y2 = (max(0, round(value)) for value in box)
    present = np.bincount(labels[y1:y2, x1:x2].ravel(), minlength=len(statistics))
    own = int(present[1:].argmax()) + 1 if present[1:].any() else 0
    x, y, across, down, _ = (int(value) for value in statistics[own])
    if not own or across < 1.6 * (box[2] - box[0]) or down > 1.3 * (box[3] - box[1]) + 4:
        return False
    rest = (labels == own)[y : y + down, x : x + across]
    for a, b, c, d in boxes:
        rest[
            max(0, int(b) - y - 6) : max(0, int(d) - y + 6), max(0, int(a) - x - 6) : max(0, int(c) - x + 6)
        ] = 0
    columns = int(rest.any(axis=0).sum())
    # A line that leads away leaves most of the row empty.
    return columns >= 0.3 * (box[2] - box[0]) and int(rest.sum()) >= 0.25 * columns * down


def _is_stamp(box: Box, lines: Mask) -> bool:
    """Whether a box is a rectangle filled by a row of letters; in the lines' pixels."""
    x1, y1, x2, y2 = (round(value) for value in box)
    room = 3 + max(2, round((y2 - y1) / 20))
    frame = lines[max(0, y1) : y2, max(0, x1) : x2]
    inside = frame[room:-room, room:-room]
    rim = min(frame[:room].any(axis=0).mean(), frame[-room:].any(axis=0).mean()) if frame.size else 0.0
    if not inside.size or rim < 0.9:
        return False
    x, y, across, down = cv2.boundingRect(np.ascontiguousarray(inside))
    ink = inside[y : y + down, x : x + across]
    row = across >= 2 * down and across >= 0.5 * (x2 - x1) and down >= 0.25 * (y2 - y1)
    if not row or not 0.15 <= ink.mean() <= 0.8:
        return False
    # A word has many strokes side by side, a part of another outline one or two.
    strokes = (np.diff(ink.astype(np.int8), axis=1, prepend=0) > 0).sum(axis=1)
    return int(strokes.max()) >= 4


# --- boxes --------------------------------------------------------------------------------------------------------


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def overlap(first: Box, second: Box) -> float:
    """Intersection over union."""
    across = min(first[2], second[2]) - max(first[0], second[0])
    down = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(0.0, across) * max(0.0, down)
    return shared / (_area(first) + _area(second) - shared)


def _union(first: Box, second: Box) -> Box:
    return (*np.minimum(first[:2], second[:2]).tolist(), *np.maximum(first[2:], second[2:]).tolist())


def _mean(first: Box, second: Box) -> Box:
    x1, y1, x2, y2 = (float(value) for value in (np.array(first) + second) / 2)
    return (x1, y1, x2, y2)
