"""Boxes compared and put together, in whatever pixels they share."""

from __future__ import annotations

import numpy as np

from mammo.annotations.frames import Box

# Boxes that overlap by more belong to a line drawn twice.
TWICE_IOU = 0.5


def area(box: Box) -> float:
    """Area in square pixels."""
    return (box[2] - box[0]) * (box[3] - box[1])


def overlap(first: Box, second: Box) -> float:
    """Intersection over union."""
    across = min(first[2], second[2]) - max(first[0], second[0])
    down = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(0.0, across) * max(0.0, down)
    return shared / (area(first) + area(second) - shared)


def union(first: Box, second: Box) -> Box:
    """The smallest box round both."""
    return (*np.minimum(first[:2], second[:2]).tolist(), *np.maximum(first[2:], second[2:]).tolist())


def mean(first: Box, second: Box) -> Box:
    """The box half way between two, side by side."""
    x1, y1, x2, y2 = (float(value) for value in (np.array(first) + second) / 2)
    return (x1, y1, x2, y2)
