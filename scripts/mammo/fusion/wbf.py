"""Weighted boxes fusion: boxes that overlap become one, the mean of all weighted by their scores.

Source: Solovyev, Wang, Gabruseva, "Weighted boxes fusion: Ensembling boxes from different object detection models",
Image and Vision Computing 107 (2021), section 3. Gives what `ensemble-boxes` 1.0.9 gives (conf_type avg, equal
weights) on the inputs that it can take, but takes pixels, and knows how many members looked at the image.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mammo.tables.boxes import Boxes, iou_matrix


def weighted_boxes_fusion(
    boxes: Boxes, scores: NDArray[np.float64], iou: float, looked: int
) -> tuple[Boxes, NDArray[np.float64]]:
    """Fuse the pooled boxes of one image and one label.

    `boxes`: shape (n, 4), in pixels; `scores`: shape (n,); both by falling score, which the algorithm needs. `looked`:
    how many members looked at this image, whether they found something or not. A box joins the fused box that it
    overlaps most, if the IoU is above `iou`. The fused score is the mean of the scores in the cluster, times
    min(boxes in the cluster, looked) / looked: what one member of many saw is worth less, and a member that never
    looked does not count against it.

    Returns boxes (k, 4) and scores (k,), in the order in which the clusters were begun.
    """
    weighted = np.zeros((len(boxes), 4))  # sum of score × box, cluster by cluster
    total = np.zeros(len(boxes))
    size = np.zeros(len(boxes), dtype=np.int64)
    fused = np.zeros((len(boxes), 4))
    count = 0
    for box, score in zip(boxes, scores, strict=True):
        cluster = _nearest(fused[:count], box, iou)
        if cluster is None:
            cluster, count = count, count + 1
        weighted[cluster] += score * box
        total[cluster] += score
        size[cluster] += 1
        if size[cluster] == 1:
            fused[cluster] = box  # alone, a box stays what it is to the last bit
        elif total[cluster] > 0:  # boxes of score 0 carry no weight
            fused[cluster] = weighted[cluster] / total[cluster]
    share = np.minimum(size[:count], looked) / looked
    return fused[:count], total[:count] / np.maximum(size[:count], 1) * share


def _nearest(fused: Boxes, box: NDArray[np.float64], iou: float) -> int | None:
    if not len(fused):
        return None
    overlaps = iou_matrix(fused, box[None, :])[:, 0]
    best = int(overlaps.argmax())
    return best if overlaps[best] > iou else None
