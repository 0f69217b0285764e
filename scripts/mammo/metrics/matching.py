"""When a detection hits a lesion, and which detection is credited with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from mammo.metrics.films import Film
from mammo.settings import HitRule
from mammo.tables.boxes import Boxes, iou_matrix, iou_of_pairs

Chosen = Sequence[NDArray[np.bool_]]  # of each film, which of its lesions count


class Outcome(Enum):
    """What one detection is worth."""

    HIT = "hit"  # the first detection, by score, of a lesion
    SECOND = "second"  # hits lesions that are all hit already: neither a true nor a false positive
    FALSE = "false"  # hits no lesion


def hits(rule: HitRule, detections: Boxes, lesions: Boxes) -> NDArray[np.bool_]:
    """Which detection hits which lesion, shape (detections, lesions). Centres must lie strictly inside the box."""
    if rule == "lesion_centre_in_detection":
        return _centre_inside(lesions[None, :], detections[:, None])
    if rule == "detection_centre_in_lesion":
        return _centre_inside(detections[:, None], lesions[None, :])
    return iou_matrix(detections, lesions) >= float(rule.removeprefix("iou_"))


def _centre_inside(inner: Boxes, outer: Boxes) -> NDArray[np.bool_]:
    centres = (inner[..., :2] + inner[..., 2:]) / 2
    return ((outer[..., :2] < centres) & (centres < outer[..., 2:])).all(axis=-1)


@dataclass(frozen=True)
class Matched:
    """What each detection of a set is worth, film after film, each film's by score; arrays of shape (detections,).

    `film`: its place in the set. `hit`, `second` and `false` are the outcomes. A detection that hits only lesions that
    do not count (see `match_films`) is none of the three.
    """

    film: NDArray[np.int64]
    scores: NDArray[np.float64]
    hit: NDArray[np.bool_]
    second: NDArray[np.bool_]
    false: NDArray[np.bool_]


def match_films(rule: HitRule, films: Sequence[Film], chosen: Chosen | None = None) -> Matched:
    """Credit each lesion to one detection: those of a film choose in their order, which is that of their scores.

    A detection takes, of the lesions that it hits and that are still free, the one with the greatest overlap (IoU), and
    only that one; of equal overlaps the first lesion. With `chosen` only these lesions can be taken, and a detection
    that hits none of them but another lesion counts neither way, as COCO ignores lesions of other sizes.
    """
    detections_a_film = np.array([len(film.scores) for film in films], np.int64)
    scores = np.concatenate([film.scores for film in films]) if len(films) else np.empty(0)
    detection, lesion, overlap = _hitting_pairs(rule, films, detections_a_film)
    counts = np.concatenate(chosen)[lesion] if chosen is not None else np.ones(len(lesion), bool)
    elsewhere = np.zeros(len(scores), bool)
    elsewhere[detection] = True
    # A detection's pairs by falling overlap, of equal ones the first lesion first: it takes the first that is free.
    detection, lesion, overlap = detection[counts], lesion[counts], overlap[counts]
    order = np.lexsort((lesion, -overlap, detection))
    hit = np.zeros(len(scores), bool)
    second = np.zeros(len(scores), bool)
    second[detection] = True
    taken: set[int] = set()
    served = -1
    for one, wanted in zip(detection[order].tolist(), lesion[order].tolist(), strict=True):
        if one != served and wanted not in taken:
            taken.add(wanted)
            served = one
            hit[one] = True
    film = np.repeat(np.arange(len(films)), detections_a_film)
    return Matched(film, scores, hit, second & ~hit, ~elsewhere)


def _hitting_pairs(
    rule: HitRule, films: Sequence[Film], detections_a_film: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Detections and the lesions that they hit, counted through all films, and the overlap (IoU) of each pair."""
    lesions_a_film = np.array([len(film.lesions) for film in films], np.int64)
    detection, lesion = pairs_of_films(detections_a_film, lesions_a_film)
    if not len(detection):
        return detection, lesion, np.empty(0)
    one = np.concatenate([film.detections for film in films])[detection]
    other = np.concatenate([film.lesions for film in films])[lesion]
    overlap = iou_of_pairs(one, other)
    if rule == "lesion_centre_in_detection":
        hit = _centre_inside(other, one)
    elif rule == "detection_centre_in_lesion":
        hit = _centre_inside(one, other)
    else:
        hit = overlap >= float(rule.removeprefix("iou_"))
    return detection[hit], lesion[hit], overlap[hit]


def pairs_of_films(
    detections_a_film: NDArray[np.int64], lesions_a_film: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every pair of a detection and a lesion of its film, detection after detection; both counted through all films."""
    choices = np.repeat(lesions_a_film, detections_a_film)
    detection = np.repeat(np.arange(len(choices)), choices)
    first_lesion = np.repeat(np.cumsum(lesions_a_film) - lesions_a_film, detections_a_film)
    return detection, np.arange(len(detection)) - (np.cumsum(choices) - choices - first_lesion)[detection]


def match(rule: HitRule, detections: Boxes, lesions: Boxes) -> list[Outcome]:
    """The outcomes of one film's detections (m, 4), by falling score, on its lesions (n, 4)."""
    scores = -np.arange(len(detections), dtype=np.float64)  # only their order counts
    matched = match_films(rule, [Film("", ("", ""), lesions, detections, scores)])
    outcomes = np.select([matched.hit, matched.second], [Outcome.HIT, Outcome.SECOND], Outcome.FALSE)
    return outcomes.tolist()
