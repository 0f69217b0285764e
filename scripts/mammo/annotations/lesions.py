"""Which of the regions that lines enclose are lesions, and which a gap between strokes, a pocket or a lens."""

from __future__ import annotations

import cv2
import numpy as np

from mammo.annotations.boxes import TWICE_IOU, area, mean, overlap, union
from mammo.annotations.faces import Face
from mammo.annotations.frames import Box
from mammo.annotations.lines import Part, disc_of

# Narrower than this share of its length, a region lies between two strokes of one line, or is the lens of two outlines.
SLIVER_SHARE = 0.12
# What is narrower than this share of the line round it was not meant to be seen.
STROKE_SHARE = 0.8
# Where two outlines cross, what they share looks outside but at its two ends.
OUTSIDE_SHARE, CONVEX = 0.25, 0.85
# Of what lies across a region's line at least this share is a neighbour that counts.
BESIDE_SHARE = 0.08
# Pockets beside an outline: much smaller than it, or hollow.
POCKET_SHARE, CLOSED_POCKET_SHARE, HOLLOW = 0.01, 0.1, 0.55


def sorted_out(faces: list[Face], part: Part) -> list[Box]:
    """Boxes of the regions that are lesions: crossing outlines put together again, double lines made one."""
    neighbours = [_neighbours(index, faces, part) for index in range(len(faces))]
    lesions = {index for index, face in enumerate(faces) if not _is_sliver(face)}
    for index in sorted(lesions):
        beside = [faces[other].area for other in neighbours[index][0]]
        if beside and _is_pocket(faces[index], max(beside)):
            lesions.discard(index)
    shared = {
        index
        for index, (beside, outside) in enumerate(neighbours)
        if len(_among(beside, lesions)) >= 2
        and outside < OUTSIDE_SHARE
        and faces[index].gap <= max(faces[other].gap for other in _among(beside, lesions))
    }
    boxes = {
        index: faces[index].tight if _touches(index, lesions, faces) else faces[index].box
        for index in sorted(lesions - shared)
    }
    for index, face in enumerate(faces):
        beside = [
            other for other in _among(neighbours[index][0], lesions) if other in boxes and other != index
        ]
        if index in shared and (len(beside) == 2 or face.solidity >= CONVEX):
            for other in beside:
                boxes[other] = union(boxes[other], face.tight)
        elif index not in lesions and len(beside) == 1 and area(face.box) > area(faces[beside[0]].box):
            # Two strokes of one line round the same: half way between them.
            boxes[beside[0]] = mean(boxes[beside[0]], union(boxes[beside[0]], face.box))
    return _once([boxes[index] for index in sorted(boxes)])


def _touches(index: int, lesions: set[int], faces: list[Face]) -> bool:
    """Whether another lesion's line may run along a region's own, or be joined to it."""
    face = faces[index]
    near = cv2.dilate(face.region, disc_of(2 * int(np.ceil(2 * face.line)) + 2 * face.gap + 7))
    return any(bool((near & faces[other].region).any()) for other in lesions if other != index)


def _among(shares: dict[int, float], lesions: set[int]) -> list[int]:
    return [other for other, share in shares.items() if share > BESIDE_SHARE and other in lesions]


def _neighbours(index: int, faces: list[Face], part: Part) -> tuple[dict[int, float], float]:
    """Which regions lie across a region's line, each with its share of what lies there, and the outside's share."""
    face = faces[index]
    reach = int(np.ceil(face.line)) + face.gap + 3
    ring = (cv2.dilate(face.region, disc_of(2 * reach + 1)) - face.region).astype(bool) & (part.trace == 0)
    total = max(1, int(ring.sum()))
    shares = {
        other: int((ring & (one.region > 0)).sum()) / total
        for other, one in enumerate(faces)
        if other != index
    }
    return {other: share for other, share in shares.items() if share > 0}, 1 - sum(shares.values())


def _is_sliver(face: Face) -> bool:
    length = max(face.inner[2] - face.inner[0], face.inner[3] - face.inner[1])
    return face.thickness < max(3.0, STROKE_SHARE * face.line, SLIVER_SHARE * length)


def _is_pocket(face: Face, bigger: int) -> bool:
    """Whether a region beside a larger one is but a corner between its line and something else."""
    share = CLOSED_POCKET_SHARE if face.gap else POCKET_SHARE
    return face.area < share * bigger or (face.area < bigger and face.solidity < HOLLOW)


def _once(boxes: list[Box]) -> list[Box]:
    """The larger one of boxes that nearly agree."""
    kept: list[Box] = []
    for box in sorted(boxes, key=area, reverse=True):
        if all(overlap(box, other) < TWICE_IOU for other in kept):
            kept.append(box)
    return kept
