"""Precision and recall down a list of detections, for many resamples of the patients at once.

Between two true positives only the number of false positives matters. So what a resample needs is, for each patient,
how many of his false positives lie before each true positive: one product of matrices gives all resamples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mammo.metrics.statistic import Values, Weights, shares


@dataclass(frozen=True)
class Ranking:
    """True and false positives by rank: the true ones, and who has how many false ones before each.

    `true_patients` (trues,): whose each true positive is, the first in rank first. `false_before` (patients, trues):
    false positives since the true positive before. `lesions` (patients,): how many each patient has.
    """

    true_patients: NDArray[np.int64]
    false_before: NDArray[np.float64]
    lesions: NDArray[np.float64]

    def true_positives(self, weights: Weights) -> NDArray[np.float64]:
        """True positives down to each, shape (resamples, trues). A patient's copies stand together."""
        return np.cumsum(weights[:, self.true_patients], axis=1)

    def precision(self, weights: Weights) -> NDArray[np.float64]:
        """Precision at each true positive, shape (resamples, trues); 0 where nothing is found yet."""
        true = self.true_positives(weights)
        found = true + np.cumsum(weights @ self.false_before, axis=1)
        return np.divide(true, found, out=np.zeros_like(true), where=found > 0)

    def envelope(self, weights: Weights) -> NDArray[np.float64]:
        """The best precision at the recall of each true positive or at a higher one, shape (resamples, trues)."""
        return np.maximum.accumulate(self.precision(weights)[:, ::-1], axis=1)[:, ::-1]

    def all_point(self, weights: Weights) -> Values:
        """Area under the envelope at every recall: all-point average precision. NaN without lesions."""
        area = (weights[:, self.true_patients] * self.envelope(weights)).sum(axis=1)
        return shares(area, weights @ self.lesions)


def rank(
    scores: NDArray[np.float64],
    true: NDArray[np.bool_],
    patients: NDArray[np.int64],
    lesions: NDArray[np.float64],
) -> Ranking:
    """Rank detections by falling score, equal scores in the order given; each is true or false.

    `scores`, `true` and `patients` (whose each is) have shape (detections,), `lesions` (patients,).
    """
    order = np.argsort(-scores, kind="stable")
    true, patients = true[order], patients[order]
    count = int(true.sum())
    place = np.cumsum(true) - true  # true positives before each detection
    counted = ~true & (place < count)  # what comes after the last true positive changes nothing
    false_before = np.zeros((len(lesions), count))
    np.add.at(false_before, (patients[counted], place[counted]), 1)
    return Ranking(patients[true], false_before, lesions)
