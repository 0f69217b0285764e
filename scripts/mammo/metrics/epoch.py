"""Figures of the validation set after an epoch of training: the ones that a training can be watched by.

Boxes are in network pixels; every hit rule here is one of shares and centres, which scaling leaves as they are. Film by
film as in docs/metrics.md, with the settings that stand there as defaults, so that a changed setting of the evaluation
never trains anything again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mammo.metrics.average_precision import average_precision
from mammo.metrics.films import Film
from mammo.metrics.froc import froc_curve, froc_mean
from mammo.metrics.protocol import clean_images, sensitivity
from mammo.settings import EvaluationSettings
from mammo.tables.boxes import Boxes


class LookedAt(Protocol):
    """A film, its lesions (n, 4), and the boxes (m, 4) found on it with their scores (m,), by falling score."""

    image_id: str
    lesions: Boxes
    boxes: Boxes
    scores: Boxes


def epoch_figures(looked: Sequence[LookedAt]) -> dict[str, float | None]:
    """Figures by name; None where a set cannot give one: sensitivity without lesions, clean images without normals."""
    films = [Film(film.image_id, ("", ""), film.lesions, film.boxes, film.scores) for film in looked]
    settings = EvaluationSettings()
    curve = froc_curve(films, settings.froc_hit_rule)
    return {
        "sensitivity": sensitivity(films, settings.hit_rule, settings.score_threshold),
        "clean_images": clean_images(films, settings.score_threshold),
        "ap50": average_precision(films),
        "froc_mean": froc_mean(curve) if curve else None,
        "sens_at_1": curve.at(1.0) if curve else None,
    }
