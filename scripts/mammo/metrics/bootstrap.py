"""Intervals of figures, and of differences of figures, by the bootstrap over patients.

Films of one patient are alike, and so are a model's findings on them: whole patients are drawn, with replacement, as
many as the set has, and every figure is computed on each such resample. Source: Efron and Tibshirani, "An Introduction
to the Bootstrap" (1993), chapters 13 (percentile interval) and 15.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mammo.metrics.films import Film
from mammo.metrics.froc import COUNTED, FalsePositives, froc_at
from mammo.metrics.statistic import Statistic, Values, Weights, patients_of
from mammo.settings import HitRule

LEVEL = 0.95
# Where more of the resamples than this cannot give a figure, it has no interval: those that can are resamples of
# another population. A set with three patients that the figure needs misses them in 5 % of its resamples (e to the -3).
MOST_MISSING = 0.05
FEWEST_PATIENTS = 2
ROUNDING = 1e-12  # differences below are of the arithmetic, not of the models


@dataclass(frozen=True)
class Estimate:
    """A figure of a set and its 95 % interval; None where there is none.

    `missing`: the share of resamples that cannot give the figure.
    """

    value: float | None
    low: float | None
    high: float | None
    missing: float


@dataclass(frozen=True)
class Difference:
    """One figure minus another on the same set; `p` is two-sided, of the hypothesis that there is no difference.

    None where a set cannot give it; the interval and p also where too many resamples cannot.
    """

    value: float | None
    low: float | None
    high: float | None
    p: float | None


def resample(patients: int, resamples: int, seed: int) -> Weights:
    """How often each patient stands in the set (first row: once) and in each resample of it.

    Shape (1 + resamples, patients), whole numbers of sum `patients`. The same numbers for the same arguments on any
    machine (PCG64). Patients are known by their place in `patients_of`: the order of rows in a table changes nothing.
    """
    drawn = np.random.Generator(np.random.PCG64(seed)).integers(0, patients, (resamples, patients))
    drawn += np.arange(resamples)[:, None] * patients
    counts = np.bincount(drawn.ravel(), minlength=resamples * patients).reshape(resamples, patients)
    return np.vstack([np.ones(patients), counts])


def resamples_of(films: Sequence[Film], resamples: int, seed: int) -> Weights:
    """`resample` for the patients of a set."""
    return resample(len(patients_of(films)[0]), resamples, seed)


def estimate(statistic: Statistic, weights: Weights) -> Estimate:
    """The figure and percentiles 2.5 and 97.5 (linear between two) of it in those resamples that can give it.

    `weights` as from `resample`. No interval without resamples, for a set of one patient, whose resamples are all the
    same, and where more than `MOST_MISSING` of the resamples cannot give the figure.
    """
    values = statistic(weights)
    low, high, missing = _interval(values[1:], weights.shape[1])
    value = None if np.isnan(values[0]) else float(values[0])
    if value is None or np.isnan(low):
        return Estimate(value, None, None, float(missing))
    return Estimate(value, float(low), float(high), float(missing))


def band(
    curve: Callable[[Weights], NDArray[np.float64]], weights: Weights
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The interval of each point of a curve, low and high, each (points,); NaN where `estimate` would have none.

    `curve` gives (resamples, points), as `froc_at`, `roc_at` and `precision_at` do. Each point has its own interval: it
    is no band that holds the whole curve in 95 of 100 cases.
    """
    points = [_interval(values, weights.shape[1])[:2] for values in curve(weights)[1:].T]
    low, high = np.array(points, np.float64).reshape(-1, 2).T
    return low, high


def froc_band(
    films: Sequence[Film],
    rule: HitRule,
    weights: Weights,
    rates: NDArray[np.float64],
    counted: FalsePositives = COUNTED,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`band` of the sensitivity at rates of false positives per image (points,)."""
    return band(froc_at(films, rule, rates, counted), weights)


def mean_of(statistics: Sequence[Statistic]) -> Statistic:
    """The mean of several models' figures in each resample; NaN where one of them cannot be given."""
    return lambda weights: np.mean([statistic(weights) for statistic in statistics], axis=0)


def paired_difference(one: Statistic, other: Statistic, weights: Weights) -> Difference:
    """One figure minus the other, both on the same resamples of the same patients.

    p = 2 × the smaller of (1 + resamples whose difference is ≤ 0) / (1 + resamples) and the same with ≥ 0, at most 1:
    the level at which the percentile interval would just reach 0 (Efron and Tibshirani 1993, section 15.4), with one
    added so that p is never 0 (Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 4.2).
    `other` may be the mean of several models (`mean_of`). `weights` as from `resample`.
    """
    values = one(weights) - other(weights)
    values[np.abs(values) < ROUNDING] = 0.0
    if np.isnan(values[0]):
        return Difference(None, None, None, None)
    low, high, _ = _interval(values[1:], weights.shape[1])
    if np.isnan(low):
        return Difference(float(values[0]), None, None, None)
    known = values[1:][~np.isnan(values[1:])]
    fewer = int(min((known <= 0).sum(), (known >= 0).sum()))
    p = min(1.0, 2 * (1 + fewer) / (1 + len(known)))
    return Difference(float(values[0]), float(low), float(high), p)


def _interval(values: Values, patients: int) -> tuple[float, float, float]:
    """Low, high (NaN where there is no interval) and the share of resamples without the figure."""
    if not len(values):
        return np.nan, np.nan, 0.0
    known = values[~np.isnan(values)]
    missing = 1 - len(known) / len(values)
    if patients < FEWEST_PATIENTS or missing > MOST_MISSING:
        return np.nan, np.nan, missing
    low, high = np.percentile(known, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return low, high, missing
