"""A test set and what a model found on it, joined film by film: what every figure is computed from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mammo.errors import UserError
from mammo.tables.boxes import Boxes, as_boxes
from mammo.tables.records import Detection, Image, Lesion


@dataclass(frozen=True)
class Film:
    """One image: the truth, and what was found.

    `case` is patient and study, or the patient alone where the delivery names no study. `lesions` has shape (n, 4),
    `detections` (m, 4), `scores` (m,), in pixels of the image; detections by score, the highest first, equal scores by
    their coordinates, so that no figure depends on the order of a file.
    """

    image_id: str
    case: tuple[str, str]
    lesions: Boxes
    detections: Boxes
    scores: NDArray[np.float64]

    def from_score(self, threshold: float) -> Boxes:
        """Detections with at least this score."""
        return self.detections[self.scores >= threshold]


def join_films(
    images: Sequence[Image], lesions: Iterable[Lesion], detections: Iterable[Detection]
) -> list[Film]:
    """Join the three tables; films sorted by image_id. An image without detections was looked at and is empty.

    Raises `UserError` for a set without images, an image that stands twice, a lesion or a detection of an image that
    the set does not have.
    """
    if not images:
        raise UserError("the test set has no images: nothing can be measured on it; see its images.csv")
    names = [image.image_id for image in images]
    if len(set(names)) < len(names):
        twice = next(name for name in sorted(names) if names.count(name) > 1)
        raise UserError(
            f"image_id {twice} stands twice in the test set's images.csv; every image may stand once"
        )
    truth = _by_image(lesions, set(names), "lesion")
    found = _by_image(detections, set(names), "detection")
    return [
        _film(image, truth[image.image_id], found[image.image_id])
        for image in sorted(images, key=lambda image: image.image_id)
    ]


def _by_image(rows: Iterable[Lesion | Detection], known: set[str], what: str) -> dict[str, list]:
    by_image: dict[str, list] = defaultdict(list)
    for row in rows:
        if row.image_id not in known:
            raise UserError(
                f"a {what} belongs to image {row.image_id}, which the test set's images.csv does not have: "
                "the tables come from different runs; make them again from one config"
            )
        by_image[row.image_id].append(row)
    return by_image


def _film(image: Image, lesions: list[Lesion], detections: list[Detection]) -> Film:
    ordered = sorted(detections, key=lambda box: (-box.score, box.x1, box.y1, box.x2, box.y2, box.label))
    return Film(
        image_id=image.image_id,
        case=(image.patient, image.study),
        lesions=as_boxes(
            [[box.x1, box.y1, box.x2, box.y2] for box in sorted(lesions, key=lambda box: box.lesion_id)]
        ),
        detections=as_boxes([[box.x1, box.y1, box.x2, box.y2] for box in ordered]),
        scores=np.array([box.score for box in ordered], dtype=np.float64),
    )
