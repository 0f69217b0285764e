"""Non-maximum suppression over the pooled boxes of several snapshots: of boxes that overlap the best one stays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mammo.tables.boxes import Boxes, iou_matrix


def non_maximum_suppression(
    boxes: Boxes, scores: NDArray[np.float64], iou: float
) -> tuple[Boxes, NDArray[np.float64]]:
    """Keep each box that no better kept box overlaps with an IoU above `iou`.

    `boxes`: shape (n, 4), in pixels; `scores`: shape (n,); both by falling score. Scores stay what they were.
    Returns boxes (k, 4) and scores (k,), by falling score.
    """
    alive = np.ones(len(boxes), dtype=bool)
    for index in range(len(boxes)):
        if alive[index]:
            alive[index + 1 :] &= iou_matrix(boxes[index : index + 1], boxes[index + 1 :])[0] <= iou
    return boxes[alive], scores[alive]
