"""The detections of all members in one place, by image and label, in an order that no file and no member decides."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mammo.errors import UserError
from mammo.fusion.kernels import Floats, Integers, group_rows, order_within
from mammo.fusion.methods import Group
from mammo.tables.boxes import Boxes
from mammo.tables.detections import DetectionColumns


@dataclass(frozen=True)
class Looked:
    """What one member found, and at which images it looked: an image may be looked at and give nothing.

    `weight`: above 0; what counts is the proportion to the other members that looked at an image.
    """

    images: frozenset[str]
    detections: DetectionColumns
    weight: float = 1.0


@dataclass(frozen=True)
class Pool:
    """Boxes of all members, sorted: by image, by label, by falling score × weight, by box.

    `images` and `labels`: their names, sorted. `starts` (groups + 1,): where each group of an image and a label
    begins; group g is of image g // len(labels) and label g % len(labels). `boxes` (n, 4), `scores` (n,), `weights`
    (n,), `members` (n,): as in `Group`. `looked` (images,): summed weight of the members that looked.
    """

    images: list[str]
    labels: list[str]
    starts: Integers
    boxes: Boxes
    scores: Floats
    weights: Floats
    members: Integers
    looked: Floats

    def groups(self) -> Iterator[tuple[int, int, Group]]:
        """The groups that hold a box: number of the image, number of the label, boxes."""
        for number in np.flatnonzero(np.diff(self.starts)).tolist():
            image, label = divmod(number, len(self.labels))
            own = slice(self.starts[number], self.starts[number + 1])
            yield (
                image,
                label,
                Group(
                    self.boxes[own],
                    self.scores[own],
                    self.weights[own],
                    self.members[own],
                    float(self.looked[image]),
                ),
            )


def pool(members: Sequence[Looked], score_floor: float) -> Pool:
    """Pool the boxes that have an area and a score of at least `score_floor`.

    Raises `UserError` for a weight that is no positive number, and where a member found something on an image that
    it did not look at.
    """
    for member in members:
        if not 0 < member.weight < math.inf:
            raise UserError(f"the weight of a member must be a number above 0, found {member.weight}")
    members = sorted(
        members, key=lambda member: member.weight
    )  # sums come out the same in any order of the members
    image_codes = _codes(image for member in members for image in member.images)
    label_codes = _codes(label for member in members for label in set(member.detections.labels))
    weights = _weights(members, image_codes)
    parts = [
        _member_rows(number, member, image_codes, label_codes, weights[number], score_floor)
        for number, member in enumerate(members)
    ]
    groups, boxes, scores, own_weights, numbers = (
        (np.concatenate(column) for column in zip(*parts, strict=True)) if parts else _nothing()
    )
    starts, rows = group_rows(groups, len(image_codes) * len(label_codes))
    order_within(starts, rows, scores, boxes, own_weights)
    looked = weights.sum(axis=0) if len(members) else np.zeros(0)
    return Pool(
        list(image_codes),
        list(label_codes),
        starts,
        boxes[rows],
        scores[rows],
        own_weights[rows],
        numbers[rows],
        looked,
    )


def _codes(names: Iterator[str]) -> dict[str, int]:
    return {name: code for code, name in enumerate(sorted(set(names)))}


def _weights(members: Sequence[Looked], codes: dict[str, int]) -> Floats:
    """Weights by member and image, (members, images), 0 where it did not look; the heaviest that looked weighs 1."""
    weights = np.zeros((len(members), len(codes)))
    for number, member in enumerate(members):
        weights[number, [codes[image] for image in member.images]] = member.weight
    return weights / weights.max(axis=0) if codes else weights


def _member_rows(
    number: int,
    member: Looked,
    image_codes: dict[str, int],
    label_codes: dict[str, int],
    weights: Floats,
    score_floor: float,
) -> tuple[NDArray, ...]:
    """Groups, boxes, weighted scores, weights and member numbers of the rows that are fused."""
    found = member.detections
    images = _coded(found.image_ids, image_codes)
    not_looked = np.flatnonzero((images < 0) | (weights[images] == 0)) if len(images) else images
    if len(not_looked):
        raise UserError(
            f"a detection belongs to image {found.image_ids[not_looked[0]]}, which is not among the images looked at: "
            "the tables come from different runs; make them again from one config"
        )
    groups = images * len(label_codes) + _coded(found.labels, label_codes)
    boxes = found.boxes
    use = (found.scores >= score_floor) & (boxes[:, 0] < boxes[:, 2]) & (boxes[:, 1] < boxes[:, 3])
    weight = weights[images[use]]
    return groups[use], boxes[use], found.scores[use] * weight, weight, np.full(len(weight), number)


def _coded(names: Sequence[str], codes: dict[str, int]) -> Integers:
    if len(codes) == 1 and names.count(next(iter(codes))) == len(names):
        return np.zeros(len(names), np.int64)
    return np.fromiter((codes.get(name, -1) for name in names), np.int64, len(names))


def _nothing() -> tuple[NDArray, ...]:
    return np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0), np.zeros(0), np.zeros(0, np.int64)
