"""Detections of several members on a test set → one set of detections."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mammo.fusion.kernels import Floats, Integers, group_rows, order_within
from mammo.fusion.methods import METHODS
from mammo.fusion.pool import Looked, Pool, pool
from mammo.settings import FusionSettings
from mammo.tables.boxes import Boxes, as_boxes
from mammo.tables.detections import DetectionColumns

__all__ = ["Looked", "fuse"]


def fuse(members: Sequence[Looked], settings: FusionSettings) -> DetectionColumns:
    """Fuse, image by image and label by label; neither the order of the members nor that of rows makes a difference.

    Boxes without an area and boxes below `settings.score_floor` are left out. Coordinates are in pixels, rounded to 2
    decimals, scores to 6; sorted by image_id, then score from the highest, then box, then label.

    Raises `UserError` for a weight that is no positive number, and where a member found something on an image that
    it did not look at.
    """
    pooled = pool(members, settings.score_floor)
    fused = METHODS[settings.method]
    images, labels, boxes, scores = [], [], [np.zeros((0, 4))], [np.zeros(0)]
    for image, label, group in pooled.groups():
        group_boxes, group_scores = fused(group, settings)
        images.append(np.full(len(group_boxes), image))
        labels.append(np.full(len(group_boxes), label))
        boxes.append(group_boxes)
        scores.append(group_scores)
    nothing = np.zeros(0, np.int64)
    return _columns(
        pooled,
        np.concatenate([nothing, *images]),
        np.concatenate([nothing, *labels]),
        np.concatenate(boxes).round(2),
        np.concatenate(scores).round(6),
    )


def _columns(
    pooled: Pool, images: Integers, labels: Integers, boxes: Boxes, scores: Floats
) -> DetectionColumns:
    """Sorted, codes as names."""
    starts, rows = group_rows(images, len(pooled.images))
    order_within(starts, rows, scores, boxes, labels.astype(np.float64))
    return DetectionColumns(
        [pooled.images[code] for code in images[rows].tolist()],
        as_boxes(boxes[rows]),
        scores[rows],
        [pooled.labels[code] for code in labels[rows].tolist()],
    )
