"""The regions that the lines of a drawing enclose, wholly, but for gaps, or together with the picture's edge."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from mammo.annotations.faces import Face, line_round, measured
from mammo.annotations.letters import letter_height
from mammo.annotations.lines import Mask, Part, Window, disc_of, is_frame, rim_length
from mammo.dicom.unusable import Unusable

# Lines and letters that come near one another enclose some dozen regions.
MOST_REGIONS = 150
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


def enclosed_faces(part: Part, close_gap: int, shape: tuple[int, ...]) -> list[Face]:
    """What the lines enclose as they are, then what they enclose once wider and wider gaps are closed."""
    found: list[Face] = []
    taken = np.zeros(part.lines.shape, np.uint8)
    gaps = sorted({0, *(round(close_gap * share) for share in (1 / 3, 2 / 3, 1))})
    for gap, wall in [(0, part.lines), *((gap, part.trace) for gap in gaps)]:
        for region, area in _regions(wall, gap, part, shape):
            if int((taken & region).sum()) > SAME_SHARE * area and not _lies_within(region, found, part):
                continue
            if gap and _open_share(region, part) > GAP_SHARE:
                continue
            taken |= region
            face = measured(region, gap, part)
            # At the picture's edge half a disc is enough to get past the ends of a short line.
            if not gap or (face.thickness > gap and not _between_shapes(face, part, shape)):
                found.append(face)
    return found


def _lies_within(region: Mask, found: list[Face], part: Part) -> bool:
    """Whether a larger region goes on beyond this one's own line: it is that of an outline with gaps in another."""
    area = int(region.sum())
    covering = [face for face in found if int((face.region & region).sum()) > SAME_SHARE * area]
    if any(area > NESTED_SHARE * face.area for face in covering):
        return False
    width, _ = line_round(region, part)
    beyond = cv2.dilate(region, disc_of(2 * int(np.ceil(width + 3)) + 1)) & (1 - region) & (1 - part.trace)
    least = AROUND_SHARE * max(1, int(beyond.sum()))
    return any(int((beyond & face.region).sum()) > least for face in covering)


def _between_shapes(face: Face, part: Part, shape: tuple[int, ...]) -> bool:
    """Whether a small region with gaps lies between shapes of their own, such as letters, not between pieces of a line.

    A line has nearly all its ink beside the region; shapes have most of it elsewhere.
    """
    if face.inner[3] - face.inner[1] > letter_height(shape):
        return False
    near = cv2.dilate(face.region, disc_of(2 * int(np.ceil(face.line + 2)) + 1))
    _, labels = cv2.connectedComponents(part.trace, connectivity=8)
    pieces = np.unique(labels[(near > 0) & (labels > 0)])
    ink = np.isin(labels, pieces)
    return int((ink & (near > 0)).sum()) < OWN_INK * int(ink.sum())


def _open_share(region: Mask, part: Part) -> float:
    """The share of a region's rim at which there is no line."""
    rim = cv2.dilate(region, np.ones((3, 3), np.uint8)) - region
    near = cv2.dilate(part.trace, np.ones((3, 3), np.uint8))
    return 1 - int((rim & near).sum()) / max(1, int(rim.sum()))


def _regions(wall: Mask, gap: int, part: Part, shape: tuple[int, ...]) -> Iterator[tuple[Mask, int]]:
    """Regions that a wall encloses, up to the part's lines, with their areas; gaps up to `gap` pixels do not let out.

    A disc that is too large for the gap stays inside. What it cannot reach, corners, the gap itself and the paler
    rims of the lines, goes to the region that comes there first.
    """
    # One pixel more: a line's ends are paler than the line.
    disc = disc_of(gap + 3 | 1)
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
        if is_frame(across, down, shape):
            continue
        region = (labels[y : y + down, x : x + across] == label).astype(np.uint8)
        if _at_edges(region, (x, y, x + across, y + down), edges, wall.shape) <= EDGE_SHARE:
            yield region, (x, y, x + across, y + down)


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
    return cut_off / max(1.0, rim_length(region))
