"""COCO's twelve figures, equal to pycocotools': average precision and average recall over IoU .5 to .95.

Source: pycocotools 2.0 (`cocoeval.py`), cocodataset.org, "Detection evaluation". One class, no crowds, the area of a
lesion is its box's. In a film the detections take lesions by falling score; each takes the free lesion that it overlaps
most, of equal overlaps the last, lesions of other sizes only where no other is left. Precision is the envelope's at 101
recalls. The size classes are those of photographs, in square pixels: on mammograms they mean nothing, and are here
because COCO's table has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from mammo.metrics.films import Film
from mammo.metrics.ranking import Ranking, rank
from mammo.metrics.statistic import Statistic, Values, Weights, patients_of, shares
from mammo.tables.boxes import Boxes, areas, iou_matrix

IOUS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
MOST_DETECTIONS = 100
ANY_AREA = (0.0, 1e5**2)
AREAS = {"small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e5**2)}


def coco_statistics(films: Sequence[Film]) -> dict[str, Statistic]:
    """The twelve by name, in COCO's order; NaN without a lesion that counts (pycocotools says -1).

    Detections of equal score count in the order of the films, within a film in that of `Film`: pycocotools sorts
    stably, so it says the same of images and detections in this order. Detections are matched when a figure is first
    asked for.
    """

    @cache
    def matched(area: tuple[float, float]) -> _Matched:
        return _match_films(films, area)

    def precision(area: tuple[float, float], ious: slice) -> Statistic:
        return lambda weights: _average_precision(matched(area).rankings(), weights, ious)

    def recall(area: tuple[float, float], most: int) -> Statistic:
        return lambda weights: matched(area).recall(weights, most)

    return {
        "coco_ap": precision(ANY_AREA, slice(None)),
        "coco_ap50": precision(ANY_AREA, slice(0, 1)),
        "coco_ap75": precision(ANY_AREA, slice(5, 6)),
        **{f"coco_ap_{name}": precision(area, slice(None)) for name, area in AREAS.items()},
        **{f"coco_ar_{most}": recall(ANY_AREA, most) for most in (1, 10, 100)},
        **{f"coco_ar_{name}": recall(area, MOST_DETECTIONS) for name, area in AREAS.items()},
    }


@dataclass(frozen=True)
class _Matched:
    """All detections, film after film: `true` and `ignored` have shape (ious, detections), the others (detections,).

    `place` is a detection's place in its film, by score; `lesions` (patients,) those that count.
    """

    scores: NDArray[np.float64]
    patients: NDArray[np.int64]
    place: NDArray[np.int64]
    true: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    lesions: NDArray[np.float64]

    def rankings(self) -> list[Ranking]:
        """A ranking for each IoU."""
        return [
            rank(self.scores[~ignored], true[~ignored], self.patients[~ignored], self.lesions)
            for true, ignored in zip(self.true, self.ignored, strict=True)
        ]

    def recall(self, weights: Weights, most: int) -> Values:
        """Mean over the IoUs of the share of lesions found by the first `most` detections of each film."""
        true = (self.true & ~self.ignored & (self.place < most)).sum(axis=0)
        hit = np.bincount(self.patients, true, minlength=len(self.lesions))
        return shares(weights @ hit, len(IOUS) * (weights @ self.lesions))


def _match_films(films: Sequence[Film], area: tuple[float, float]) -> _Matched:
    patients, patient_of_film = patients_of(films)
    pairs = [_match_film(film.detections[:MOST_DETECTIONS], film.lesions, area) for film in films]
    counts = [len(film.scores[:MOST_DETECTIONS]) for film in films]
    lesions = [int((~_outside(film.lesions, area)).sum()) for film in films]
    return _Matched(
        scores=np.concatenate([film.scores[:MOST_DETECTIONS] for film in films]),
        patients=np.repeat(patient_of_film, counts),
        place=np.concatenate([np.arange(count) for count in counts]),
        true=np.concatenate([true for true, _ in pairs], axis=1),
        ignored=np.concatenate([ignored for _, ignored in pairs], axis=1),
        lesions=np.bincount(patient_of_film, lesions, minlength=len(patients)),
    )


def _outside(boxes: Boxes, area: tuple[float, float]) -> NDArray[np.bool_]:
    return (areas(boxes) < area[0]) | (areas(boxes) > area[1])


def _match_film(
    detections: Boxes, lesions: Boxes, area: tuple[float, float]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which detections take a lesion, and which count neither way, both of shape (ious, detections).

    What takes a lesion of another size is ignored, and so is what takes none and is itself of another size.
    """
    taking = np.full((len(IOUS), len(detections)), -1)
    other_size = _outside(lesions, area)
    overlap = iou_matrix(detections, lesions)
    free = np.ones((len(IOUS), len(lesions)), bool)
    for place in np.flatnonzero((overlap >= IOUS[0]).any(axis=1)):
        reached = free & (overlap[place] >= IOUS[:, None])
        counting = reached & ~other_size
        choice = np.where(counting.any(axis=1, keepdims=True), counting, reached)
        taken = _last_greatest(np.where(choice, overlap[place], -1.0))
        rows = np.flatnonzero(choice.any(axis=1))
        taking[rows, place] = taken[rows]
        free[rows, taken[rows]] = False
    true = taking >= 0
    ignored = np.broadcast_to(_outside(detections, area), true.shape).copy()
    ignored[true] = other_size[taking[true]]
    return true, ignored


def _last_greatest(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Of each row the place of the greatest value, of equal ones the last."""
    return values.shape[1] - 1 - np.argmax(values[:, ::-1], axis=1)


def _average_precision(rankings: Sequence[Ranking], weights: Weights, ious: slice) -> Values:
    return np.mean([_interpolated(ranking, weights) for ranking in rankings[ious]], axis=0)


def _interpolated(ranking: Ranking, weights: Weights) -> Values:
    """Mean of the envelope at the 101 recalls, 0 at recalls that are not reached."""
    lesions = weights @ ranking.lesions
    true = ranking.true_positives(weights)
    # A further column for what is not reached; one search for all resamples, each shifted beyond the one before.
    precision = np.column_stack([ranking.envelope(weights), np.zeros(len(weights))])
    shift = (np.arange(len(weights)) * (lesions.max(initial=0) + 2))[:, None]
    ends = np.column_stack([true, np.full(len(weights), lesions.max(initial=0) + 1)])
    wanted = _true_positives_wanted(lesions)
    place = np.searchsorted((ends + shift).ravel(), (wanted + shift).ravel())
    mean = precision.ravel()[place].reshape(wanted.shape).mean(axis=1)
    return np.where(lesions > 0, mean, np.nan)


def _true_positives_wanted(lesions: Values) -> NDArray[np.float64]:
    """The smallest number of true positives whose recall reaches each of the 101, shape (resamples, 101).

    The quotient decides as it is rounded, since pycocotools compares quotients.
    """
    most = np.maximum(lesions, 1)[:, None]
    wanted = np.ceil(RECALLS * most)
    wanted = np.where((wanted - 1) / most >= RECALLS, wanted - 1, wanted)
    # Recall 0 is reached by the first detection, and the envelope there is the first true positive's.
    return np.maximum(np.where(wanted / most < RECALLS, wanted + 1, wanted), 0)
