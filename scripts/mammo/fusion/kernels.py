"""The compiled code of fusion: each kernel fuses the boxes of one image and one label.

All of it stands in this one file, because numba takes up what it compiled before as long as the file of a function is
unchanged, whatever became of functions in other files that it calls.

Common to all: `boxes` (n, 4) float64, x1, y1, x2, y2 in pixels, each with an area; `scores` (n,) float64, already
times the weight of the member; `weights` (n,) float64, the weight of the member that found the box. All three are
in the order of `order_within`: by falling score. So a kernel's result depends on no other order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mammo.fusion.compiled import compiled, inner
from mammo.tables.boxes import Boxes

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@compiled
def group_rows(groups: Integers, count: int) -> tuple[Integers, Integers]:
    """Rows by group: where each group starts, (count + 1,), and the rows in the order of the groups, (n,)."""
    starts = np.zeros(count + 1, np.int64)
    for group in groups:
        starts[group + 1] += 1
    for group in range(count):
        starts[group + 1] += starts[group]
    place = starts[:-1].copy()
    rows = np.empty(len(groups), np.int64)
    for row in range(len(groups)):
        rows[place[groups[row]]] = row
        place[groups[row]] += 1
    return starts, rows


@inner
def _before(one: int, other: int, scores: Floats, boxes: Boxes, last: Floats) -> bool:
    if scores[one] != scores[other]:
        return scores[one] > scores[other]
    for side in range(4):
        if boxes[one, side] != boxes[other, side]:
            return boxes[one, side] < boxes[other, side]
    return last[one] < last[other]


@compiled
def order_within(starts: Integers, rows: Integers, scores: Floats, boxes: Boxes, last: Floats) -> None:
    """Bring the rows of each group in order, in place: by falling score, then by box, then by `last`.

    `starts`, `rows`: of `group_rows`; `scores` and `last` (n,), `boxes` (n, 4): of all rows, in their own order.
    """
    for group in range(len(starts) - 1):
        own = rows[starts[group] : starts[group + 1]]
        own[:] = own[np.argsort(-scores[own])]
        for place in range(1, len(own)):  # only equal scores are still out of order
            row, free = own[place], place
            while free and _before(row, own[free - 1], scores, boxes, last):
                own[free] = own[free - 1]
                free -= 1
            own[free] = row


@inner
def _common(one: Floats, other: Floats) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    if width <= 0:
        return 0.0
    height = min(one[3], other[3]) - max(one[1], other[1])
    return width * height if height > 0 else 0.0


@inner
def _area(box: Floats) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


@inner
def _overlap(one: Floats, other: Floats) -> float:
    """Intersection over union."""
    common = _common(one, other)
    return common / (_area(one) + _area(other) - common) if common > 0 else 0.0


@inner
def _nearest(fused: Boxes, count: int, box: Floats, iou: float) -> int:
    """Of the first `count` boxes the one that overlaps `box` most, the first of equals; -1 if none above `iou`."""
    best, found = iou, -1
    for place in range(count):
        overlap = _overlap(fused[place], box)
        if overlap > best:
            best, found = overlap, place
    return found


@compiled
def nms(boxes: Boxes, scores: Floats, iou: float) -> Integers:
    """Non-maximum suppression: a box stays unless one that stays, of a higher score, overlaps it by more than `iou`.

    Returns the indices of those that stay, (k,), rising.
    """
    kept, count = np.empty(len(boxes), np.int64), 0
    for row in range(len(boxes)):
        stays = True
        for place in range(count):
            if _overlap(boxes[kept[place]], boxes[row]) > iou:
                stays = False
                break
        if stays:
            kept[count] = row
            count += 1
    return kept[:count]


@compiled
def soft_nms(boxes: Boxes, scores: Floats, iou: float, sigma: float, linear: bool) -> Floats:
    """Soft-NMS: again and again the box of the highest score is taken, and those that overlap it lose score.

    By the overlap u they keep 1 - u where u is above `iou` (linear), or exp(-u²/sigma) (gaussian). Of equal scores
    the first box is taken first. Source: Bodla, Singh, Chellappa, Davis, "Soft-NMS: Improving object detection with
    one line of code", ICCV 2017, equations 2 and 3. Returns what is left of each score, (n,).
    """
    left = scores.copy()
    waiting = np.ones(len(boxes), np.bool_)
    for _ in range(len(boxes)):
        best = -1
        for row in range(len(boxes)):
            if waiting[row] and (best < 0 or left[row] > left[best]):
                best = row
        waiting[best] = False
        for row in range(len(boxes)):
            if waiting[row]:
                overlap = _overlap(boxes[best], boxes[row])
                if linear:
                    left[row] *= 1.0 - overlap if overlap > iou else 1.0
                elif overlap > 0:
                    left[row] *= np.exp(-(overlap * overlap) / sigma)
    return left


@compiled
def nmw(boxes: Boxes, scores: Floats, iou: float) -> tuple[Boxes, Floats]:
    """Non-maximum weighted: the boxes around a best one become their mean, weighted by score × overlap with the best.

    A box belongs to the best box that it overlaps most, if by more than `iou`; else it is a best box itself. The
    score is that of the best box. Source: Zhou, Li, Zhang, Chen, Zhang, "CAD: Scale invariant framework for
    real-time object detection", ICCV workshops 2017, section 3.3. Returns boxes (k, 4), scores (k,), by falling
    score.
    """
    best, score = np.empty((len(boxes), 4)), np.empty(len(boxes))
    weighted, total = np.zeros((len(boxes), 4)), np.zeros(len(boxes))
    count = 0
    for row in range(len(boxes)):
        cluster = _nearest(best, count, boxes[row], iou)
        if cluster < 0:
            cluster, count = count, count + 1
            best[cluster], score[cluster] = boxes[row], scores[row]
        share = scores[row] * _overlap(boxes[row], best[cluster])
        weighted[cluster] += share * boxes[row]
        total[cluster] += share
    for cluster in range(count):
        if total[cluster] > 0:  # boxes of score 0 carry no weight: the best one stays as it is
            best[cluster] = weighted[cluster] / total[cluster]
    return best[:count], score[:count]


@compiled
def wbf(boxes: Boxes, scores: Floats, weights: Floats, iou: float, looked: float) -> tuple[Boxes, Floats]:
    """Weighted boxes fusion: boxes that overlap become one, their mean weighted by score.

    A box joins the fused box that it overlaps most, if by more than `iou`; else it begins one. The fused score is
    the sum of the scores over the sum of the weights of the members that looked, `looked`, or over that of the
    boxes, where a member's several boxes make this the greater. Source: Solovyev, Wang, Gabruseva, "Weighted boxes
    fusion: Ensembling boxes from different object detection models", Image and Vision Computing 107 (2021), section
    3. Returns boxes (k, 4), scores (k,), in the order in which the fused boxes were begun.
    """
    fused, weighted = np.empty((len(boxes), 4)), np.zeros((len(boxes), 4))
    total, weight = np.zeros(len(boxes)), np.zeros(len(boxes))
    count = 0
    for row in range(len(boxes)):
        cluster = _nearest(fused, count, boxes[row], iou)
        alone = cluster < 0
        if alone:
            cluster, count = count, count + 1
        weighted[cluster] += scores[row] * boxes[row]
        total[cluster] += scores[row]
        weight[cluster] += weights[row]
        if alone:
            fused[cluster] = boxes[row]  # alone, a box stays what it is to the last bit
        elif total[cluster] > 0:  # boxes of score 0 carry no weight
            fused[cluster] = weighted[cluster] / total[cluster]
    return fused[:count], total[:count] / np.maximum(weight[:count], looked)


@compiled
def wcf(
    boxes: Boxes,
    scores: Floats,
    weights: Floats,
    members: Integers,
    iou: float,
    looked: float,
    penalty: float,
) -> tuple[Boxes, Floats]:
    """Weighted cluster fusion: as `wbf`, but a member has one voice in a cluster, and silence has a price of its own.

    Of each member only the best box of a cluster counts, for the place and for the score; its others are absorbed.
    With S the summed weight of the members in the cluster and L = `looked` that of those that looked, the score is

        sum over the cluster's members (weight × best score) / S × (S / L) ^ penalty.

    At penalty 1 it is the score of weighted box clustering, sum(s w) / (sum(w) + w of those missing): Jaeger et al.,
    "Retina U-Net", arXiv 1811.08661 (2018), section 3.2. Boxes equal in place, score and weight join one cluster,
    so that it makes no difference which member found which. `members` (n,): from 0.
    Returns boxes (k, 4), scores (k,), in the order in which the clusters were begun.
    """
    fused, weighted = np.empty((len(boxes), 4)), np.zeros((len(boxes), 4))
    total, weight = np.zeros(len(boxes)), np.zeros(len(boxes))
    spoke = np.zeros((len(boxes), members.max() + 1 if len(boxes) else 0), np.bool_)
    count = cluster = 0
    for row in range(len(boxes)):
        if not _is_twin(row, boxes, scores, weights):
            cluster = _nearest(fused, count, boxes[row], iou)
        if cluster < 0:
            cluster, count = count, count + 1
            fused[cluster] = boxes[row]
        if spoke[cluster, members[row]]:
            continue
        spoke[cluster, members[row]] = True
        alone = weight[cluster] == 0
        weighted[cluster] += scores[row] * boxes[row]
        total[cluster] += scores[row]
        weight[cluster] += weights[row]
        if not alone and total[cluster] > 0:  # boxes of score 0 carry no weight
            fused[cluster] = weighted[cluster] / total[cluster]
    share = np.minimum(weight[:count] / looked, 1.0)  # 1 where all saw it, however their weights were summed
    return fused[:count], total[:count] / weight[:count] * share**penalty


@inner
def _is_twin(row: int, boxes: Boxes, scores: Floats, weights: Floats) -> bool:
    """Whether the row before is equal in all."""
    if row == 0 or scores[row] != scores[row - 1] or weights[row] != weights[row - 1]:
        return False
    return bool((boxes[row] == boxes[row - 1]).all())


@compiled
def team(boxes: Boxes, scores: Floats, cover: float, equal: float) -> Integers:
    """The team's rules: for each box the one that stays for it, (n,); a box that stays stands for itself.

    First the equal ones: by falling score a box stays unless one that stays covers it by `equal` of its area and is
    covered so by it. Then the covered ones: by falling area, equal areas by falling score, a box stays unless
    one that stays covers it by `cover` of its own area. Where several cover it, it goes to the one that covers most
    of it.
    """
    area = np.empty(len(boxes))
    for row in range(len(boxes)):
        area[row] = _area(boxes[row])
    first = _absorb(boxes, area, np.arange(len(boxes)), cover=equal, mutual=True)
    left = np.array([row for row in range(len(boxes)) if first[row] == row], np.int64)
    by_area = left[np.argsort(-area[left], kind="mergesort")]
    second = _absorb(boxes, area, by_area, cover=cover, mutual=False)
    return second[first]


@inner
def _absorb(boxes: Boxes, area: Floats, order: Integers, cover: float, mutual: bool) -> Integers:
    """In this order: for each box the one before, itself not absorbed, that covers most of it, or the box itself."""
    taken = np.arange(len(boxes))
    kept, count = np.empty(len(order), np.int64), 0
    for row in order:
        most = 0.0
        for place in range(count):
            other = kept[place]
            common = _common(boxes[row], boxes[other])
            if (
                common > most
                and common >= cover * area[row]
                and (not mutual or common >= cover * area[other])
            ):
                most, taken[row] = common, other
        if taken[row] == row:
            kept[count] = row
            count += 1
    return taken
