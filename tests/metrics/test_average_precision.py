"""AP at several overlaps and for kinds of lesions; its curve."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mammo.metrics.average_precision import (
    average_precision,
    average_precision_statistic,
    lesions_of_size,
    lesions_of_type,
)
from mammo.metrics.films import Film, join_films
from mammo.metrics.precision_recall import precision_at, precision_recall
from mammo.metrics.statistic import patients_of, value_of
from mammo.tables.boxes import iou_matrix


def figure(films: list[Film], iou: float, chosen=None) -> float | None:
    return value_of(average_precision_statistic(films, iou, chosen), len(patients_of(films)[0]))


def slow_ap(films: list[Film], iou: float, chosen: list[np.ndarray]) -> float:
    """keras-retinanet's loop over detections, those of lesions that are not chosen left out."""
    ranked = []
    for film, counts in zip(films, chosen, strict=True):
        taken = set()
        for box, score in list(zip(film.detections, film.scores, strict=True))[:100]:
            if score <= 0.05:
                continue
            overlaps = iou_matrix(box[None], film.lesions)[0]
            lesion = int(np.argmax(overlaps)) if len(overlaps) else -1
            if lesion < 0 or overlaps[lesion] < iou:
                ranked.append((score, False))
            elif counts[lesion]:
                ranked.append((score, lesion not in taken))
                taken.add(lesion)
    ranked.sort(key=lambda pair: -pair[0])
    found = np.cumsum([true for _, true in ranked])
    precision = [hit / (place + 1) for place, hit in enumerate(found)]
    steps = [max(precision[place:]) for place, (_, true) in enumerate(ranked) if true]
    return sum(steps) / sum(counts.sum() for counts in chosen)


@pytest.fixture(scope="module")
def evaluate() -> Callable[[list[Film], float], float]:
    """keras-retinanet's own `evaluate`, taken from its source (importing it loads TensorFlow) and given what it would
    have found and read."""
    package = importlib.util.find_spec("keras_retinanet")
    if package is None:
        pytest.skip("keras-retinanet is not installed")
    overlap = pytest.importorskip("keras_retinanet.utils.compute_overlap").compute_overlap
    tree = ast.parse(
        Path(package.submodule_search_locations[0], "utils", "eval.py").read_text(encoding="utf-8")
    )
    tree.body = [node for node in tree.body if getattr(node, "name", "") in ("_compute_ap", "evaluate")]

    def figure(films: list[Film], iou: float) -> float:
        found = [np.column_stack([film.detections, film.scores])[:100] for film in films]
        given = {
            "np": np,
            "compute_overlap": overlap,
            "_get_detections": lambda *_, **__: (
                [[rows[rows[:, 4] > 0.05]] for rows in found],
                [0.0] * len(films),
            ),
            "_get_annotations": lambda _: [[film.lesions] for film in films],
        }
        exec(compile(tree, "eval.py", "exec"), given)
        figures, _ = given["evaluate"](_Generator(len(films)), None, iou_threshold=iou)
        return float(figures[0][0])

    return figure


class _Generator:
    """What `evaluate` asks a generator: how many films, how many classes."""

    def __init__(self, films: int) -> None:
        self.size, self.num_classes, self.has_label = lambda: films, lambda: 1, lambda label: label == 0


@pytest.mark.parametrize("iou", [0.1, 0.2, 0.5])
@pytest.mark.parametrize("seed", range(6))
def test_ap_is_that_of_keras_retinanet_s_evaluate(make_films, evaluate, seed, iou):
    films = make_films(seed, boxes=140 if seed == 5 else 15, ties=False)
    assert figure(films, iou) == pytest.approx(evaluate(films, iou), abs=1e-9)


@pytest.mark.parametrize("iou", [0.1, 0.2, 0.5])
@pytest.mark.parametrize("seed", range(6))
def test_ap_is_the_obvious_loop_s_at_every_overlap_and_for_some_of_the_lesions(make_films, seed, iou):
    films = make_films(seed)
    everything = [np.ones(len(film.lesions), bool) for film in films]
    rng = np.random.default_rng(seed)
    some = [rng.random(len(film.lesions)) < 0.5 for film in films]
    assert figure(films, iou) == pytest.approx(slow_ap(films, iou, everything), abs=1e-12)
    assert figure(films, iou, some) == pytest.approx(slow_ap(films, iou, some), abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_the_statistic_and_the_figure_of_an_epoch_are_one(make_films, seed):
    films = make_films(seed)
    assert figure(films, 0.5) == pytest.approx(average_precision(films), abs=1e-12)


def test_a_type_is_not_charged_with_detections_of_another(image, lesion, detection):
    types = [("1", "mass", 0), ("1", "calcification", 50)]
    lesions = [
        lesion(name, x, 0, x + 20, 20, lesion_id=kind).model_copy(update={"lesion_type": kind})
        for name, kind, x in types
    ]
    found = [
        detection("1", 0.9, 50, 0, 70, 20),
        detection("1", 0.8, 50, 0, 70, 20),
        detection("1", 0.7, 0, 0, 20, 20),
    ]
    films = join_films([image("1")], lesions, found)
    assert figure(films, 0.5, lesions_of_type(films, "mass")) == 1.0
    assert figure(films, 0.5, lesions_of_type(films, "asymmetry")) is None


def test_sizes_are_the_longest_side_in_millimetres_and_unknown_ones_are_in_no_class(image, lesion):
    known = image("1").model_copy(update={"pixel_mm": 0.1})
    lesions = [
        lesion("1", 0, 0, 20, 100),
        lesion("1", 0, 0, 99, 30, lesion_id="2"),
        lesion("2", 0, 0, 50, 50),
    ]
    films = join_films([known, image("2")], lesions, [])
    assert [counts.tolist() for counts in lesions_of_size(films, 10, 20)] == [[True, False], [False]]
    assert [counts.tolist() for counts in lesions_of_size(films, 0, 10)] == [[False, True], [False]]


def test_the_area_under_the_curve_is_the_figure(make_films):
    films = make_films(2)
    curve = precision_recall(films, 0.2)
    area = np.sum(np.diff(curve.recall, prepend=0) * curve.envelope)
    assert figure(films, 0.2) == pytest.approx(area)
    assert precision_recall([film for film in films if not len(film.lesions)], 0.2) is None


def test_the_band_of_the_curve_is_zero_where_a_recall_is_not_reached(image, lesion, detection):
    lesions = [lesion("1", 0, 0, 9, 9), lesion("2", 0, 0, 9, 9)]
    found = [detection("2", 0.9, 50, 50, 60, 60), detection("1", 0.8, 0, 0, 9, 9)]
    films = join_films([image("1", "a"), image("2", "b"), image("3", "c")], lesions, found)
    band = precision_at(films, 0.5, np.array([0, 0.5, 0.6, 1]))(np.array([[1.0, 1, 1], [2, 0, 1], [0, 0, 1]]))
    assert band[0].tolist() == [0.5, 0.5, 0, 0]
    assert band[1].tolist() == [1, 1, 1, 1]
    assert np.isnan(band[2]).all()
