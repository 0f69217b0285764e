"""Every method against its definition, spelt out slowly, on random and hostile boxes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from fusion_groups import hostile_boxes, random_boxes, sorted_group

from mammo.fusion import kernels
from mammo.fusion.methods import METHODS
from mammo.settings import FusionSettings

CASES = [(kind, seed) for kind in (random_boxes, hostile_boxes) for seed in range(20)]


def common(one, other):
    return max(0, min(one[2], other[2]) - max(one[0], other[0])) * max(
        0, min(one[3], other[3]) - max(one[1], other[1])
    )


def area(box):
    return (box[2] - box[0]) * (box[3] - box[1])


def overlap(one, other):
    return common(one, other) / (area(one) + area(other) - common(one, other))


def a_group(kind, seed):
    rng = np.random.default_rng(seed)
    count, members = int(rng.integers(1, 70)), int(rng.integers(1, 6))
    weights = rng.choice([0.5, 1.0, 2.0], members)
    return sorted_group(
        kind(rng, count), rng.integers(0, 6, count) / 5, weights, rng.integers(0, members, count)
    )


@pytest.mark.parametrize(("kind", "seed"), CASES)
def test_nms(kind, seed):
    group, kept = a_group(kind, seed), []
    for row, box in enumerate(group.boxes):
        if all(overlap(box, group.boxes[other]) <= 0.4 for other in kept):
            kept.append(row)
    assert kernels.nms(group.boxes, 0.4).tolist() == kept


@pytest.mark.parametrize("linear", [True, False], ids=["linear", "gaussian"])
@pytest.mark.parametrize(("kind", "seed"), CASES)
def test_soft_nms(kind, seed, linear):
    group = a_group(kind, seed)
    waiting, left = list(range(len(group.boxes))), group.scores.tolist()
    while waiting:
        best = min(waiting, key=lambda row: (-left[row], row))
        waiting.remove(best)
        for row in waiting:
            shared = overlap(group.boxes[row], group.boxes[best])
            left[row] *= (1 - shared if shared > 0.4 else 1) if linear else math.exp(-(shared**2) / 0.3)
    assert kernels.soft_nms(group.boxes, group.scores, 0.4, 0.3, linear) == pytest.approx(left, abs=1e-12)


@pytest.mark.parametrize("penalty", [0.0, 1.0, 2.5])
@pytest.mark.parametrize(("kind", "seed"), CASES)
def test_wcf(kind, seed, penalty):
    group = a_group(kind, seed)
    clusters, last, fused_boxes = [], None, []
    for row in zip(group.boxes.tolist(), group.scores, group.weights, group.members, strict=True):
        if last is None or last[:3] != row[:3]:
            overlaps = [overlap(fused, row[0]) for fused in fused_boxes]
            best = int(np.argmax(overlaps)) if overlaps and max(overlaps) > 0.5 else len(clusters)
        last = row
        if best == len(clusters):
            clusters.append([])
            fused_boxes.append(row[0])
        if row[3] not in [other[3] for other in clusters[best]]:
            clusters[best].append(row)
            if len(clusters[best]) > 1 and sum(other[1] for other in clusters[best]) > 0:
                boxes, weights = (
                    [other[0] for other in clusters[best]],
                    [other[1] for other in clusters[best]],
                )
                fused_boxes[best] = np.average(boxes, axis=0, weights=weights).tolist()
    scores = [
        sum(row[1] for row in rows) / sum(row[2] for row in rows)
        * (sum(row[2] for row in rows) / group.looked) ** penalty
        for rows in clusters
    ]  # fmt: skip
    found = kernels.wcf(group.boxes, group.scores, group.weights, group.members, 0.5, group.looked, penalty)
    assert found[0] == pytest.approx(np.array(fused_boxes), abs=1e-9)
    assert found[1] == pytest.approx(np.array(scores), abs=1e-9)


def test_a_member_s_second_box_is_no_agreement():
    """One of two members, twice: as if once; both: the mean. So for the place."""
    settings = FusionSettings(method="wcf", iou=0.5)
    twice = sorted_group([[0, 0, 10, 10], [0, 0, 10, 9]], [0.8, 0.7], [1, 1], [0, 0])
    boxes, scores = METHODS["wcf"](twice, settings)
    assert (boxes.tolist(), scores.tolist()) == ([[0, 0, 10, 10]], [0.4])
    both = sorted_group([[0, 0, 10, 10], [0, 0, 10, 8]], [0.8, 0.8], [1, 1], [0, 1])
    boxes, scores = METHODS["wcf"](both, settings)
    assert boxes == pytest.approx(np.array([[0, 0, 10, 9]]))
    assert scores == pytest.approx([0.8])


def team(group, cover, equal):
    """Who stays for whom, by the words of docs/ensembles.md."""
    stays, goes_to = [], {}
    boxes = group.boxes
    for row in range(len(boxes)):  # by falling score
        shared = {other: common(boxes[row], boxes[other]) for other in stays}
        over = {
            o: c for o, c in shared.items() if c >= equal * area(boxes[row]) and c >= equal * area(boxes[o])
        }
        if over:
            goes_to[row] = max(over, key=over.get)
        else:
            stays.append(row)
    kept = []
    for row in sorted(stays, key=lambda row: -area(boxes[row])):
        over = {o: common(boxes[row], boxes[o]) for o in kept}
        over = {o: c for o, c in over.items() if c >= cover * area(boxes[row])}
        if over:
            goes_to[row] = max(over, key=over.get)
        else:
            kept.append(row)
    keeper = []
    for row in range(len(boxes)):
        while row in goes_to:
            row = goes_to[row]
        keeper.append(row)
    return keeper


@pytest.mark.parametrize(("kind", "seed"), CASES)
def test_the_team_s_rules(kind, seed):
    group, settings = a_group(kind, seed), FusionSettings()
    keeper = team(group, 0.75, 0.9)
    assert kernels.team(group.boxes, 0.75, 0.9).tolist() == keeper
    kept = sorted(set(keeper))
    boxes, scores = METHODS["team_drop"](group, settings)
    assert boxes.tolist() == group.boxes[kept].tolist() and scores.tolist() == group.scores[kept].tolist()
    boxes, scores = METHODS["team_mean"](group, settings)
    means = [
        sum(group.scores[row] for row in range(len(keeper)) if keeper[row] == own)
        / sum(group.weights[row] for row in range(len(keeper)) if keeper[row] == own)
        for own in kept
    ]
    assert boxes.tolist() == group.boxes[kept].tolist()
    assert scores == pytest.approx(means, abs=1e-12)


def test_the_team_s_rules_by_example():
    inside = sorted_group([[0, 0, 100, 100], [10, 10, 50, 50]], [0.2, 0.9])
    assert METHODS["team_drop"](inside, FusionSettings())[0].tolist() == [[0, 0, 100, 100]]
    assert METHODS["team_mean"](inside, FusionSettings())[1] == pytest.approx([0.55])
    equal = sorted_group([[0, 0, 100, 100], [2, 0, 100, 100]], [0.2, 0.9])
    assert METHODS["team_drop"](equal, FusionSettings())[0].tolist() == [[2, 0, 100, 100]]
    three_quarters = sorted_group([[0, 0, 100, 100], [75, 0, 175, 50], [76, 0, 176, 50]], [0.5, 0.4, 0.3])
    assert len(METHODS["team_drop"](three_quarters, FusionSettings())[0]) == 2


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", [random_boxes, hostile_boxes])
def test_scores_stay_within_0_and_1(method, kind):
    for seed in range(20):
        boxes, scores = METHODS[method](a_group(kind, seed), FusionSettings(method=method, iou=0.3))
        assert boxes.shape == (len(scores), 4)
        assert scores.round(6).max(initial=0) <= 1 and scores.min(initial=0) >= 0
