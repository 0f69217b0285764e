"""Intervals and paired differences: against resamples made of films, and in the cases that cannot have one."""

from __future__ import annotations

import numpy as np
import pytest

from mammo.metrics.bootstrap import estimate, mean_of, paired_difference, resample, resamples_of
from mammo.metrics.films import Film, join_films
from mammo.metrics.froc import froc_statistics
from mammo.metrics.protocol import (
    clean_cases,
    clean_cases_statistic,
    clean_images,
    clean_images_statistic,
    sensitivity,
    sensitivity_statistic,
)
from mammo.metrics.statistic import patients_of

RULE = "lesion_centre_in_detection"


def random_films(seed: int, patients: int = 12, found_share: float = 0.6) -> list[Film]:
    rng = np.random.default_rng(seed)
    films = []
    for number in range(3 * patients):
        lesions = rng.integers(0, 60, (rng.integers(0, 2) * rng.integers(1, 3), 2)).astype(float)
        lesions = np.hstack([lesions, lesions + 10])
        noise = rng.integers(0, 60, (rng.integers(0, 4), 2)).astype(float)
        case = (f"p{rng.integers(patients):02d}", f"s{rng.integers(2)}")
        chance, scores = rng.random(len(lesions)), rng.integers(0, 20, len(lesions) + len(noise)) / 20
        found = np.vstack([lesions[chance < found_share], np.hstack([noise, noise + 12])])
        films.append(Film(f"{number:03d}", case, lesions, found, np.sort(scores[: len(found)])[::-1]))
    return films


PROTOCOL = {
    "sensitivity": (lambda films: sensitivity(films, RULE, 0.3), lambda films: sensitivity_statistic(films, RULE, 0.3)),
    "clean_images": (lambda films: clean_images(films, 0.3), lambda films: clean_images_statistic(films, 0.3)),
    "clean_cases": (lambda films: clean_cases(films, 0.3), lambda films: clean_cases_statistic(films, 0.3)),
}  # fmt: skip


@pytest.mark.parametrize("name", PROTOCOL)
def test_an_interval_is_that_of_sets_made_of_the_drawn_patients_films(name):
    plain, statistic = PROTOCOL[name]
    films = random_films(1)
    weights = resamples_of(films, 60, seed=0)
    place = patients_of(films)[1]
    values = []
    for row in weights[1:]:
        drawn = [
            # A case's copies are cases of their own.
            Film(
                f"{film.image_id}/{copy}",
                (film.case[0], f"{film.case[1]}/{copy}"),
                film.lesions,
                film.detections,
                film.scores,
            )
            for film, patient in zip(films, place, strict=True)
            for copy in range(int(row[patient]))
        ]
        values.append(plain(drawn))
    found = estimate(statistic(films), weights)
    assert found.value == pytest.approx(plain(films))
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(values, [2.5, 97.5])))
    assert found.missing == 0


def test_resamples_are_whole_sets_after_the_set_itself():
    weights = resample(7, 500, seed=4)
    assert weights.shape == (501, 7) and (weights[0] == 1).all() and (weights.sum(axis=1) == 7).all()
    assert (weights == resample(7, 500, seed=4)).all() and (weights != resample(7, 500, seed=5)).any()
    assert weights[1:].mean(axis=0) == pytest.approx(np.ones(7), abs=0.15)


def test_an_interval_covers_the_truth_about_as_often_as_it_says():
    """A share of 0.7 among 60 patients, 300 times: 95 % intervals hold it in all but a few."""
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(300):
        hit = (rng.random(60) < 0.7).astype(float)
        found = estimate(lambda weights, hit=hit: weights @ hit / 60, resample(60, 400, seed))
        covered += found.low <= 0.7 <= found.high
    assert 0.9 <= covered / 300 <= 0.98


def test_one_patient_has_a_figure_and_no_interval(image, lesion, detection):
    films = join_films([image("1"), image("2")], [lesion("1", 0, 0, 9, 9)], [detection("1", 0.9, 0, 0, 9, 9)])
    found = estimate(sensitivity_statistic(films, RULE, 0.1), resamples_of(films, 100, 0))
    assert (found.value, found.low, found.high) == (1.0, None, None)


def test_without_resamples_there_are_figures_and_no_intervals():
    films = random_films(1)
    statistic, weights = sensitivity_statistic(films, RULE, 0.3), resamples_of(films, 0, 0)
    found = estimate(statistic, weights)
    assert found.value == pytest.approx(sensitivity(films, RULE, 0.3))
    assert (found.low, found.high, found.missing) == (None, None, 0)
    difference = paired_difference(statistic, statistic, weights)
    assert (difference.value, difference.low, difference.high, difference.p) == (0, None, None, None)


def test_a_figure_that_rests_on_one_patient_has_no_interval_and_says_how_many_resamples_lack_it(
    image, lesion
):
    images = [image(str(number), f"p{number}") for number in range(10)]
    films = join_films(images, [lesion("3", 0, 0, 9, 9)], [])
    found = estimate(sensitivity_statistic(films, RULE, 0.1), resamples_of(films, 2000, 0))
    assert (found.value, found.low, found.high) == (0.0, None, None)
    assert found.missing == pytest.approx(0.9**10, abs=0.03)  # nobody draws the patient


def test_a_figure_that_the_set_cannot_give_is_empty(image):
    films = join_films([image("1", "a"), image("2", "b")], [], [])
    found = estimate(froc_statistics(films, "iou_0.5")[0], resamples_of(films, 100, 0))
    assert (found.value, found.low, found.high, found.missing) == (None, None, None, 1)


def mean_froc(films):
    return froc_statistics(films, "iou_0.1")[-1]


def test_a_model_does_not_differ_from_itself():
    statistic, weights = mean_froc(random_films(2)), resamples_of(random_films(2), 300, 0)
    found = paired_difference(statistic, statistic, weights)
    assert (found.value, found.low, found.high, found.p) == (0, 0, 0, 1)
    mean = paired_difference(statistic, mean_of([statistic] * 3), weights)
    assert (mean.value, mean.low, mean.high, mean.p) == (0, 0, 0, 1)


def test_a_model_that_is_better_for_every_patient_differs_as_surely_as_the_resamples_can_say():
    one, other = (lambda weights: weights @ np.ones(9) / 9), (lambda weights: weights @ np.zeros(9) / 9)
    found = paired_difference(one, other, resample(9, 999, 0))
    assert (found.value, found.low, found.high, found.p) == (1, 1, 1, pytest.approx(2 / 1000))


def test_p_counts_the_resamples_on_the_other_side():
    gains = np.array([0.4, -0.1, 0.3, 0.2, -0.4, 0.1])
    weights = resample(6, 199, 0)
    values = weights[1:] @ gains / 6
    fewer = min((values <= 1e-12).sum(), (values >= -1e-12).sum())
    found = paired_difference(lambda rows: rows @ gains / 6, lambda rows: rows @ np.zeros(6), weights)
    assert found.p == pytest.approx(2 * (1 + fewer) / 200)
    assert (found.low <= 0 <= found.high) == (found.p >= 0.05)


def test_differences_change_their_sign_with_the_order_of_models():
    films = [random_films(seed=3, found_share=share) for share in (0.9, 0.3)]
    weights = resamples_of(films[0], 400, 0)
    forth = paired_difference(mean_froc(films[0]), mean_froc(films[1]), weights)
    back = paired_difference(mean_froc(films[1]), mean_froc(films[0]), weights)
    assert (forth.value, forth.low, forth.high) == pytest.approx((-back.value, -back.high, -back.low))
    assert forth.p == back.p


def test_pairs_of_similar_models_have_narrower_differences_than_their_own_intervals():
    films = random_films(5, patients=40)
    weaker = [
        Film(one.image_id, one.case, one.lesions, one.detections[1:], one.scores[1:]) if place == 0 else one
        for place, one in enumerate(films)
    ]
    weights = resamples_of(films, 400, 0)
    own = estimate(mean_froc(films), weights)
    difference = paired_difference(mean_froc(films), mean_froc(weaker), weights)
    assert difference.high - difference.low < (own.high - own.low) / 3


def test_the_mean_of_models_is_that_in_each_resample():
    statistics = [mean_froc(random_films(seed)) for seed in (3, 3)]
    weights = resamples_of(random_films(3), 50, 0)
    assert mean_of(statistics)(weights) == pytest.approx(statistics[0](weights))


def test_a_difference_is_empty_where_a_model_has_no_figure(image):
    films = join_films([image("1", "a"), image("2", "b")], [], [])
    nothing, weights = mean_froc(films), resamples_of(films, 50, 0)
    found = paired_difference(nothing, clean_images_statistic(films, 0.1), weights)
    assert (found.value, found.low, found.high, found.p) == (None, None, None, None)
