"""Calibration of scores, held against scikit-learn and a count by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mammo.metrics.calibration import brier, calibration_error, reliability
from mammo.metrics.films import join_films
from mammo.metrics.matching import hits
from mammo.metrics.statistic import patients_of, value_of


def pairs(films, of):
    if of == "image":
        return [(max([0.0, *film.scores]), len(film.lesions) > 0) for film in films]
    tables = [(film.scores, hits(of, film.detections, film.lesions).any(axis=1)) for film in films]
    return [pair for scores, right in tables for pair in zip(scores, right, strict=True)]


@pytest.mark.parametrize("of", ["image", "iou_0.2"])
@pytest.mark.parametrize("seed", range(4))
def test_brier_is_scikit_learn_s(make_films, seed, of):
    metrics = pytest.importorskip("sklearn.metrics")
    films = make_films(seed)
    scores, right = zip(*pairs(films, of), strict=True)
    expected = metrics.brier_score_loss(right, scores, labels=[False, True])
    assert value_of(brier(films, of), len(patients_of(films)[0])) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("of", ["image", "iou_0.2"])
@pytest.mark.parametrize("seed", range(4))
def test_calibration_error_is_the_mean_distance_over_the_bins(make_films, seed, of):
    films = make_films(seed, ties=False)
    known = pairs(films, of)
    expected = 0.0
    for low in range(15):
        own = [(s, r) for s, r in known if low / 15 < s <= (low + 1) / 15 or (s == 0 and low == 0)]
        if own:
            expected += (
                len(own) / len(known) * abs(np.mean([s for s, _ in own]) - np.mean([r for _, r in own]))
            )
    found = value_of(calibration_error(films, of), len(patients_of(films)[0]))
    assert found == pytest.approx(expected, abs=1e-12)


def test_the_bins_of_the_picture_give_the_calibration_error(make_films):
    films = make_films(1)
    bins = reliability(films)
    total = sum(one.count for one in bins)
    error = sum(one.count / total * abs(one.score - one.right) for one in bins if one.count)
    assert (len(bins), total) == (15, len(films))
    assert value_of(calibration_error(films), len(patients_of(films)[0])) == pytest.approx(error)


def test_no_detection_at_all_has_no_calibration_of_detections(image, lesion):
    films = join_films([image("1")], [lesion("1", 0, 0, 9, 9)], [])
    assert value_of(brier(films, "iou_0.2"), 1) is None
    assert value_of(calibration_error(films, "iou_0.2"), 1) is None
    assert value_of(brier(films), 1) == 1.0
