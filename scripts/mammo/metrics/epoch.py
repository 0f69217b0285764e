"""Figures of the validation set after an epoch of training: the ones that a training can be watched by.

Boxes are in network pixels; every hit rule here is one of shares and centres, which scaling leaves as they are. Film by
film as in docs/metrics.md, with the settings that stand there as defaults, so that a changed setting of the evaluation
never trains anything again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mammo.metrics.films import Film
from mammo.metrics.watched import watched_figures
from mammo.settings import EvaluationSettings
from mammo.tables.boxes import Boxes


class LookedAt(Protocol):
    """A film, its lesions (n, 4), and the boxes (m, 4) found on it with their scores (m,), by falling score."""

    image_id: str
    lesions: Boxes
    boxes: Boxes
    scores: Boxes


def epoch_figures(looked: Sequence[LookedAt]) -> dict[str, float | None]:
    """`watched_figures` of the films as they were looked at."""
    films = [Film(film.image_id, ("", ""), film.lesions, film.boxes, film.scores) for film in looked]
    return watched_figures(films, EvaluationSettings())
