"""ROC figures, held against scikit-learn; what an image, a breast and a case are."""

from __future__ import annotations

import numpy as np
import pytest

from mammo.metrics.bootstrap import band, resamples_of
from mammo.metrics.films import Film, join_films
from mammo.metrics.roc import auc, partial_auc, roc_at, roc_curve, sensitivity_at_specificity
from mammo.metrics.statistic import patients_of, value_of

LEVELS = ["image", "breast", "case"]


def slow_units(films: list[Film], level: str) -> tuple[list[bool], list[float]]:
    """Whether each unit has a lesion, and its score."""
    groups: dict[tuple, list[Film]] = {}
    for film in films:
        if level == "image" or (level == "breast" and not film.image.laterality):
            key = (film.image_id,)
        else:
            key = (*film.case, film.image.laterality if level == "breast" else "")
        groups.setdefault(key, []).append(film)
    positive = [any(len(film.lesions) for film in group) for group in groups.values()]
    scores = [max([0.0, *(s for film in group for s in film.scores)]) for group in groups.values()]
    return positive, scores


def figure(statistic, films: list[Film]) -> float | None:
    return value_of(statistic, len(patients_of(films)[0]))


@pytest.fixture(params=range(10))
def films(request, make_films) -> list[Film]:
    """Sets with positives and negatives at every level, every other one full of ties."""
    return make_films(request.param, films=40, boxes=4, ties=request.param % 2 == 0)


@pytest.mark.parametrize("level", LEVELS)
def test_areas_are_those_of_scikit_learn(films, level):
    metrics = pytest.importorskip("sklearn.metrics")
    positive, scores = slow_units(films, level)
    if all(positive):
        assert figure(auc(films, level), films) is None
        return
    assert figure(auc(films, level), films) == pytest.approx(
        metrics.roc_auc_score(positive, scores), abs=1e-12
    )
    for specificity in (0.8, 0.5, 0.93):
        expected = metrics.roc_auc_score(positive, scores, max_fpr=1 - specificity)
        assert figure(partial_auc(films, level, specificity), films) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("level", ["image", "breast"])
def test_the_curve_is_that_of_scikit_learn(films, level):
    metrics = pytest.importorskip("sklearn.metrics")
    false, true, thresholds = metrics.roc_curve(*slow_units(films, level), drop_intermediate=False)
    curve = roc_curve(films, level)
    assert curve.false_positive_rate == pytest.approx(false, abs=1e-12)
    assert curve.sensitivity == pytest.approx(true, abs=1e-12)
    assert curve.thresholds == pytest.approx(thresholds)


@pytest.mark.parametrize("specificity", [0.8, 0.9, 0.95])
def test_sensitivity_at_a_specificity_is_the_best_threshold_s(films, specificity):
    positive, scores = map(np.array, slow_units(films, "image"))
    best = 0.0
    for threshold in [*scores, 2.0]:
        if (scores[~positive] < threshold).mean() >= specificity - 1e-9:
            best = max(best, (scores[positive] >= threshold).mean())
    found = figure(sensitivity_at_specificity(films, "image", specificity), films)
    assert found == pytest.approx(best, abs=1e-12)


def test_nine_negatives_of_ten_are_a_specificity_of_point_nine(image, lesion, detection):
    names = [f"{number:02d}" for number in range(11)]
    found = [detection("00", 0.5, 0, 0, 9, 9), detection("01", 0.6, 0, 0, 9, 9)]
    films = join_films([image(name) for name in names], [lesion("00", 0, 0, 9, 9)], found)
    assert figure(sensitivity_at_specificity(films, "image", 0.9), films) == 1
    assert figure(sensitivity_at_specificity(films, "image", 0.95), films) == 0


def test_an_image_without_detections_scores_zero_and_stays(image, lesion, detection):
    films = join_films(
        [image("1"), image("2"), image("3")], [lesion("1", 0, 0, 9, 9)], [detection("2", 0.3, 0, 0, 9, 9)]
    )
    assert figure(auc(films, "image"), films) == 0.25  # beaten by film 2, level with film 3


def test_both_views_of_a_breast_are_one_breast_and_unknown_sides_are_not_joined(image, lesion, detection):
    sides = ["L", "L", "R", "", ""]
    images = [image(str(n)).model_copy(update={"laterality": side}) for n, side in enumerate(sides)]
    found = [detection("1", 0.9, 0, 0, 9, 9), detection("3", 0.95, 0, 0, 9, 9)]
    films = join_films(images, [lesion("0", 0, 0, 9, 9)], found)
    # The left breast scores 0.9; negatives: the right breast (0) and two films of unknown side (0.95, 0).
    assert figure(auc(films, "breast"), films) == pytest.approx(2 / 3)


@pytest.mark.parametrize("lesions", [0, 2])
def test_a_set_of_one_kind_has_no_curve(image, lesion, lesions):
    truth = [lesion(str(number), 0, 0, 9, 9) for number in range(lesions)]
    films = join_films([image("0"), image("1")], truth, [])
    assert roc_curve(films, "image") is None
    assert figure(auc(films, "image"), films) is None
    assert figure(partial_auc(films, "image"), films) is None
    assert figure(sensitivity_at_specificity(films, "image", 0.9), films) is None


def test_the_points_of_a_band_lie_on_the_lines_of_the_curve(films):
    rates = np.array([0.0, 0.05, 0.2, 0.33, 1.0])
    found = roc_at(films, "image", rates)(np.ones((1, len(patients_of(films)[0]))))
    curve = roc_curve(films, "image")
    for rate, value in zip(rates, found[0], strict=True):
        before = np.flatnonzero(curve.false_positive_rate <= rate + 1e-9)[-1]
        after = min(before + 1, len(curve.sensitivity) - 1)
        (x1, x2), (y1, y2) = curve.false_positive_rate[[before, after]], curve.sensitivity[[before, after]]
        share = (rate - x1) / (x2 - x1) if x2 > x1 else 0.0
        assert value == pytest.approx(y1 + share * (y2 - y1), abs=1e-6)


def test_the_band_encloses_the_curve_where_scores_are_tied(image, lesion, detection):
    """Three scores among forty images: nearly all of the curve lies between operating points."""
    names = [f"{number:02d}" for number in range(40)]
    scores = np.random.default_rng(0).integers(1, 4, 40) / 4
    found = [detection(name, float(score), 0, 0, 9, 9) for name, score in zip(names, scores, strict=True)]
    truth = [lesion(name, 0, 0, 9, 9) for name in names[::2]]
    films = join_films([image(name, patient=name) for name in names], truth, found)
    rates = np.linspace(0.01, 0.99, 50)
    low, high = band(roc_at(films, "image", rates), resamples_of(films, 200, 0))
    curve = roc_curve(films, "image")
    drawn = np.interp(rates, curve.false_positive_rate, curve.sensitivity)
    assert (low <= drawn).all() and (drawn <= high).all()


def test_a_resample_of_one_kind_has_no_points(image, lesion):
    films = join_films([image("0", "a"), image("1", "b")], [lesion("0", 0, 0, 9, 9)], [])
    values = roc_at(films, "image", np.array([0.0, 0.5]))(np.array([[1.0, 1], [2, 0], [0, 2]]))
    assert values[0] == pytest.approx([0.0, 0.5], abs=1e-6)
    assert np.isnan(values[1:]).all()
