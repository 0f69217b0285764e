"""All-point average precision, as keras-retinanet's `evaluate` prints it at IoU .5; for kinds of lesions too.

Source: keras_retinanet/utils/eval.py (release 1.0.0). The same choices: score > 0.05, at most 100 detections an
image, each detection belongs to the lesion that it overlaps most, a second detection of a lesion is a false positive,
area under the precision envelope at every recall. One class: lesions and detections count whatever their label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mammo.metrics.films import Film
from mammo.metrics.matching import Chosen, pairs_of_films
from mammo.metrics.ranking import Ranking, rank
from mammo.metrics.statistic import Statistic, patients_of
from mammo.tables.boxes import Boxes, iou_of_pairs

IOU = 0.5
SCORE_ABOVE = 0.05
MOST_DETECTIONS = 100


def average_precision(films: Sequence[Film]) -> float | None:
    """AP in 0..1 at IoU .5; None where the set has no lesions (keras-retinanet says 0 there).

    Detections of equal score count one after the other, those of the film with the smaller image_id first and within a
    film by their coordinates: the order of `Film`. keras-retinanet leaves that order to an unstable sort.
    """
    lesions = sum(len(film.lesions) for film in films)
    if not lesions:
        return None
    found = _belonging(films, IOU)
    hit = np.cumsum(found.is_first[np.argsort(-found.scores, kind="stable")])
    return _area(recall=hit / lesions, precision=hit / np.arange(1, len(hit) + 1))


def average_precision_statistic(films: Sequence[Film], iou: float, chosen: Chosen | None = None) -> Statistic:
    """All-point AP at an IoU, in 0..1; NaN in a resample without lesions that count.

    With `chosen` (see `lesions_of_type`, `lesions_of_size`) only these lesions count, and detections that belong to
    another lesion count neither way, as COCO does with lesions of other sizes (pycocotools, `cocoeval.py`). All other
    detections are false positives, whatever their size: nobody knows what they would have been.
    """
    return average_precision_ranking(films, iou, chosen).all_point


def average_precision_ranking(films: Sequence[Film], iou: float, chosen: Chosen | None = None) -> Ranking:
    """What `average_precision_statistic` is computed from: true and false positives by rank."""
    patients, patient_of_film = patients_of(films)
    counts = np.concatenate(chosen) if chosen is not None else np.ones(_lesions(films), bool)
    lesions_a_film = [len(film.lesions) for film in films]
    lesion_patients = np.repeat(patient_of_film, lesions_a_film)
    found = _belonging(films, iou)
    kept = np.ones(len(found.scores), bool)
    belonging = found.lesion >= 0
    kept[belonging] = counts[found.lesion[belonging]]
    return rank(
        found.scores[kept],
        found.is_first[kept],
        patient_of_film[found.film[kept]],
        np.bincount(lesion_patients[counts], minlength=len(patients)).astype(float),
    )


def lesions_of_type(films: Sequence[Film], lesion_type: str) -> list[NDArray[np.bool_]]:
    """Which lesions of each film are of a type (`lesion_type` of lesions.csv)."""
    return [np.array([row.lesion_type == lesion_type for row in film.lesion_rows], bool) for film in films]


def longest_sides_mm(film: Film) -> NDArray[np.float64]:
    """The longer side of each lesion's box in millimetres, shape (lesions,); NaN where a pixel's size is unknown."""
    pixel_mm = film.image.pixel_mm if film.image else None
    sides = (film.lesions[:, 2:] - film.lesions[:, :2]).max(axis=1, initial=0)
    return sides * (np.nan if pixel_mm is None else pixel_mm)


def lesions_of_size(films: Sequence[Film], from_mm: float, below_mm: float) -> list[NDArray[np.bool_]]:
    """Which lesions of each film have a longest side from `from_mm` to below `below_mm`; none of unknown size."""
    sides = [longest_sides_mm(film) for film in films]
    return [(side >= from_mm) & (side < below_mm) for side in sides]


@dataclass(frozen=True)
class _Belonging:
    """Detections film after film, each film's by score; all of shape (detections,).

    `film`: its place in the set. `lesion`: the lesion that a detection belongs to, counted through all films, or -1.
    `is_first`: whether it is the first of its lesion.
    """

    film: NDArray[np.int64]
    scores: NDArray[np.float64]
    lesion: NDArray[np.int64]
    is_first: NDArray[np.bool_]


def _lesions(films: Sequence[Film]) -> int:
    return sum(len(film.lesions) for film in films)


def _belonging(films: Sequence[Film], iou: float) -> _Belonging:
    counts = np.array([int((film.scores[:MOST_DETECTIONS] > SCORE_ABOVE).sum()) for film in films])
    kept = list(zip(films, counts, strict=True))
    lesion = _lesion_of(
        np.concatenate([film.detections[:count] for film, count in kept]),
        counts,
        np.concatenate([film.lesions for film in films]),
        np.array([len(film.lesions) for film in films]),
        iou,
    )
    is_first = np.zeros(len(lesion), bool)
    belonging = np.flatnonzero(lesion >= 0)
    is_first[belonging[np.unique(lesion[belonging], return_index=True)[1]]] = True
    scores = np.concatenate([film.scores[:count] for film, count in kept])
    return _Belonging(np.repeat(np.arange(len(films)), counts), scores, lesion, is_first)


def _lesion_of(
    detections: Boxes,
    detections_a_film: NDArray[np.int64],
    lesions: Boxes,
    lesions_a_film: NDArray[np.int64],
    iou: float,
) -> NDArray[np.int64]:
    """The lesion that each detection belongs to or -1, all films at once: film after film.

    A detection belongs to the lesion of its film that it overlaps most; of equal overlaps to the first.
    """
    lesion_of = np.full(len(detections), -1)
    detection, lesion = pairs_of_films(detections_a_film, lesions_a_film)
    if not len(detection):
        return lesion_of
    overlap = iou_of_pairs(detections[detection], lesions[lesion])
    begins = np.flatnonzero(np.diff(detection, prepend=-1))
    most = np.zeros(len(detections))
    most[detection[begins]] = np.maximum.reduceat(overlap, begins)
    belongs = np.flatnonzero((overlap == most[detection]) & (overlap >= iou))
    _, first = np.unique(detection[belongs], return_index=True)  # of equal overlaps the first lesion
    belongs = belongs[first]
    lesion_of[detection[belongs]] = lesion[belongs]
    return lesion_of


def _area(recall: NDArray[np.float64], precision: NDArray[np.float64]) -> float:
    """Area under the envelope: at each recall the best precision at this recall or a higher one."""
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * envelope))
