"""Sensitivity against false positives per image, over all score thresholds.

Operating points as in Bunch et al., "A free-response approach to the measurement and characterization of
radiographic-observer performance" (1977); the seven rates and their mean as in the LUNA16 challenge (Setio et al.
2017). False positives are counted over all images of the set or over those without lesions only; a second hit
of a lesion counts neither way or as a false positive: `FalsePositives` says which.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mammo.metrics.films import Film
from mammo.metrics.matching import Chosen, Matched, match_films
from mammo.metrics.statistic import Statistic, Weights, patients_of, share_of, split
from mammo.settings import HitRule

FPPI = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True)
class FalsePositives:
    """What is a false positive, and by how many images they are divided.

    `images`: all, or those without lesions, which then alone give false positives. `second_hits`: a detection whose
    lesions are all taken by stronger ones is ignored, or false.
    """

    images: Literal["all", "normal"] = "all"
    second_hits: Literal["ignored", "false"] = "ignored"


COUNTED = FalsePositives()


@dataclass(frozen=True)
class FrocCurve:
    """Operating points by falling threshold, from (0, 0) above the highest score; arrays of shape (points,).

    `fppi`: false positives per image; `sensitivity`: lesions hit by lesions. Both never fall along the curve.
    """

    thresholds: NDArray[np.float64]
    fppi: NDArray[np.float64]
    sensitivity: NDArray[np.float64]

    def at(self, fppi: float) -> float:
        """Highest sensitivity among the operating points with at most so many false positives per image."""
        return float(self.sensitivity[self.fppi <= fppi].max())

    def threshold_at(self, fppi: float) -> float | None:
        """The lowest score from which on there are at most so many false positives per image; None if none is."""
        reached = self.thresholds[self.fppi <= fppi]
        return float(reached[-1]) if np.isfinite(reached[-1]) else None


def froc_curve(
    films: Sequence[Film], rule: HitRule, counted: FalsePositives = COUNTED, chosen: Chosen | None = None
) -> FrocCurve | None:
    """The curve of a set; None without lesions, or without the images that false positives are counted on.

    Detections of equal score enter together. With `chosen` only these lesions count (see `match_films`).
    """
    lesions = int(_lesions(films, chosen).sum())
    images = int(_images(films, counted).sum())
    if not lesions or not images:
        return None
    matched = match_films(rule, films, chosen)
    thresholds = np.unique(matched.scores)[::-1]
    return FrocCurve(
        thresholds=np.concatenate([[np.inf], thresholds]),
        fppi=_count_from(matched.scores[_false(matched, films, counted)], thresholds) / images,
        sensitivity=_count_from(matched.scores[matched.hit], thresholds) / lesions,
    )


def _count_from(scores: NDArray[np.float64], thresholds: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many scores reach each threshold, with a zero before the first."""
    ordered = np.sort(scores)
    return np.concatenate([[0], len(ordered) - np.searchsorted(ordered, thresholds, side="left")])


def froc_mean(curve: FrocCurve) -> float:
    """Mean of the sensitivities at the seven rates."""
    return float(np.mean([curve.at(rate) for rate in FPPI]))


def operating_threshold(films: Sequence[Film], rule: HitRule, fppi: float) -> float | None:
    """The lowest score from which on there are at most so many false positives per image of the set.

    To be asked of a validation set, never of the set that the threshold is then used on. None where no score of the
    set keeps to the rate, or nothing was found on it. Second hits count neither way; a set without lesions is fine.
    """
    if not films:
        return None
    matched = match_films(rule, films)
    thresholds = np.unique(matched.scores)[::-1]
    kept = thresholds[_count_from(matched.scores[matched.false], thresholds)[1:] / len(films) <= fppi]
    return float(kept[-1]) if len(kept) else None


def operating_statistics(
    films: Sequence[Film], rule: HitRule, threshold: float
) -> tuple[Statistic, Statistic]:
    """Sensitivity, and false positives per image, of the detections from a score on."""
    matched = match_films(rule, films)
    patients, patient_of_film = patients_of(films)
    counted = matched.scores >= threshold
    hit = np.bincount(matched.film[matched.hit & counted], minlength=len(films))
    false = np.bincount(matched.film[matched.false & counted], minlength=len(films))
    sensitivity = share_of(patient_of_film, hit, _lesions(films, None), len(patients))
    return sensitivity, share_of(patient_of_film, false, np.ones(len(films)), len(patients))


@dataclass(frozen=True)
class FrocCounts:
    """What sensitivities at rates are computed from, for many resamples of the patients at once.

    Only scores at which some lesion is hit matter; between two of them only how many false positives each patient has.
    `hits` and `false` have shape (patients, scores of hits): a patient's lesions hit at each, by falling score, and his
    false positives from this score on to below the one before. `lesions`, `images`: (patients,), the denominators.
    """

    hits: NDArray[np.float64]
    false: NDArray[np.float64]
    lesions: NDArray[np.float64]
    images: NDArray[np.float64]

    def sensitivities(self, weights: Weights, rates: Sequence[float]) -> NDArray[np.float64]:
        """The highest sensitivity with at most `rates` false positives per image, shape (resamples, rates).

        NaN in a resample without lesions, or without images that false positives are counted on.
        """
        images, lesions = (weights @ self.images)[:, None], (weights @ self.lesions)[:, None]
        valid = ((images > 0) & (lesions > 0))[:, 0]
        found = np.cumsum(weights @ self.hits, axis=1)
        fppi = np.cumsum(weights @ self.false, axis=1) / np.where(images > 0, images, 1)
        found = np.column_stack([np.zeros(len(weights)), found]) / np.where(lesions > 0, lesions, 1)
        rows = np.arange(len(weights))
        reached = [found[rows, (fppi <= rate).sum(axis=1)] for rate in rates]
        return np.where(valid[:, None], np.column_stack(reached), np.nan)


def froc_counts(
    films: Sequence[Film], rule: HitRule, counted: FalsePositives = COUNTED, chosen: Chosen | None = None
) -> FrocCounts:
    """Match a set once, for all resamples of it."""
    matched = match_films(rule, films, chosen)
    patients, patient_of_film = patients_of(films)
    count = len(patients)
    owner = patient_of_film[matched.film]
    levels = np.unique(matched.scores[matched.hit])  # rising
    false = _false(matched, films, counted)
    return FrocCounts(
        hits=_table(owner[matched.hit], _bins(matched.scores[matched.hit], levels), count, len(levels)),
        false=_table(owner[false], _bins(matched.scores[false], levels), count, len(levels)),
        lesions=np.bincount(patient_of_film, _lesions(films, chosen), minlength=count),
        images=np.bincount(patient_of_film, _images(films, counted), minlength=count),
    )


def _bins(scores: NDArray[np.float64], levels: NDArray[np.float64]) -> NDArray[np.int64]:
    """The highest level that a score reaches, counted from the highest; beyond the last where it reaches none."""
    return len(levels) - np.searchsorted(levels, scores, side="right")


def _table(
    patients: NDArray[np.int64], bins: NDArray[np.int64], count: int, levels: int
) -> NDArray[np.float64]:
    """How many of each patient fall into each bin; what lies beyond the last changes no figure."""
    inside = bins < levels
    cells = np.bincount(patients[inside] * levels + bins[inside], minlength=count * levels)
    return cells.reshape(count, levels).astype(np.float64)


def froc_at(
    films: Sequence[Film], rule: HitRule, rates: Sequence[float], counted: FalsePositives = COUNTED
) -> Callable[[Weights], NDArray[np.float64]]:
    """Sensitivity at rates of false positives per image: weights → (resamples, rates), for the band of a picture."""
    counts = froc_counts(films, rule, counted)
    return lambda weights: counts.sensitivities(weights, rates)


def froc_statistics(
    films: Sequence[Film], rule: HitRule, counted: FalsePositives = COUNTED, chosen: Chosen | None = None
) -> list[Statistic]:
    """The sensitivities at the seven rates of `FPPI`, and their mean last."""
    counts = froc_counts(films, rule, counted, chosen)

    def joint(weights: Weights) -> NDArray[np.float64]:
        values = counts.sensitivities(weights, FPPI)
        return np.column_stack([values, values.mean(axis=1)])

    return split(joint, len(FPPI) + 1)


def _false(matched: Matched, films: Sequence[Film], counted: FalsePositives) -> NDArray[np.bool_]:
    """Which detections are false positives. On an image without lesions no detection is a second hit."""
    false = matched.false | matched.second if counted.second_hits == "false" else matched.false
    return false & _images(films, counted)[matched.film]


def _images(films: Sequence[Film], counted: FalsePositives) -> NDArray[np.bool_]:
    """Which films false positives are counted on."""
    if counted.images == "all":
        return np.ones(len(films), bool)
    return np.array([not len(film.lesions) for film in films], bool)


def _lesions(films: Sequence[Film], chosen: Chosen | None) -> NDArray[np.int64]:
    """How many lesions of each film count, shape (films,)."""
    if chosen is None:
        return np.array([len(film.lesions) for film in films], np.int64)
    return np.array([counts.sum() for counts in chosen], np.int64)
