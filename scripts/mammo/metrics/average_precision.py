"""Average precision at IoU .5, the figure that keras-retinanet's `evaluate` prints.

Source: keras_retinanet/utils/eval.py (release 1.0.0). The same choices: score > 0.05, at most 100 detections an
image, each detection belongs to the lesion that it overlaps most, a second detection of a lesion is a false positive,
area under the precision envelope at every recall. One class: lesions and detections count whatever their label.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mammo.metrics.films import Film
from mammo.tables.boxes import Boxes, iou_of_pairs

IOU = 0.5
SCORE_ABOVE = 0.05
MOST_DETECTIONS = 100


def average_precision(films: Sequence[Film]) -> float | None:
    """AP in 0..1; None where the set has no lesions (keras-retinanet says 0 there).

    Detections of equal score count one after the other, those of the film with the smaller image_id first and within a
    film by their coordinates: the order of `Film`. keras-retinanet leaves that order to an unstable sort.
    """
    if not any(len(film.lesions) for film in films):
        return None
    counts = [int((film.scores[:MOST_DETECTIONS] > SCORE_ABOVE).sum()) for film in films]
    kept = list(zip(films, counts, strict=True))
    scores = np.concatenate([film.scores[:count] for film, count in kept])
    detections = np.concatenate([film.detections[:count] for film, count in kept])
    lesions = np.concatenate([film.lesions for film in films])
    true = _true_positives(
        detections, np.array(counts), lesions, np.array([len(film.lesions) for film in films])
    )
    hit = np.cumsum(true[np.argsort(-scores, kind="stable")])
    return _area(recall=hit / len(lesions), precision=hit / np.arange(1, len(hit) + 1))


def _true_positives(
    detections: Boxes, detections_a_film: NDArray[np.int64], lesions: Boxes, lesions_a_film: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which detections are the first of their lesion, all films at once: film after film, each film's by score.

    A detection belongs to the lesion of its film that it overlaps most; of equal overlaps to the first.
    """
    # Every pair of a detection and a lesion of its film, detection after detection.
    choices = np.repeat(lesions_a_film, detections_a_film)
    first_lesion = np.repeat(np.cumsum(lesions_a_film) - lesions_a_film, detections_a_film)
    begins = np.cumsum(choices) - choices
    detection = np.repeat(np.arange(len(detections)), choices)
    lesion = np.arange(len(detection)) - begins[detection] + first_lesion[detection]
    overlap = iou_of_pairs(detections[detection], lesions[lesion])

    true = np.zeros(len(detections), dtype=bool)
    having = np.flatnonzero(choices)
    if not len(having):
        return true
    most = np.zeros(len(detections))
    most[having] = np.maximum.reduceat(overlap, begins[having])
    belongs = np.flatnonzero((overlap == most[detection]) & (overlap >= IOU))
    _, first = np.unique(detection[belongs], return_index=True)  # of equal overlaps the first lesion
    belongs = belongs[first]
    _, first = np.unique(lesion[belongs], return_index=True)  # of a lesion's detections the first
    true[detection[belongs[first]]] = True
    return true


def _area(recall: NDArray[np.float64], precision: NDArray[np.float64]) -> float:
    """Area under the envelope: at each recall the best precision at this recall or a higher one."""
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * envelope))
