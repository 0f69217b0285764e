"""Kernels against ensemble-boxes 1.0.9 on what it can take: to 1e-9 where it is right, and where it is not, how.

The package sums boxes in single precision; here it is let do so in double. Where scores tie its order is that of an
unstable sort; there its rows are put into our order before its own fusion begins.
"""

from __future__ import annotations

import numpy as np
import pytest
from ensemble_boxes import ensemble_boxes_nms, ensemble_boxes_nmw, ensemble_boxes_wbf
from fusion_groups import hostile_boxes, random_boxes, sorted_group

from mammo.fusion import kernels

SIDE = 4096  # a power of two: boxes divided by it keep every overlap to the last bit
BOXES = {"random": random_boxes, "hostile": hostile_boxes}


class DoubleNumpy:
    """numpy for the package, in which its single precision is double."""

    float32 = np.float64

    def __getattr__(self, name):
        return getattr(np, name)


@pytest.fixture(autouse=True)
def in_double_precision(monkeypatch):
    for module in (ensemble_boxes_wbf, ensemble_boxes_nmw):
        monkeypatch.setattr(module, "np", DoubleNumpy())


def their(monkeypatch, module, fusion, group, members, weights, iou):
    """Boxes and scores of the package, which is handed the group's rows in our order."""
    rows = [np.zeros(len(group.boxes)), group.scores, group.weights, group.members, *(group.boxes / SIDE).T]
    if module is ensemble_boxes_nmw:
        del rows[2:4]
    monkeypatch.setattr(module, "prefilter_boxes", lambda *_: {0: np.column_stack(rows)})
    boxes, scores, _ = fusion(
        [[]] * members, [[]] * members, [[]] * members, weights=list(weights), iou_thr=iou
    )
    return np.column_stack([boxes * SIDE, scores])


def assert_same(ours, theirs):
    """The same rows in any order, to 1e-9."""
    ours = np.column_stack(ours)
    assert ours.shape == theirs.shape
    near = np.abs(ours[:, None] - theirs[None]).max(axis=2) < 1e-9 * SIDE
    assert near.any(axis=0).all() and near.any(axis=1).all()
    assert np.sort(ours[:, 4]) == pytest.approx(np.sort(theirs[:, 4]), abs=1e-9)


def cases(count):
    return [(kind, seed) for kind in BOXES for seed in range(count)]


@pytest.mark.parametrize(("kind", "seed"), cases(25))
def test_wbf_of_equal_weights(monkeypatch, kind, seed):
    rng = np.random.default_rng(seed)
    members, count = int(rng.integers(1, 6)), int(rng.integers(1, 60))
    scores = rng.integers(1, 8, count) / 8 if seed % 2 else rng.random(count) + 1e-3
    group = sorted_group(
        BOXES[kind](rng, count), scores, np.ones(members), rng.integers(0, members, count), members
    )
    iou = float(rng.choice([0.0, 0.3, 0.5, 0.55, 0.8]))
    theirs = their(
        monkeypatch,
        ensemble_boxes_wbf,
        ensemble_boxes_wbf.weighted_boxes_fusion,
        group,
        members,
        np.ones(members),
        iou,
    )
    assert_same(kernels.wbf(group.boxes, group.scores, group.weights, iou, group.looked), theirs)


@pytest.mark.parametrize(("kind", "seed"), cases(25))
def test_wbf_of_any_weights_where_no_member_finds_a_thing_twice(monkeypatch, kind, seed):
    rng = np.random.default_rng(seed)
    members = int(rng.integers(2, 12))
    weights = rng.choice([0.25, 1, 2, 3.5], members)
    weights /= weights.max()
    group = sorted_group(
        BOXES[kind](rng, members), rng.integers(1, 9, members) / 8, weights, np.arange(members)
    )
    theirs = their(
        monkeypatch,
        ensemble_boxes_wbf,
        ensemble_boxes_wbf.weighted_boxes_fusion,
        group,
        members,
        weights,
        0.5,
    )
    assert_same(kernels.wbf(group.boxes, group.scores, group.weights, 0.5, group.looked), theirs)


def test_its_wbf_passes_1_where_a_heavy_member_finds_a_thing_twice():
    boxes, weights = [[[0.1, 0.1, 0.2, 0.2]] * 2, []], [10, 1]
    _, scores, _ = ensemble_boxes_wbf.weighted_boxes_fusion(
        boxes, [[0.9, 0.9], []], [[0, 0], []], weights=weights
    )
    assert scores.tolist() == pytest.approx([18 / 11])
    group = sorted_group([[1, 1, 2, 2]] * 2, [0.9, 0.9], weights, [0, 0])
    assert kernels.wbf(group.boxes, group.scores, group.weights, 0.55, 1.1)[1].tolist() == pytest.approx(
        [0.9]
    )


@pytest.mark.parametrize(("kind", "seed"), cases(25))
def test_nmw_of_any_weights(monkeypatch, kind, seed):
    rng = np.random.default_rng(seed)
    members, count = int(rng.integers(1, 6)), int(rng.integers(1, 60))
    weights = rng.choice([0.25, 1, 2, 3.5], members)
    group = sorted_group(
        BOXES[kind](rng, count), rng.integers(1, 8, count) / 8, weights, rng.integers(0, members, count)
    )
    theirs = their(
        monkeypatch, ensemble_boxes_nmw, ensemble_boxes_nmw.non_maximum_weighted, group, members, weights, 0.5
    )
    assert_same(kernels.nmw(group.boxes, group.scores, 0.5), theirs)


@pytest.mark.parametrize(("kind", "seed"), cases(25))
def test_nms_of_scores_that_differ(kind, seed):
    """It divides by the sum of the weights where we divide by the greatest: its scores are lower by that factor."""
    rng = np.random.default_rng(seed)
    count, weights = int(rng.integers(2, 60)), np.array([1, 0.6180339887])  # no product ties
    boxes, scores = BOXES[kind](rng, count), (rng.permutation(count) + 1) / (count + 1)
    members = rng.permutation(np.arange(count) % 2)
    parts = [members == 0, members == 1]
    theirs, their_scores, _ = ensemble_boxes_nms.nms(
        [boxes[part] / SIDE for part in parts], [scores[part] for part in parts], [members[part] * 0 for part in parts],
        iou_thr=0.5, weights=weights,
    )  # fmt: skip
    group = sorted_group(boxes, scores, weights, members)
    kept = kernels.nms(group.boxes, 0.5)
    assert_same(
        (group.boxes[kept], group.scores[kept]),
        np.column_stack([theirs * SIDE, their_scores * weights.sum()]),
    )


@pytest.mark.parametrize("linear", [True, False], ids=["linear", "gaussian"])
@pytest.mark.parametrize(("kind", "seed"), cases(15))
def test_soft_nms_of_scores_that_differ(kind, seed, linear):
    """Its inner function; `soft_nms` itself returns the scores from before, as the next test shows."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 60))
    group = sorted_group(BOXES[kind](rng, count), (rng.permutation(count) + 1) / (count + 1))
    left = group.scores.copy()
    kept = ensemble_boxes_nms.cpu_soft_nms_float(
        group.boxes / SIDE, left, 0.4, 0.5, 1e-12, 1 if linear else 2
    )
    ours = kernels.soft_nms(group.boxes, group.scores, 0.4, 0.5, linear)
    assert ours[kept] == pytest.approx(left[left > 1e-12], abs=1e-9)
    assert (ours[np.setdiff1d(np.arange(count), kept)] <= 1e-9).all()


def test_its_soft_nms_gives_back_the_scores_from_before():
    boxes = [[0.1, 0.1, 0.3, 0.3], [0.1, 0.1, 0.3, 0.31]]
    _, scores, _ = ensemble_boxes_nms.soft_nms([np.array(boxes)], [np.array([0.9, 0.8])], [np.zeros(2)])
    assert scores.tolist() == [0.9, 0.8]
    group = sorted_group(boxes, [0.9, 0.8])
    assert kernels.soft_nms(group.boxes, group.scores, 0.5, 0.5, False)[1] < 0.2
