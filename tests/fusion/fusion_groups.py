"""Pooled boxes as kernels take them: random ones, and ones that tie, touch, contain and equal each other."""

from __future__ import annotations

import numpy as np

from mammo.fusion.kernels import group_rows, order_within
from mammo.fusion.methods import Group


def sorted_group(boxes, scores, weights=None, members=None, looked=None) -> Group:
    """The group of these boxes; `scores` before weighting, `weights` by member."""
    members = np.zeros(len(boxes), np.int64) if members is None else np.asarray(members, np.int64)
    by_member = np.ones(members.max() + 1) if weights is None else np.asarray(weights, float) / max(weights)
    boxes, weights = np.asarray(boxes, float), by_member[members]
    scores = np.asarray(scores, float) * weights
    starts, rows = group_rows(np.zeros(len(boxes), np.int64), 1)
    order_within(starts, rows, scores, boxes, weights)
    looked = by_member.sum() if looked is None else looked
    return Group(boxes[rows], scores[rows], weights[rows], members[rows], float(looked))


def random_boxes(rng, count):
    """Boxes anywhere, many of them around a few places."""
    places = rng.uniform(0, 2000, (4, 2))[rng.integers(0, 4, count)]
    corners = np.where(
        rng.random((count, 1)) < 0.7, places + rng.normal(0, 20, (count, 2)), rng.uniform(0, 2000, (count, 2))
    )
    corners = np.abs(corners)
    return np.hstack([corners, corners + rng.uniform(100, 300, (count, 2))])


def hostile_boxes(rng, count):
    """Whole numbers from a small range: equal, touching, nested boxes and exact ties of overlap."""
    corners = rng.integers(0, 6, (count, 2))
    return np.hstack([corners, corners + rng.integers(1, 6, (count, 2))]).astype(float)
