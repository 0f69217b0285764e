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
from mammo.tables.boxes import Boxes, iou_matrix

IOU = 0.5
SCORE_ABOVE = 0.05
MOST_DETECTIONS = 100


def average_precision(films: Sequence[Film]) -> float | None:
    """AP in 0..1; None where the set has no lesions (keras-retinanet says 0 there)."""
    lesions = sum(len(film.lesions) for film in films)
    if not lesions:
        return None
    kept = [int((film.scores > SCORE_ABOVE)[:MOST_DETECTIONS].sum()) for film in films]
    scores = np.concatenate([film.scores[:count] for film, count in zip(films, kept, strict=True)])
    true = np.concatenate(
        [
            _true_positives(film.detections[:count], film.lesions)
            for film, count in zip(films, kept, strict=True)
        ]
    )
    hit = np.cumsum(true[np.argsort(-scores, kind="stable")])
    return _area(recall=hit / lesions, precision=hit / np.arange(1, len(hit) + 1))


def _true_positives(detections: Boxes, lesions: Boxes) -> NDArray[np.bool_]:
    true = np.zeros(len(detections), dtype=bool)
    if not len(lesions):
        return true
    overlap = iou_matrix(detections, lesions)
    taken: set[int] = set()
    for row, nearest in enumerate(overlap.argmax(axis=1)):
        true[row] = overlap[row, nearest] >= IOU and int(nearest) not in taken
        if true[row]:
            taken.add(int(nearest))
    return true


def _area(recall: NDArray[np.float64], precision: NDArray[np.float64]) -> float:
    """Area under the envelope: at each recall the best precision at this recall or a higher one."""
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * envelope))
