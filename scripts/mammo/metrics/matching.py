"""When a detection hits a lesion, and which detection is credited with it."""

from __future__ import annotations

from enum import Enum

import numpy as np
from numpy.typing import NDArray

from mammo.settings import HitRule
from mammo.tables.boxes import Boxes, iou_matrix


class Outcome(Enum):
    """What one detection is worth."""

    HIT = "hit"  # the first detection, by score, of a lesion
    SECOND = "second"  # hits lesions that are all hit already: neither a true nor a false positive
    FALSE = "false"  # hits no lesion


def hits(rule: HitRule, detections: Boxes, lesions: Boxes) -> NDArray[np.bool_]:
    """Which detection hits which lesion, shape (detections, lesions). Centres must lie strictly inside the box."""
    if rule == "lesion_centre_in_detection":
        return _centre_inside(lesions, detections).T
    if rule == "detection_centre_in_lesion":
        return _centre_inside(detections, lesions)
    return iou_matrix(detections, lesions) >= float(rule.removeprefix("iou_"))


def _centre_inside(inner: Boxes, outer: Boxes) -> NDArray[np.bool_]:
    centres = ((inner[:, :2] + inner[:, 2:]) / 2)[:, None, :]
    return ((outer[None, :, :2] < centres) & (centres < outer[None, :, 2:])).all(axis=2)


def match(rule: HitRule, detections: Boxes, lesions: Boxes) -> list[Outcome]:
    """Credit each lesion to one detection: the detections choose in their order, which is that of their scores.

    A detection takes, of the lesions that it hits and that are still free, the one with the greatest overlap (IoU), and
    only that one; of equal overlaps the first lesion.
    """
    hit = hits(rule, detections, lesions)
    overlap = iou_matrix(detections, lesions)
    free = np.ones(len(lesions), dtype=bool)
    outcomes = []
    for row, ious in zip(hit, overlap, strict=True):
        if (row & free).any():
            free[np.argmax(np.where(row & free, ious, -1.0))] = False
            outcomes.append(Outcome.HIT)
        else:
            outcomes.append(Outcome.SECOND if row.any() else Outcome.FALSE)
    return outcomes
