"""Figures held against slow and obvious ones, and against keras-retinanet's own, on random sets full of ties."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mammo.metrics.average_precision import average_precision
from mammo.metrics.films import Film, join_films
from mammo.metrics.froc import FPPI, froc_curve
from mammo.metrics.matching import hits, match
from mammo.metrics.protocol import lesions_hit
from mammo.tables.boxes import iou_matrix

RULES = ["lesion_centre_in_detection", "detection_centre_in_lesion", "iou_0.1", "iou_0.2", "iou_0.5"]


@pytest.fixture(params=range(12))
def films(request, image, lesion, detection) -> list[Film]:
    """Up to eight films of boxes on a coarse grid (touching and equal boxes) with scores in steps of a tenth (ties)."""
    rng = np.random.default_rng(request.param)

    def box() -> tuple[float, ...]:
        x, y = rng.integers(0, 8, 2) * 5
        return x, y, x + rng.integers(1, 6) * 5, y + rng.integers(1, 6) * 5

    images = [image(str(index)) for index in range(rng.integers(1, 9))]
    lesions = [
        lesion(row.image_id, *box(), lesion_id=str(number))
        for row in images
        for number in range(rng.integers(0, 4))
    ]
    found = [
        detection(row.image_id, rng.integers(0, 11) / 10, *box())
        for row in images
        for _ in range(rng.integers(0, 15))
    ]
    return join_films(images, lesions or [lesion("0", *box())], found)


def slow_hit(rule: str, found, truth) -> bool:
    def inside(inner, outer) -> bool:
        x, y = (inner[0] + inner[2]) / 2, (inner[1] + inner[3]) / 2
        return outer[0] < x < outer[2] and outer[1] < y < outer[3]

    if rule == "lesion_centre_in_detection":
        return inside(truth, found)
    if rule == "detection_centre_in_lesion":
        return inside(found, truth)
    return slow_iou(found, truth) >= float(rule[4:])


def slow_iou(one, other) -> float:
    pixels = [
        {(x, y) for x in range(int(b[0]), int(b[2])) for y in range(int(b[1]), int(b[3]))}
        for b in (one, other)
    ]
    return len(pixels[0] & pixels[1]) / len(pixels[0] | pixels[1])


def slow_froc(films: list[Film], rule: str, limit: float) -> float:
    """Try every threshold: of those with few enough false positives, the best sensitivity."""
    best = 0.0
    for threshold in {score for film in films for score in film.scores}:
        false = hit = 0
        for film in films:
            free = list(range(len(film.lesions)))
            for found in film.detections[film.scores >= threshold]:
                struck = [index for index, truth in enumerate(film.lesions) if slow_hit(rule, found, truth)]
                false += not struck
                choice = [index for index in struck if index in free]
                if choice:
                    hit += 1
                    free.remove(max(choice, key=lambda index: (slow_iou(found, film.lesions[index]), -index)))
        if false / len(films) <= limit:
            best = max(best, hit / sum(len(film.lesions) for film in films))
    return best


@pytest.mark.parametrize("rule", RULES)
def test_hit_rules_are_what_their_names_say(films, rule):
    for film in films:
        table = hits(rule, film.detections, film.lesions)
        assert table.tolist() == [[slow_hit(rule, d, t) for t in film.lesions] for d in film.detections]


@pytest.mark.parametrize("rule", ["detection_centre_in_lesion", "iou_0.2"])
def test_froc_is_the_best_threshold_that_keeps_to_the_rate(films, rule):
    curve = froc_curve(films, rule)
    assert [curve.at(rate) for rate in FPPI] == pytest.approx([slow_froc(films, rule, rate) for rate in FPPI])


def test_froc_never_falls(films):
    curve = froc_curve(films, "iou_0.1")
    assert (np.diff(curve.fppi) >= 0).all()
    assert (np.diff(curve.sensitivity) >= 0).all()
    assert (curve.fppi[0], curve.sensitivity[0]) == (0, 0)


def test_lesions_hit_counts_lesions_with_any_detection(films):
    expected = sum(
        any(slow_hit(RULES[0], found, truth) for found in film.detections[film.scores >= 0.3])
        for film in films
        for truth in film.lesions
    )
    assert lesions_hit(films, "lesion_centre_in_detection", 0.3) == expected


@pytest.fixture(scope="module")
def keras_retinanet_ap() -> Callable[..., float]:
    """keras-retinanet's own area under the curve, taken from its source: importing the module loads TensorFlow."""
    package = importlib.util.find_spec("keras_retinanet")
    if package is None:
        pytest.skip("keras-retinanet is not installed")
    source = Path(package.submodule_search_locations[0], "utils", "eval.py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if getattr(node, "name", "") == "_compute_ap"]
    namespace = {"np": np}
    exec(compile(tree, "eval.py", "exec"), namespace)
    return namespace["_compute_ap"]


def test_ap_is_that_of_keras_retinanet(films, keras_retinanet_ap):
    """The loop of keras_retinanet.utils.eval.evaluate, for one class."""
    scores, true = [], []
    for film in films:
        detected = []
        for box, score in list(zip(film.detections, film.scores, strict=True))[:100]:
            if score <= 0.05:
                continue
            scores.append(score)
            true.append(0)
            if len(film.lesions):
                overlaps = [slow_iou(box, truth) for truth in film.lesions]
                assigned = int(np.argmax(overlaps))
                if overlaps[assigned] >= 0.5 and assigned not in detected:
                    detected.append(assigned)
                    true[-1] = 1
    order = np.argsort(-np.array(scores), kind="stable")
    hit = np.cumsum(np.array(true)[order])
    expected = keras_retinanet_ap(
        hit / sum(len(film.lesions) for film in films), hit / np.arange(1, len(hit) + 1)
    )
    assert average_precision(films) == pytest.approx(expected)


def test_overlap_is_that_of_keras_retinanet():
    overlap = pytest.importorskip("keras_retinanet.utils.compute_overlap").compute_overlap
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 50, (40, 2))
    boxes = np.hstack([corners, corners + rng.uniform(1, 40, (40, 2))])
    assert iou_matrix(boxes[:20], boxes[20:]) == pytest.approx(overlap(boxes[:20], boxes[20:]))


def test_the_better_of_two_detections_takes_the_lesion_and_the_other_is_second():
    lesions = np.array([[0.0, 0, 10, 10]])
    detections = np.array([[1.0, 1, 10, 10], [0, 0, 10, 10], [50, 50, 60, 60]])
    assert [one.value for one in match("iou_0.5", detections, lesions)] == ["hit", "second", "false"]


def test_one_detection_over_two_lesions_is_credited_with_one_in_froc_and_hits_both_in_the_protocol(
    image, lesion, detection
):
    lesions = [lesion("1", 10, 10, 20, 20), lesion("1", 30, 10, 40, 20, lesion_id="2")]
    films = join_films([image("1")], lesions, [detection("1", 0.9, 5, 5, 45, 25)])
    assert froc_curve(films, "lesion_centre_in_detection").at(8) == 0.5
    assert lesions_hit(films, "lesion_centre_in_detection", 0.1) == 2


def test_a_centre_on_the_border_is_outside():
    box, other = np.array([[0.0, 0, 10, 10]]), np.array([[5.0, 0, 20, 20]])
    assert not hits("lesion_centre_in_detection", other, box).any()
    assert not hits("detection_centre_in_lesion", box, other).any()


def test_a_score_at_the_threshold_counts(image, lesion, detection):
    films = join_films([image("1")], [lesion("1", 1, 1, 5, 5)], [detection("1", 0.1, 0, 0, 6, 6)])
    assert lesions_hit(films, "lesion_centre_in_detection", 0.1) == 1


def test_equal_scores_enter_the_curve_together(image, lesion, detection):
    found = [detection("1", 0.5, 0, 0, 6, 6), detection("1", 0.5, 50, 50, 60, 60)]
    films = join_films([image("1")], [lesion("1", 1, 1, 5, 5)], found)
    curve = froc_curve(films, "iou_0.1")
    assert (curve.at(0.5), curve.at(1)) == (0, 1)


def test_duplicates_are_false_positives_in_ap_only(image, lesion, detection):
    twice = [detection("1", 0.9, 0, 0, 9, 9), detection("1", 0.8, 0, 0, 9, 9)]
    films = join_films([image("1"), image("2")], [lesion("1", 0, 0, 9, 9), lesion("2", 0, 0, 9, 9)], twice)
    assert froc_curve(films, "iou_0.5").fppi.max() == 0
    films = join_films(
        [image("1"), image("2")],
        [lesion("1", 0, 0, 9, 9), lesion("2", 0, 0, 9, 9)],
        [*twice, detection("2", 0.7, 0, 0, 9, 9)],
    )
    assert average_precision(films) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_no_detection_at_all_gives_zero(image, lesion):
    films = join_films([image("1")], [lesion("1", 0, 0, 9, 9)], [])
    assert average_precision(films) == 0
    assert froc_curve(films, "iou_0.5").at(8) == 0
