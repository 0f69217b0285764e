"""Sensitivity against false positives per image, over all score thresholds.

False positives are counted over all images of the set, with and without lesions. Operating points as in Bunch et al.,
"A free-response approach to the measurement and characterization of radiographic-observer performance" (1977); the
seven rates and their mean as in the LUNA16 challenge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mammo.metrics.films import Film
from mammo.metrics.matching import Outcome, match
from mammo.settings import HitRule

FPPI = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)


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


def froc_curve(films: Sequence[Film], rule: HitRule) -> FrocCurve | None:
    """The curve of a set; None where it has no lesions. Detections of equal score enter together."""
    lesions = sum(len(film.lesions) for film in films)
    if not lesions:
        return None
    outcomes = [outcome for film in films for outcome in match(rule, film.detections, film.lesions)]
    scores = np.concatenate([film.scores for film in films])
    thresholds = np.unique(scores)[::-1]
    return FrocCurve(
        thresholds=np.concatenate([[np.inf], thresholds]),
        fppi=_count_from(scores[[outcome is Outcome.FALSE for outcome in outcomes]], thresholds) / len(films),
        sensitivity=_count_from(scores[[outcome is Outcome.HIT for outcome in outcomes]], thresholds)
        / lesions,
    )


def _count_from(scores: NDArray[np.float64], thresholds: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many scores reach each threshold, with a zero before the first."""
    ordered = np.sort(scores)
    return np.concatenate([[0], len(ordered) - np.searchsorted(ordered, thresholds, side="left")])


def froc_mean(curve: FrocCurve) -> float:
    """Mean of the sensitivities at the seven rates."""
    return float(np.mean([curve.at(rate) for rate in FPPI]))
