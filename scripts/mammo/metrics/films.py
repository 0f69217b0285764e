"""A test set and what a model found on it, joined film by film: what every figure is computed from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mammo.errors import UserError
from mammo.tables.boxes import Boxes, as_boxes
from mammo.tables.detections import DetectionColumns, as_columns
from mammo.tables.records import Detection, Image, Lesion


@dataclass(frozen=True)
class Film:
    """One image: the truth, and what was found.

    `case` is patient and study, or the patient alone where the delivery names no study. `lesions` has shape (n, 4),
    `detections` (m, 4), `scores` (m,), in pixels of the image; detections by score, the highest first, equal scores by
    their coordinates, so that no figure depends on the order of a file. `image` and `lesion_rows` (in the order of
    `lesions`) are the rows behind it; a film looked at while training has none.
    """

    image_id: str
    case: tuple[str, str]
    lesions: Boxes
    detections: Boxes
    scores: NDArray[np.float64]
    image: Image | None = None
    lesion_rows: tuple[Lesion, ...] = ()

    @property
    def highest_score(self) -> float:
        """Of its strongest detection; 0 where nothing was found."""
        return float(self.scores[0]) if len(self.scores) else 0.0

    def from_score(self, threshold: float) -> Boxes:
        """Detections with at least this score."""
        return self.detections[self.scores >= threshold]


def join_films(
    images: Sequence[Image], lesions: Iterable[Lesion], detections: Iterable[Detection] | DetectionColumns
) -> list[Film]:
    """Join the three tables; films sorted by image_id. An image without detections was looked at and is empty.

    Raises `UserError` for a set without images, an image that stands twice, a lesion or a detection of an image that
    the set does not have.
    """
    if not images:
        raise UserError("the test set has no images: nothing can be measured on it; see its images.csv")
    images = sorted(images, key=lambda image: image.image_id)
    places = {image.image_id: place for place, image in enumerate(images)}
    if len(places) < len(images):
        twice = next(one.image_id for one, other in pairwise(images) if one.image_id == other.image_id)
        raise UserError(
            f"image_id {twice} stands twice in the test set's images.csv; every image may stand once"
        )
    truth: list[list[Lesion]] = [[] for _ in images]
    for lesion in lesions:
        if lesion.image_id not in places:
            raise _unknown(lesion.image_id, "lesion")
        truth[places[lesion.image_id]].append(lesion)
    found = _by_film(detections, places)
    return [
        _film(image, sorted(own, key=lambda box: box.lesion_id), boxes, scores)
        for image, own, (boxes, scores) in zip(images, truth, found, strict=True)
    ]


def _film(image: Image, lesions: list[Lesion], boxes: Boxes, scores: NDArray[np.float64]) -> Film:
    return Film(
        image_id=image.image_id,
        case=(image.patient, image.study),
        lesions=as_boxes([[box.x1, box.y1, box.x2, box.y2] for box in lesions]),
        detections=boxes,
        scores=scores,
        image=image,
        lesion_rows=tuple(lesions),
    )


def _unknown(image_id: str, what: str) -> UserError:
    return UserError(
        f"a {what} belongs to image {image_id}, which the test set's images.csv does not have: "
        "the tables come from different runs; make them again from one config"
    )


def _by_film(
    detections: Iterable[Detection] | DetectionColumns, places: dict[str, int]
) -> list[tuple[Boxes, NDArray[np.float64]]]:
    """Boxes and scores of each film, in the order that `Film` promises."""
    table = detections if isinstance(detections, DetectionColumns) else as_columns(detections)
    try:
        film = np.fromiter(map(places.__getitem__, table.image_ids), int, len(table.image_ids))
    except KeyError as error:
        raise _unknown(error.args[0], "detection") from None
    ranks = {label: rank for rank, label in enumerate(sorted(set(table.labels)))}
    label = np.fromiter(map(ranks.__getitem__, table.labels), int, len(table.labels))
    keys = [film, -table.scores, *table.boxes.T, label]
    boxes, scores = table.boxes, table.scores
    if not _ascend(keys):  # stored tables do
        order = np.lexsort(keys[::-1])  # the last key counts first
        film, boxes, scores = film[order], boxes[order], scores[order]
    cuts = np.searchsorted(film, np.arange(1, len(places)))
    return list(zip(np.split(boxes, cuts), np.split(scores, cuts), strict=True))


def _ascend(keys: Sequence[NDArray]) -> bool:
    """Whether rows stand in the order of their keys, the first counting first."""
    equal = np.ones(max(0, len(keys[0]) - 1), bool)
    for key in keys:
        if (equal & (key[:-1] > key[1:])).any():
            return False
        equal &= key[:-1] == key[1:]
        if not equal.any():
            return True
    return True
