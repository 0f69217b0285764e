"""Lesions in a drawing: which of its lines go round something, and where.

A lesion is a region that a line encloses, wholly or but for gaps: text, arrows and rulers enclose nothing of size. The
picture's edge encloses as a line does. Modules, each knowing those before it: `boxes` and `lines`, `faces` (a region
measured), `letters`, `enclosed` (the regions there are), `lesions` (which of them count), `strokes` (what encloses no
region).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mammo.annotations.enclosed import enclosed_faces
from mammo.annotations.frames import Box
from mammo.annotations.lesions import sorted_out
from mammo.annotations.letters import letter_height, without_letters
from mammo.annotations.lines import Mask, Part, components
from mammo.annotations.strokes import nearly_closed, painted
from mammo.dicom.unusable import Unusable

# A drawing has some hundred lines and letters.
MOST_PIECES = 3000


def drawn_lesions(
    lines: Mask, trace: Mask, close_gap: int, min_side: int, picture: tuple[int, int] | None = None
) -> list[Box]:
    """Boxes of what the lines enclose, half-open in the masks' pixels, around the middle of the line.

    `lines` are the pixels of the lines, `trace` the same with paler ones along which a line goes on; `picture` is
    (height, width) of the whole picture where the masks are a part of it. Gaps up to `close_gap` pixels are closed;
    boxes with a side below `min_side` are dropped. Of nested outlines each is a lesion, unless the boxes nearly agree
    (a line drawn twice). Sorted from top to bottom, then from left to right. Raises `Unusable` for what is no drawing:
    noise and photographs would take hours.
    """
    shape = lines.shape if picture is None else picture
    trace = np.maximum(lines, trace)
    glyphs, pieces = components(lines), components(trace)
    if max(len(glyphs), len(pieces)) > MOST_PIECES:
        raise Unusable(f"more than {MOST_PIECES} separate lines are no drawing")
    found: list[Box] = []
    for part in _parts(lines, trace, pieces, close_gap + 3):
        boxes = without_letters(_enclosed(part, close_gap, min_side, shape), part, glyphs, lines, shape)
        left, top = part.window[:2]
        found += [
            (float(x1 + left), float(y1 + top), float(x2 + left), float(y2 + top)) for x1, y1, x2, y2 in boxes
        ]
    return sorted(found, key=lambda box: (box[1], box[0], box[3], box[2]))


def _parts(lines: Mask, trace: Mask, boxes: NDArray[np.int32], room: int) -> Iterator[Part]:
    """The picture cut into parts with all lines that come within `room` of one another, `room` around them."""
    height, width = lines.shape
    count = -1
    while len(boxes) != count:
        count = len(boxes)
        ground = np.zeros((height, width), np.uint8)
        for x1, y1, x2, y2 in boxes:
            ground[max(0, y1 - room) : y2 + room, max(0, x1 - room) : x2 + room] = 1
        boxes = components(ground)
        room = 0
    for x1, y1, x2, y2 in boxes.tolist():
        cut = np.s_[y1:y2, x1:x2]
        edges = (x1 == 0, y1 == 0, x2 == width, y2 == height)
        yield Part((x1, y1, x2, y2), lines[cut], trace[cut], edges)


def _enclosed(part: Part, close_gap: int, min_side: int, shape: tuple[int, ...]) -> list[Box]:
    """Boxes of a part's lesions in the part's pixels."""
    faces = [
        face
        for face in enclosed_faces(part, close_gap, shape)
        if min(face.box[2] - face.box[0], face.box[3] - face.box[1]) >= min(min_side, 4 + min_side / 4)
    ]
    boxes = sorted_out(faces, part)
    boxes = [box for box in boxes if min(box[2] - box[0], box[3] - box[1]) >= min_side]
    boxes += painted(part, boxes, min_side)
    if not boxes:
        boxes = nearly_closed(part, max(2 * min_side, letter_height(shape)), shape)
    return boxes
