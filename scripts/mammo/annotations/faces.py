"""A region that lines enclose, measured: how wide its line is, and the box around the middle of that line.

What is measured is the region, from within, so that whatever is drawn near the line or joined to it from outside does
not move the box.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from mammo.annotations.frames import Box
from mammo.annotations.lines import Mask, Part, Window, disc_of, line_width

# Two strokes that meet in a corner look up to so much thicker than one; what is thicker has something joined to it.
CORNER = 1.5


@dataclass(frozen=True)
class Face:
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


def measured(region: Mask, gap: int, part: Part) -> Face:
    """A region with the width of its line and its box around the line's middle."""
    width, band = line_round(region, part)
    x, y, across, down = cv2.boundingRect(region)
    inner = (x, y, x + across, y + down)
    cut = region[y : y + down, x : x + across]
    distance = cv2.distanceTransform(
        cv2.copyMakeBorder(cut, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0), cv2.DIST_L2, 5
    )
    return Face(
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


def line_round(region: Mask, part: Part) -> tuple[float, Mask]:
    """Width of the line round a region, and the region with that line."""
    distance = cv2.distanceTransform(part.lines, cv2.DIST_L2, 5)
    rim = (cv2.dilate(region, np.ones((3, 3), np.uint8)) - region).astype(bool)
    halves = cv2.dilate(distance, np.ones((13, 13), np.uint8))[rim]
    halves = halves[halves > 0]
    half = float(np.median(halves)) if len(halves) else 1.0
    reach = int(np.ceil(2 * half)) + 2
    band = cv2.dilate(region, disc_of(2 * reach + 1)) & part.lines
    width = line_width(band)
    # Strokes that are joined to the line from outside are no wider than it and go in an opening; a pointed corner,
    # where two strokes of the line run together, stays.
    whole = cv2.morphologyEx(region | band, cv2.MORPH_OPEN, disc_of(int(np.ceil(1.3 * width)) | 1))
    return width, whole


def _around(inner: Window, width: float, whole: Mask, part: Part, thickest: float, gaps: bool) -> Box:
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
