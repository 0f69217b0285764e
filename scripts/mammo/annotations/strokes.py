"""Lesions that enclose no region: shapes painted over, and single lines that go nearly round something."""

from __future__ import annotations

import cv2
import numpy as np

from mammo.annotations.boxes import overlap
from mammo.annotations.frames import Box
from mammo.annotations.lines import Part, Window, disc_of, is_frame, line_width

# A painted shape: thicker than any pen, rounder than an arrowhead, less square than a plate, and all in one piece.
PAINTED, ROUND, SQUARE, WHOLE = 24, 0.62, 0.95, 0.9
# A line that goes round all but this many degrees of its middle is an outline, if it is larger than letters.
OPEN_DEGREES = 50


def painted(part: Part, taken: list[Box], min_side: int) -> list[Box]:
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
            disc_of(least - 2 | 1),
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


def nearly_closed(part: Part, least: int, shape: tuple[int, ...]) -> list[Box]:
    """Boxes of single lines that go nearly round something large without closing."""
    boxes = []
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(part.lines, connectivity=8)
    for label in range(1, len(statistics)):
        x, y, across, down, area = (int(value) for value in statistics[label])
        if min(across, down) < least or area > 0.35 * across * down or is_frame(across, down, shape):
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


def _along(outer: Window, width: float, part: Part) -> Box:
    """The box around the middle of a line from the box round all of it."""
    height, across = part.lines.shape
    limits, shrunk = (0, 0, across, height), (width - 1) / 2
    sides = [
        float(at) if edge and at == limit else at + (shrunk if place < 2 else -shrunk)
        for place, (at, edge, limit) in enumerate(zip(outer, part.edges, limits, strict=True))
    ]
    return (sides[0], sides[1], sides[2], sides[3])
