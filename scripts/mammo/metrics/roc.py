"""Receiver operating characteristic of images, breasts and cases: does the highest score tell those with a lesion?

A unit (image, breast or case) scores as the highest of its detections, 0 without any, and is positive if it has a
lesion. AUC: Hanley and McNeil 1982, ties count half. Partial AUC: McClish 1989, standardised so that 0.5 is chance
and 1 is perfect; as scikit-learn's `roc_auc_score` with `max_fpr`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mammo.metrics.films import Film
from mammo.metrics.statistic import Statistic, Values, Weights, patients_of, shares

Level = Literal["image", "breast", "case"]
SPECIFICITIES = (0.8, 0.9, 0.95)
ROUNDING = 1e-9  # a specificity of 0.9 is reached by 9 negatives of 10, whatever 0.1 is in binary


@dataclass(frozen=True)
class Units:
    """Units by falling score, arrays of shape (units,). `patients`: places among `patients_of`.

    `starts` (distinct scores,): the first unit of each score.
    """

    scores: NDArray[np.float64]
    positive: NDArray[np.bool_]
    patients: NDArray[np.int64]
    starts: NDArray[np.int64]

    def operating_points(self, weights: Weights) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Positives and negatives from each distinct score on, each (resamples, scores + 1), from (0, 0) on."""
        counts = weights[:, self.patients]
        points = []
        for those in (self.positive, ~self.positive):
            steps = np.add.reduceat(counts * those, self.starts, axis=1)
            points.append(np.cumsum(np.column_stack([np.zeros(len(weights)), steps]), axis=1))
        return points[0], points[1]


@dataclass(frozen=True)
class RocCurve:
    """Operating points by falling threshold, from (0, 0) above the highest score; arrays of shape (points,).

    A unit is called positive from the threshold on.
    """

    thresholds: NDArray[np.float64]
    false_positive_rate: NDArray[np.float64]
    sensitivity: NDArray[np.float64]


def units_of(films: Sequence[Film], level: Level) -> Units:
    """The units of a level. A breast is a side of a case; a film of unknown side is a breast of its own."""
    _, patient_of_film = patients_of(films)
    places: dict[Hashable, int] = {}
    unit = np.array([places.setdefault(_key(film, level), len(places)) for film in films])
    scores, positive = np.zeros(len(places)), np.zeros(len(places), bool)
    patients = np.zeros(len(places), np.int64)
    np.maximum.at(scores, unit, [film.highest_score for film in films])
    np.logical_or.at(positive, unit, [len(film.lesions) > 0 for film in films])
    patients[unit] = patient_of_film  # all films of a unit are one patient's
    order = np.argsort(-scores, kind="stable")
    scores = scores[order]
    starts = np.flatnonzero(np.diff(scores, prepend=np.inf))
    return Units(scores, positive[order], patients[order], starts)


def _key(film: Film, level: Level) -> Hashable:
    if level == "case":
        return film.case
    side = film.image.laterality if film.image else ""
    return (film.case, side) if level == "breast" and side else film.image_id


def auc(films: Sequence[Film], level: Level) -> Statistic:
    """Area under the curve, in 0..1; NaN without positives or without negatives."""
    return partial_auc(films, level, specificity=0.0, standardised=False)


def partial_auc(
    films: Sequence[Film], level: Level, specificity: float = 0.8, *, standardised: bool = True
) -> Statistic:
    """Area under the curve where the specificity is at least so much; straight lines between operating points.

    `standardised` after McClish: 0.5 for chance, 1 for a perfect model. NaN without positives or without negatives.
    """
    units, most = units_of(films, level), 1.0 - specificity

    def statistic(weights: Weights) -> Values:
        area = _area_up_to(*_rates(units, weights), most)
        if not standardised:
            return area
        chance = most**2 / 2
        return 0.5 * (1 + (area - chance) / (most - chance))

    return statistic


def sensitivity_at_specificity(films: Sequence[Film], level: Level, specificity: float) -> Statistic:
    """The highest sensitivity of a threshold whose specificity is at least so much; steps, no interpolation."""
    units = units_of(films, level)

    def statistic(weights: Weights) -> Values:
        false, true = _rates(units, weights)
        reached = np.where(false <= 1 - specificity + ROUNDING, true, 0.0).max(axis=1)
        return np.where(np.isnan(true[:, -1]) | np.isnan(false[:, -1]), np.nan, reached)

    return statistic


def roc_curve(films: Sequence[Film], level: Level) -> RocCurve | None:
    """The curve of a set; None without positives or without negatives. Units of equal score enter together."""
    units, patients = units_of(films, level), len(patients_of(films)[0])
    false, true = _rates(units, np.ones((1, patients)))
    if np.isnan(false).any() or np.isnan(true).any():
        return None
    return RocCurve(np.concatenate([[np.inf], units.scores[units.starts]]), false[0], true[0])


def roc_at(
    films: Sequence[Film], level: Level, rates: NDArray[np.float64]
) -> Callable[[Weights], NDArray[np.float64]]:
    """Sensitivity at false positive rates (points,) for the band of a picture: weights → (resamples, points).

    On straight lines between operating points, as a curve is drawn (`roc_curve`); where it rises straight up, the upper
    end. NaN where a resample has no curve.
    """
    units = units_of(films, level)

    def curve(weights: Weights) -> NDArray[np.float64]:
        false, true = _rates(units, weights)
        values = np.full((len(weights), len(rates)), np.nan)
        for row in np.flatnonzero(~np.isnan(false[:, -1]) & ~np.isnan(true[:, -1])):
            values[row] = np.interp(rates + ROUNDING, false[row], true[row])
        return values

    return curve


def _rates(units: Units, weights: Weights) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """False positive rate and sensitivity at each operating point, (resamples, points); NaN where there is none."""
    true, false = units.operating_points(weights)
    return shares(false, np.broadcast_to(false[:, -1:], false.shape)), shares(
        true, np.broadcast_to(true[:, -1:], true.shape)
    )


def _area_up_to(false: NDArray[np.float64], true: NDArray[np.float64], most: float) -> Values:
    """Area under straight lines between the points, from 0 to `most` false positives a negative."""
    width = np.diff(false, axis=1)
    inside = np.clip(most - false[:, :-1], 0, width)
    rise = np.divide(np.diff(true, axis=1), width, out=np.zeros_like(width), where=width > 0)
    area = (inside * (true[:, :-1] + rise * inside / 2)).sum(axis=1)
    return np.where(np.isnan(true[:, -1]), np.nan, area)
