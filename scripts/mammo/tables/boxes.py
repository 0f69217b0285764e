"""Boxes as float arrays of shape (n, 4): x1, y1, x2, y2, half-open, in pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]


def as_boxes(values: object) -> Boxes:
    """An (n, 4) float64 array, also of no boxes."""
    return np.asarray(values, dtype=np.float64).reshape(-1, 4)


def areas(boxes: Boxes) -> NDArray[np.float64]:
    """Areas in square pixels, shape (n,)."""
    return np.clip(boxes[:, 2] - boxes[:, 0], 0, None) * np.clip(boxes[:, 3] - boxes[:, 1], 0, None)


def intersections(first: Boxes, second: Boxes) -> NDArray[np.float64]:
    """Common areas in square pixels, shape (len(first), len(second))."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    return np.prod(np.clip(high - low, 0, None), axis=2)


def iou_matrix(first: Boxes, second: Boxes) -> NDArray[np.float64]:
    """Intersection over union, shape (len(first), len(second)); 0 where both have no area."""
    common = intersections(first, second)
    union = areas(first)[:, None] + areas(second)[None, :] - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def iou_of_pairs(first: Boxes, second: Boxes) -> NDArray[np.float64]:
    """Intersection over union of the n-th of `first` with the n-th of `second`, shape (n,); as `iou_matrix`."""
    low, high = np.maximum(first[:, :2], second[:, :2]), np.minimum(first[:, 2:], second[:, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=1)
    union = areas(first) + areas(second) - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)
