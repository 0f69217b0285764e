"""Detections of several members on a test set → one set of detections."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mammo.errors import UserError
from mammo.fusion.nms import non_maximum_suppression
from mammo.fusion.wbf import weighted_boxes_fusion
from mammo.settings import FusionSettings
from mammo.tables.boxes import as_boxes
from mammo.tables.records import Detection


@dataclass(frozen=True)
class Looked:
    """What one member found, and at which images it looked: an image may be looked at and give nothing."""

    images: frozenset[str]
    detections: tuple[Detection, ...]


def fuse(members: Sequence[Looked], settings: FusionSettings) -> list[Detection]:
    """Fuse, image by image and label by label; the order of the members makes no difference.

    Boxes without an area and boxes below `settings.score_floor` are left out. Coordinates are in pixels, stored with 2
    decimals, scores with 6; sorted by image_id, then score from the highest, then box.

    Raises `UserError` where a member found something on an image that it did not look at.
    """
    lookers: dict[str, int] = defaultdict(int)
    pooled: dict[tuple[str, str], list[Detection]] = defaultdict(list)
    for member in members:
        for image_id in member.images:
            lookers[image_id] += 1
        for box in member.detections:
            if box.image_id not in member.images:
                raise UserError(
                    f"a detection belongs to image {box.image_id}, which is not among the images looked at: "
                    "the tables come from different runs; make them again from one config"
                )
            if box.score >= settings.score_floor and box.x1 < box.x2 and box.y1 < box.y2:
                pooled[box.image_id, box.label].append(box)
    fused = (
        box
        for (image_id, label), boxes in pooled.items()
        for box in _fuse_label(image_id, label, boxes, lookers[image_id], settings)
    )
    return sorted(fused, key=_order)


def _order(box: Detection) -> tuple[str, float, float, float, float, float, str]:
    return (box.image_id, -box.score, box.x1, box.y1, box.x2, box.y2, box.label)


def _fuse_label(
    image_id: str, label: str, found: Iterable[Detection], looked: int, settings: FusionSettings
) -> list[Detection]:
    ordered = sorted(found, key=_order)  # ties by box, so that the members' order cannot matter
    boxes = as_boxes([[box.x1, box.y1, box.x2, box.y2] for box in ordered])
    scores = np.array([box.score for box in ordered])
    if settings.method == "wbf":
        boxes, scores = weighted_boxes_fusion(boxes, scores, settings.iou, looked)
    else:
        boxes, scores = non_maximum_suppression(boxes, scores, settings.iou)
    return [
        Detection(
            image_id=image_id,
            **dict(zip(("x1", "y1", "x2", "y2"), (round(float(side), 2) for side in box), strict=True)),
            score=round(float(score), 6),
            label=label,
        )
        for box, score in zip(boxes, scores, strict=True)
    ]
