"""Whether scores are chances: of an image to have a lesion, of a detection to hit one.

Brier score: Brier 1950. Expected calibration error: Naeini et al. 2015 and Guo et al. 2017, 15 bins of equal width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mammo.metrics.films import Film
from mammo.metrics.matching import hits
from mammo.metrics.statistic import Statistic, patients_of, shares
from mammo.settings import HitRule

Of = Literal["image"] | HitRule  # an image's highest score, or each detection's, which is right by a hit rule
BINS = 15


@dataclass(frozen=True)
class ReliabilityBin:
    """Scores above `low` up to `high` (0 is in the first bin): how many, their mean, and the share that was right.

    `score` and `right` are None in an empty bin.
    """

    low: float
    high: float
    count: int
    score: float | None
    right: float | None


def brier(films: Sequence[Film], of: Of = "image") -> Statistic:
    """Mean square of score − outcome, in 0..1, smaller is better; NaN where there is no score.

    Of images: the highest score (0 without detections) against having a lesion. Of detections, all that are stored:
    the score against hitting a lesion by the rule, a second hit of a lesion included.
    """
    scores, outcomes, patients = _scores(films, of)
    count = len(patients_of(films)[0])
    squares = np.bincount(patients, (scores - outcomes) ** 2, minlength=count)
    counts = np.bincount(patients, minlength=count).astype(float)
    return lambda weights: shares(weights @ squares, weights @ counts)


def calibration_error(films: Sequence[Film], of: Of = "image") -> Statistic:
    """Expected calibration error, in 0..1, smaller is better: mean distance of score and outcome over the bins.

    Scores and outcomes as in `brier`; NaN where there is no score.
    """
    scores, outcomes, patients = _scores(films, of)
    count = len(patients_of(films)[0])
    distances = np.zeros((count, BINS))
    np.add.at(distances, (patients, _bins(scores)), outcomes - scores)
    counts = np.bincount(patients, minlength=count).astype(float)
    return lambda weights: shares(np.abs(weights @ distances).sum(axis=1), weights @ counts)


def reliability(films: Sequence[Film], of: Of = "image") -> list[ReliabilityBin]:
    """The bins behind `calibration_error`, for a picture."""
    scores, outcomes, _ = _scores(films, of)
    bins, edges = _bins(scores), np.linspace(0, 1, BINS + 1)
    table = []
    for place, (low, high) in enumerate(pairwise(edges)):
        own = bins == place
        means = (float(scores[own].mean()), float(outcomes[own].mean())) if own.any() else (None, None)
        table.append(ReliabilityBin(float(low), float(high), int(own.sum()), *means))
    return table


def _bins(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], scores, side="left")


def _scores(
    films: Sequence[Film], of: Of
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Scores, outcomes (0 or 1) and patients, each of shape (images or detections,)."""
    _, patients = patients_of(films)
    if of == "image":
        scores = np.array([film.highest_score for film in films])
        return scores, np.array([float(len(film.lesions) > 0) for film in films]), patients
    outcomes = [hits(of, film.detections, film.lesions).any(axis=1) for film in films]
    return (
        np.concatenate([film.scores for film in films]),
        np.concatenate(outcomes).astype(float),
        np.repeat(patients, [len(film.scores) for film in films]),
    )
