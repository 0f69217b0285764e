"""Which places of a test set a gallery shows: lesions that were missed, and findings where no lesion is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mammo.metrics.average_precision import longest_sides_mm
from mammo.metrics.films import Film
from mammo.metrics.matching import hits, match_films
from mammo.settings import EvaluationSettings, HitRule
from mammo.tables.boxes import iou_matrix
from mammo.tables.records import Lesion

SAME_PLACE = 0.1  # IoU from which on a box is about the same place


Word = Literal["hit", "marks it", "below the threshold", "beside it", "nothing"]


@dataclass(frozen=True)
class Said:
    """What a model says of a place in a word, and the box that the word is about, if there is one: `box` (4,), `score`.

    Of a lesion: "hit"; "below the threshold", a box hits it, with too low a score; "beside it", a box of at least
    `SAME_PLACE` IoU hits it not. Of a false positive's place: "marks it", a box has at least that IoU with it.
    """

    word: Word
    box: NDArray[np.float64] | None = None
    score: float | None = None


@dataclass(frozen=True)
class Place:
    """One thing that went wrong, `box` (4,) in pixels of the image.

    A missed lesion has its row, its longest side in pixels, and in mm where known; a false positive has its score.
    """

    film: Film
    box: NDArray[np.float64]
    lesion: Lesion | None = None
    side: float = 0.0
    side_mm: float | None = None
    score: float | None = None


def missed_lesions(films: Sequence[Film], settings: EvaluationSettings) -> list[Place]:
    """Lesions that no detection hits by the team's protocol: as many as lesions less `lesions_hit`.

    The largest first by longest side in mm; after them those on films of unknown pixel size, by pixels.
    """
    places = []
    for film in films:
        hit = hits(settings.hit_rule, film.from_score(settings.score_threshold), film.lesions).any(axis=0)
        for index in np.flatnonzero(~hit).tolist():
            box, side_mm = film.lesions[index], float(longest_sides_mm(film)[index])
            known = None if np.isnan(side_mm) else side_mm
            side = float((box[2:] - box[:2]).max())
            places.append(Place(film, box, film.lesion_rows[index], side, known))
    return sorted(places, key=_size_order)


def _size_order(place: Place) -> tuple[bool, float, str, str]:
    unknown = place.side_mm is None
    size = place.side if place.side_mm is None else place.side_mm
    return unknown, -size, place.film.image_id, place.lesion.lesion_id if place.lesion else ""


def false_positives(films: Sequence[Film], settings: EvaluationSettings) -> list[Place]:
    """Detections that hit no lesion by FROC's rule, from the protocol's threshold on; the highest score first."""
    matched = match_films(settings.froc_hit_rule, films)
    wrong = np.flatnonzero(matched.false & (matched.scores >= settings.score_threshold))
    boxes = [film.detections for film in films]
    all_boxes = np.concatenate(boxes) if boxes else np.empty((0, 4))
    places = [
        Place(films[matched.film[index]], all_boxes[index], score=float(matched.scores[index]))
        for index in wrong.tolist()
    ]
    return sorted(places, key=lambda place: (-(place.score or 0.0), place.film.image_id, *place.box.tolist()))


def found_at(place: Place, film: Film, rule: HitRule) -> NDArray[np.int64]:
    """Which detections of a model on the place's film are about the place, however low their scores, the best first.

    A lesion is found by the hit rule, or by an IoU of at least `SAME_PLACE` with it; so is a false positive's place by
    the latter.
    """
    return np.flatnonzero(_near(place, film) | _hitting(place, film, rule))


def _near(place: Place, film: Film) -> NDArray[np.bool_]:
    return iou_matrix(film.detections, place.box[None, :])[:, 0] >= SAME_PLACE


def _hitting(place: Place, film: Film, rule: HitRule) -> NDArray[np.bool_]:
    """Which detections hit the place's lesion; none of them where there is none."""
    if place.lesion is None:
        return np.zeros(len(film.detections), bool)
    return hits(rule, film.detections, place.box[None, :])[:, 0]


def said_at(place: Place, film: Film, settings: EvaluationSettings) -> Said:
    """What a model says of a place, by the protocol's hit rule and threshold.

    A box that hits the lesion counts before one that only lies beside it, whatever their scores.
    """
    hitting, near = _hitting(place, film, settings.hit_rule), _near(place, film)
    about = np.flatnonzero(hitting if hitting.any() else near)
    if not len(about):
        return Said("nothing")
    box, score = film.detections[about[0]], float(film.scores[about[0]])
    if place.lesion is not None and not hitting.any():
        return Said("beside it", box, score)
    if score < settings.score_threshold:
        return Said("below the threshold", box, score)
    return Said("marks it" if place.lesion is None else "hit", box, score)


def films_by_id(models: Mapping[str, Sequence[Film]]) -> dict[str, dict[str, Film]]:
    """Each model's films by image_id."""
    return {name: {film.image_id: film for film in films} for name, films in models.items()}
