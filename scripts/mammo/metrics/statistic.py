"""What every figure is: a function of how often each patient of a test set stands in a resample of it.

One function gives a figure and, by the bootstrap over patients, its interval: with a row of ones it is the figure of
the set as it is, with other rows the figure of the set in which each patient stands so often.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mammo.metrics.films import Film

Weights = NDArray[np.float64]  # shape (resamples, patients): whole numbers, 0 for a patient that is left out
Values = NDArray[np.float64]  # shape (resamples,): NaN where a resample cannot give the figure


class Statistic(Protocol):
    """A figure of one model on one test set, for many resamples of its patients at once."""

    def __call__(self, weights: Weights) -> Values:
        """The figure in each resample. The columns of `weights` are the patients in the order of `patients_of`."""
        ...


def patients_of(films: Sequence[Film]) -> tuple[list[str], NDArray[np.int64]]:
    """The patients, sorted, and for each film the place of its patient among them, shape (films,)."""
    names = [film.case[0] for film in films]
    patients = sorted(set(names))
    places = {patient: place for place, patient in enumerate(patients)}
    return patients, np.array([places[name] for name in names], dtype=np.int64)


def value_of(statistic: Statistic, patients: int) -> float | None:
    """The figure of the set as it is; None where the set cannot give it."""
    (value,) = statistic(np.ones((1, patients)))
    return None if np.isnan(value) else float(value)


def share_of(patients: ArrayLike, parts: ArrayLike, wholes: ArrayLike, count: int) -> Statistic:
    """Sum of parts by sum of wholes; NaN where the wholes sum to 0.

    `patients`, `parts` and `wholes` have a place for each thing counted (film, case, …); `patients` are places among
    `count` patients.
    """
    part = np.bincount(patients, np.asarray(parts, np.float64), minlength=count)
    whole = np.bincount(patients, np.asarray(wholes, np.float64), minlength=count)

    return lambda weights: shares(weights @ part, weights @ whole)


def shares(parts: Values, wholes: Values) -> Values:
    """Quotients, NaN where the whole is 0."""
    return np.divide(parts, wholes, out=np.full(np.shape(parts), np.nan), where=wholes > 0)


def split(joint: Callable[[Weights], NDArray[np.float64]], count: int) -> list[Statistic]:
    """Statistics that are computed together: `joint` gives (resamples, count), the n-th statistic its n-th column.

    What was computed for an array of weights is kept until another array is asked about.
    """
    kept: list[tuple[Weights, NDArray[np.float64]]] = []

    def column(place: int) -> Statistic:
        def statistic(weights: Weights) -> Values:
            if not kept or kept[0][0] is not weights:
                kept[:] = [(weights, joint(weights))]
            return kept[0][1][:, place]

        return statistic

    return [column(place) for place in range(count)]
