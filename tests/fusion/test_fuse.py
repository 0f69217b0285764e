"""Fusion of several members' detections."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mammo.errors import UserError
from mammo.fusion.fuse import Looked, fuse
from mammo.settings import FusionSettings
from mammo.tables.detections import DetectionColumns, as_columns
from mammo.tables.records import Detection

WBF = FusionSettings(iou=0.5)
NMS = FusionSettings(method="nms", iou=0.5)


def box(score: float, *sides: float, image_id: str = "1", label: str = "malignant") -> Detection:
    x1, y1, x2, y2 = sides
    return Detection(image_id=image_id, x1=x1, y1=y1, x2=x2, y2=y2, score=score, label=label)


def member(*found: Detection, images: tuple[str, ...] = ("1",)) -> Looked:
    return Looked(frozenset(images), as_columns(found))


def rows(found: DetectionColumns) -> list[Detection]:
    columns = zip(found.image_ids, found.boxes.tolist(), found.scores.tolist(), found.labels, strict=True)
    return [box(score, *sides, image_id=image_id, label=label) for image_id, sides, score, label in columns]


def plain(found: DetectionColumns) -> list[tuple[float, ...]]:
    return [(row.score, row.x1, row.y1, row.x2, row.y2) for row in rows(found)]


THREE = (
    member(box(0.9, 100, 100, 200, 200), box(0.6, 600, 600, 700, 720), box(0.3, 105, 95, 195, 205)),
    member(box(0.8, 110, 105, 210, 205), box(0.4, 300, 300, 400, 400)),
    member(box(0.7, 95, 98, 198, 196), box(0.5, 610, 590, 705, 715), box(0.2, 305, 290, 410, 395)),
)


def test_wbf_gives_what_ensemble_boxes_gives():
    """Expected: weighted_boxes_fusion of ensemble-boxes 1.0.9, iou_thr .5, on these boxes divided by 1000."""
    expected = [
        (0.675, 102.222, 100.407, 201.889, 201.0),
        (0.366667, 604.545, 595.455, 702.273, 717.727),
        (0.2, 301.667, 296.667, 403.333, 398.333),
    ]
    assert np.array(plain(fuse(THREE, WBF))) == pytest.approx(np.array(expected), abs=0.006)


@pytest.mark.parametrize("settings", [WBF, NMS])
def test_the_order_of_members_does_not_matter(settings):
    tied = (member(box(0.5, 0, 0, 10, 10)), member(box(0.5, 3, 0, 13, 10)), member(box(0.5, 6, 0, 16, 10)))
    for members in (THREE, tied):
        outcomes = {str(rows(fuse(order, settings))) for order in itertools.permutations(members)}
        assert len(outcomes) == 1


def test_what_all_members_saw_keeps_its_score_and_what_one_of_two_saw_halves():
    both, one = box(0.8, 0, 0, 10, 10), box(0.6, 50, 50, 60, 60)
    assert plain(fuse([member(both, one), member(both)], WBF)) == [(0.8, 0, 0, 10, 10), (0.3, 50, 50, 60, 60)]


def test_a_member_that_did_not_look_does_not_count_against_a_box():
    found = member(box(0.8, 0, 0, 10, 10))
    assert plain(fuse([found, member(images=("2",))], WBF)) == [(0.8, 0, 0, 10, 10)]
    assert plain(fuse([found, member(images=("1", "2"))], WBF)) == [(0.4, 0, 0, 10, 10)]


def test_labels_are_fused_apart():
    members = [member(box(0.8, 0, 0, 10, 10, label="benign"), box(0.6, 0, 0, 10, 10))]
    for settings in (WBF, NMS):
        assert [row.label for row in rows(fuse(members, settings))] == ["benign", "malignant"]


def test_nothing_found_is_an_answer():
    assert rows(fuse([member(), member()], WBF)) == []
    assert rows(fuse([], NMS)) == []


def test_boxes_below_the_floor_and_without_area_are_left_out():
    weak = member(box(0.009, 0, 0, 10, 10), box(0.01, 20, 20, 30, 30), box(0.9, 5, 5, 5, 9))
    assert plain(fuse([weak], WBF)) == [(0.01, 20, 20, 30, 30)]


def test_boxes_of_score_zero_are_fused_without_weight():
    settings = FusionSettings(score_floor=0)
    assert plain(fuse([member(box(0, 0, 0, 10, 10)), member(box(0, 0, 0, 10, 9))], settings)) == [
        (0, 0, 0, 10, 9)
    ]


def test_a_box_of_an_image_that_was_not_looked_at_is_an_error():
    with pytest.raises(UserError, match="image 9"):
        fuse([member(box(0.5, 0, 0, 9, 9, image_id="9"))], WBF)


def test_nms_keeps_the_best_of_overlapping_boxes_as_it_is():
    members = [
        member(box(0.9, 0, 0, 10, 10)),
        member(box(0.8, 1, 0, 11, 10)),
        member(box(0.2, 40, 40, 50, 50)),
    ]
    assert plain(fuse(members, NMS)) == [(0.9, 0, 0, 10, 10), (0.2, 40, 40, 50, 50)]


def test_nms_is_that_of_the_definition():
    rng = np.random.default_rng(1)
    corners = rng.integers(0, 30, (60, 2))
    found = [
        box(score / 100, x, y, x + 12, y + 12)
        for (x, y), score in zip(corners, rng.permutation(60), strict=True)
    ]
    kept: list[Detection] = []
    for row in sorted(found, key=lambda row: -row.score):
        if row.score >= 0.01 and all(_iou(row, other) <= 0.5 for other in kept):
            kept.append(row)
    assert rows(fuse([member(*found[:30]), member(*found[30:])], NMS)) == kept


def _iou(one: Detection, other: Detection) -> float:
    across = min(one.x2, other.x2) - max(one.x1, other.x1)
    down = min(one.y2, other.y2) - max(one.y1, other.y1)
    common = max(0, across) * max(0, down)
    return common / (2 * 144 - common)


def test_detections_come_sorted_by_image_and_score():
    found = [
        box(0.2, 0, 0, 9, 9, image_id="b"),
        box(0.9, 0, 0, 9, 9, image_id="b"),
        box(0.1, 0, 0, 9, 9, image_id="a"),
    ]
    apart = FusionSettings(iou=1.0)
    fused = fuse([member(*found, images=("a", "b"))], apart)
    assert [(row.image_id, row.score) for row in rows(fused)] == [("a", 0.1), ("b", 0.9), ("b", 0.2)]
