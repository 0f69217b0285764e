"""The methods of fusion by name: the boxes of one image and one label, of all members, become fewer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mammo.fusion import kernels
from mammo.fusion.kernels import Floats, Integers
from mammo.settings import FusionSettings
from mammo.tables.boxes import Boxes


@dataclass(frozen=True)
class Group:
    """Pooled boxes of one image and one label, by falling score, as the kernels take them.

    `boxes` (n, 4) in pixels; `scores` (n,) times `weights` (n,), those of the members; `members` (n,), from 0;
    `looked`: summed weight of the members that looked at the image. The heaviest of these weighs 1.
    """

    boxes: Boxes
    scores: Floats
    weights: Floats
    members: Integers
    looked: float


Fused = tuple[Boxes, Floats]


def _nms(group: Group, settings: FusionSettings) -> Fused:
    kept = kernels.nms(group.boxes, group.scores, settings.iou)
    return group.boxes[kept], group.scores[kept]


def _soft_nms(group: Group, settings: FusionSettings) -> Fused:
    linear = settings.soft_nms_decay == "linear"
    left = kernels.soft_nms(group.boxes, group.scores, settings.iou, settings.soft_nms_sigma, linear)
    kept = left >= settings.score_floor
    return group.boxes[kept], left[kept]


def _nmw(group: Group, settings: FusionSettings) -> Fused:
    return kernels.nmw(group.boxes, group.scores, settings.iou)


def _wbf(group: Group, settings: FusionSettings) -> Fused:
    return kernels.wbf(group.boxes, group.scores, group.weights, settings.iou, group.looked)


def _wcf(group: Group, settings: FusionSettings) -> Fused:
    return kernels.wcf(
        group.boxes,
        group.scores,
        group.weights,
        group.members,
        settings.iou,
        group.looked,
        settings.wcf_penalty,
    )


def _team_drop(group: Group, settings: FusionSettings) -> Fused:
    keeper = kernels.team(group.boxes, group.scores, settings.team_cover, settings.team_equal)
    kept = keeper == np.arange(len(keeper))
    return group.boxes[kept], group.scores[kept]


def _team_mean(group: Group, settings: FusionSettings) -> Fused:
    keeper = kernels.team(group.boxes, group.scores, settings.team_cover, settings.team_equal)
    kept = keeper == np.arange(len(keeper))
    total, weight = np.bincount(keeper, group.scores), np.bincount(keeper, group.weights)
    return group.boxes[kept], total[kept[: len(total)]] / weight[kept[: len(total)]]


METHODS: dict[str, Callable[[Group, FusionSettings], Fused]] = {
    "nms": _nms,
    "soft_nms": _soft_nms,
    "nmw": _nmw,
    "wbf": _wbf,
    "wcf": _wcf,
    "team_drop": _team_drop,
    "team_mean": _team_mean,
}
