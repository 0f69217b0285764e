"""The curve of precision over recall behind all-point average precision, for pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mammo.metrics.average_precision import Chosen, average_precision_ranking
from mammo.metrics.films import Film
from mammo.metrics.statistic import Weights, patients_of


@dataclass(frozen=True)
class PrecisionRecall:
    """A point for each true positive, by falling score; arrays of shape (points,).

    `precision` as it is, `envelope` the best precision at this recall or a higher one; the area under the envelope,
    drawn as steps from recall 0 on, is `average_precision_statistic`'s figure.
    """

    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    envelope: NDArray[np.float64]


def precision_recall(
    films: Sequence[Film], iou: float, chosen: Chosen | None = None
) -> PrecisionRecall | None:
    """The curve at an IoU; None without lesions. `chosen` as in `average_precision_statistic`."""
    ranking = average_precision_ranking(films, iou, chosen)
    lesions = ranking.lesions.sum()
    if not lesions:
        return None
    once = np.ones((1, len(patients_of(films)[0])))
    recall = ranking.true_positives(once)[0] / lesions
    return PrecisionRecall(recall, ranking.precision(once)[0], ranking.envelope(once)[0])


def precision_at(
    films: Sequence[Film], iou: float, recalls: NDArray[np.float64], chosen: Chosen | None = None
) -> Callable[[Weights], NDArray[np.float64]]:
    """The envelope at recalls (points,) for the band of a picture: weights → (resamples, points).

    0 at a recall that is not reached; NaN in a resample without lesions.
    """
    ranking = average_precision_ranking(films, iou, chosen)

    def curve(weights: Weights) -> NDArray[np.float64]:
        lesions = weights @ ranking.lesions
        true, envelope = ranking.true_positives(weights), ranking.envelope(weights)
        values = np.full((len(weights), len(recalls)), np.nan)
        for row in np.flatnonzero(lesions > 0):
            place = np.searchsorted(true[row] / lesions[row], recalls)
            values[row] = np.append(envelope[row], 0.0)[place]
        return values

    return curve
