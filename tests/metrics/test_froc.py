"""FROC of every kind against a second, slow implementation, on random sets full of ties, touching and equal boxes."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import get_args

import numpy as np
import pytest

from mammo.metrics.bootstrap import estimate, froc_band, resamples_of
from mammo.metrics.films import Film, join_films
from mammo.metrics.froc import (
    COUNTED,
    FPPI,
    FalsePositives,
    froc_curve,
    froc_mean,
    froc_statistics,
    operating_statistics,
    operating_threshold,
)
from mammo.metrics.statistic import patients_of, value_of
from mammo.settings import HitRule

RULES = get_args(HitRule)
WAYS = [FalsePositives(images, second) for images in ("all", "normal") for second in ("ignored", "false")]
KINDS = list(product(RULES, WAYS))


def named(kind) -> str:
    return "-".join((kind[0], kind[1].images, kind[1].second_hits))


@pytest.fixture(params=range(6))
def films(request, image, lesion, detection) -> list[Film]:
    """Up to nine films of four patients: some empty, some without lesions, scores in tenths, boxes on a grid of 5."""
    rng = np.random.default_rng(request.param)

    def box() -> tuple[int, ...]:
        x, y = rng.integers(0, 8, 2) * 5
        return x, y, x + rng.integers(1, 6) * 5, y + rng.integers(1, 6) * 5

    images = [image(str(index), f"p{rng.integers(4)}") for index in range(rng.integers(1, 10))]
    lesions = [
        lesion(row.image_id, *box(), lesion_id=str(number))
        for row in images
        for number in range(rng.integers(0, 2) * rng.integers(1, 4))
    ]
    found = [
        detection(row.image_id, rng.integers(0, 11) / 10, *box())
        for row in images
        for _ in range(rng.integers(0, 2) * rng.integers(1, 12))
    ]
    return join_films(images, lesions, found + found[:2])


def slow_hit(rule: str, found, truth) -> bool:
    if rule == "lesion_centre_in_detection":
        found, truth = truth, found
    if rule.endswith(("detection", "lesion")):
        x, y = (found[0] + found[2]) / 2, (found[1] + found[3]) / 2
        return truth[0] < x < truth[2] and truth[1] < y < truth[3]
    return slow_iou(found, truth) >= float(rule[4:])


def slow_iou(one, other) -> float:
    return iou_of_cells(tuple(one.tolist()), tuple(other.tolist()))


@cache
def iou_of_cells(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    cells = [
        {(x, y) for x in range(int(box[0]), int(box[2])) for y in range(int(box[1]), int(box[3]))}
        for box in (one, other)
    ]
    return len(cells[0] & cells[1]) / len(cells[0] | cells[1])


def slow_point(films: list[Film], rule: str, counted: FalsePositives, threshold: float) -> tuple[int, int]:
    """Lesions hit and false positives with all detections from a threshold on, one after the other."""
    hit = false = 0
    for film in films:
        free = set(range(len(film.lesions)))
        for found in film.detections[film.scores >= threshold]:
            struck = [place for place, truth in enumerate(film.lesions) if slow_hit(rule, found, truth)]
            wanted = [place for place in struck if place in free]
            if wanted:
                free.remove(max(wanted, key=lambda place: (slow_iou(found, film.lesions[place]), -place)))
                hit += 1
            elif not struck or counted.second_hits == "false":
                false += counted.images == "all" or not len(film.lesions)
    return hit, false


def slow_froc(films: list[Film], rule: str, counted: FalsePositives, rate: float):
    """The best sensitivity of all thresholds that keep to a rate, and the lowest of these thresholds."""
    lesions = sum(len(film.lesions) for film in films)
    images = sum(counted.images == "all" or not len(film.lesions) for film in films)
    if not lesions or not images:
        return None, None
    points = {
        threshold: slow_point(films, rule, counted, threshold) for film in films for threshold in film.scores
    }
    kept = {threshold: hit for threshold, (hit, false) in points.items() if false / images <= rate}
    return max(kept.values(), default=0) / lesions, min(kept, default=None)


@pytest.mark.parametrize(("rule", "counted"), KINDS, ids=map(named, KINDS))
def test_sensitivities_and_thresholds_are_those_of_trying_every_threshold(films, rule, counted):
    slow = [slow_froc(films, rule, counted, rate) for rate in FPPI]
    curve = froc_curve(films, rule, counted)
    statistics = froc_statistics(films, rule, counted)
    patients = len(patients_of(films)[0])
    values = [value_of(statistic, patients) for statistic in statistics]
    sensitivities = [sensitivity for sensitivity, _ in slow]
    if sensitivities[0] is None:
        assert curve is None and values == [None] * 8
        return
    assert [curve.at(rate) for rate in FPPI] == pytest.approx(sensitivities)
    assert [curve.threshold_at(rate) for rate in FPPI] == [threshold for _, threshold in slow]
    assert values == pytest.approx([*sensitivities, np.mean(sensitivities)])


@pytest.mark.parametrize(("rule", "counted"), KINDS[::3], ids=map(named, KINDS[::3]))
def test_a_resample_is_the_set_with_its_patients_films_so_often(films, rule, counted):
    """Films of a patient are put into the set as often as he was drawn, under new names, and all is computed anew."""
    weights = resamples_of(films, 6, seed=3)
    place = patients_of(films)[1]
    statistics = froc_statistics(films, rule, counted)
    for row in weights:
        copies = [
            Film(f"{film.image_id}/{number}", film.case, film.lesions, film.detections, film.scores)
            for film, patient in zip(films, place, strict=True)
            for number in range(int(row[patient]))
        ]
        curve = froc_curve(copies, rule, counted) if copies else None
        expected = [*(curve.at(rate) for rate in FPPI), froc_mean(curve)] if curve else [None] * 8
        drawn = [value if np.isfinite(value) else None for (value,) in (one(row[None]) for one in statistics)]
        assert drawn == pytest.approx(expected)


def test_the_operating_point_is_the_lowest_threshold_that_keeps_to_the_rate(films):
    rule, rate = "iou_0.1", 1.0
    points = {
        threshold: slow_point(films, rule, COUNTED, threshold) for film in films for threshold in film.scores
    }
    kept = [threshold for threshold, (_, false) in points.items() if false / len(films) <= rate]
    threshold = operating_threshold(films, rule, rate)
    assert threshold == min(kept, default=None)
    if threshold is not None:
        hit, false = points[threshold]
        found = [
            value_of(one, len(patients_of(films)[0])) for one in operating_statistics(films, rule, threshold)
        ]
        lesions = sum(len(film.lesions) for film in films)
        assert found == [pytest.approx(hit / lesions) if lesions else None, pytest.approx(false / len(films))]


def test_a_set_without_lesions_gives_an_operating_threshold(image, detection):
    films = join_films([image("1")], [], [detection("1", 0.9, 0, 0, 9, 9), detection("1", 0.4, 0, 0, 5, 5)])
    assert operating_threshold(films, "iou_0.5", 1.0) == 0.9
    assert operating_threshold(films, "iou_0.5", 0.5) is None
    assert operating_threshold(join_films([image("1")], [], []), "iou_0.5", 1.0) is None


def test_only_chosen_lesions_count_and_what_hits_others_is_no_false_positive(image, lesion, detection):
    lesions = [lesion("1", 0, 0, 10, 10), lesion("1", 20, 20, 30, 30, lesion_id="2")]
    found = [
        detection("1", 0.9, 20, 20, 30, 30),
        detection("1", 0.8, 50, 50, 60, 60),
        detection("1", 0.7, 0, 0, 10, 10),
    ]
    films = join_films([image("1")], lesions, found)
    curve = froc_curve(films, "iou_0.5", chosen=[np.array([True, False])])
    assert curve.fppi.tolist() == [0, 0, 1, 1]
    assert curve.sensitivity.tolist() == [0, 0, 0, 1]


def test_a_band_holds_the_interval_of_the_figure_at_its_rate(films):
    weights = resamples_of(films, 200, seed=1)
    low, high = froc_band(films, "iou_0.2", weights, np.array(FPPI))
    for place, statistic in enumerate(froc_statistics(films, "iou_0.2")[:-1]):
        found = estimate(statistic, weights)
        bounds = [None if np.isnan(bound) else bound for bound in (low[place], high[place])]
        assert bounds == [found.low, found.high]
