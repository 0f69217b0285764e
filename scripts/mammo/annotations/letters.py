"""Boxes that are text: letters of a word, set apart or run into one another, and frames round a word."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mammo.annotations.boxes import overlap
from mammo.annotations.frames import Box
from mammo.annotations.lines import Mask, Part, line_width

# Letters are no higher than so many pixels or, where that is more, this share of the picture's height.
LETTER_PIXELS, LETTER_SHARE = 44, 0.03


def letter_height(shape: tuple[int, ...]) -> int:
    """As high as a letter may be, in pixels, in a picture of shape (height, width)."""
    return max(LETTER_PIXELS, round(LETTER_SHARE * shape[0]))


def without_letters(
    boxes: list[Box], part: Part, glyphs: NDArray[np.int32], lines: Mask, shape: tuple[int, ...]
) -> list[Box]:
    """Boxes that are no letter of a word and no frame round one."""
    left, top = part.window[:2]
    tallest = letter_height(shape)
    kept = []
    for box in boxes:
        small = box[3] - box[1] <= tallest
        whole = (box[0] + left, box[1] + top, box[2] + left, box[3] + top)
        glyph = _glyph_of(whole, glyphs)
        letter = small and (
            _in_row(_outer(whole, lines), glyphs)
            or (glyph is not None and glyph[3] - glyph[1] <= tallest and _in_row(glyph, glyphs))
            or _is_glued(box, boxes, part.lines)
        )
        if not letter and not _is_stamp(box, part.lines):
            kept.append(box)
    return kept


def _outer(box: Box, lines: Mask) -> Box:
    """A box along the middle of a line → the box around the line."""
    x1, y1, x2, y2 = box
    near = lines[max(0, int(y1) - 6) : int(y2) + 6, max(0, int(x1) - 6) : int(x2) + 6]
    half = (line_width(near) - 1) / 2
    return (x1 - half, y1 - half, x2 + half, y2 + half)


def _glyph_of(box: Box, glyphs: NDArray[np.int32]) -> Box | None:
    """The box of the connected shape that a loop belongs to, where the loop is a good part of it."""
    overlaps = [overlap(box, tuple(glyph)) for glyph in glyphs.tolist()]
    best = int(np.argmax(overlaps)) if overlaps else 0
    if not overlaps or overlaps[best] < 0.2:
        return None
    x1, y1, x2, y2 = (float(value) for value in glyphs[best])
    contains = x1 <= box[0] + 2 and y1 <= box[1] + 2 and x2 >= box[2] - 2 and y2 >= box[3] - 2
    return (x1, y1, x2, y2) if contains else None


def _in_row(box: Box, glyphs: NDArray[np.int32]) -> bool:
    """Whether a shape has letters beside it: one of its height, or two that are lower, on one foot line.

    `glyphs` are the half-open boxes of all connected shapes.
    """
    left, top, right, foot = box
    down = foot - top
    within = max(1.6, 0.06 * down)
    apart = np.maximum(glyphs[:, 0] - right, left - glyphs[:, 2])
    heights, widths = glyphs[:, 3] - glyphs[:, 1], glyphs[:, 2] - glyphs[:, 0]
    level = (np.abs(glyphs[:, 3] - foot) <= within) & (apart > 0) & (widths <= 1.8 * down)
    alike = level & (np.abs(glyphs[:, 1] - top) <= within) & (apart <= 0.8 * down)
    # Small letters are between six and nine tenths of the capitals.
    lower = level & (heights >= 0.6 * down) & (heights <= down + within) & (apart <= 2.5 * down)
    return bool(alike.any()) or int(lower.sum()) >= 2


def _is_glued(box: Box, boxes: list[Box], lines: Mask) -> bool:
    """Whether a loop is a letter of a word whose letters run into one another; boxes in the lines' pixels."""
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(lines, connectivity=8)
    x1, y1, x2, y2 = (max(0, round(value)) for value in box)
    present = np.bincount(labels[y1:y2, x1:x2].ravel(), minlength=len(statistics))
    own = int(present[1:].argmax()) + 1 if present[1:].any() else 0
    x, y, across, down, _ = (int(value) for value in statistics[own])
    if not own or across < 1.6 * (box[2] - box[0]) or down > 1.3 * (box[3] - box[1]) + 4:
        return False
    rest = (labels == own)[y : y + down, x : x + across]
    for a, b, c, d in boxes:
        rest[
            max(0, int(b) - y - 6) : max(0, int(d) - y + 6), max(0, int(a) - x - 6) : max(0, int(c) - x + 6)
        ] = 0
    columns = int(rest.any(axis=0).sum())
    # A line that leads away leaves most of the row empty.
    return columns >= 0.3 * (box[2] - box[0]) and int(rest.sum()) >= 0.25 * columns * down


def _is_stamp(box: Box, lines: Mask) -> bool:
    """Whether a box is a rectangle filled by a row of letters; in the lines' pixels."""
    x1, y1, x2, y2 = (round(value) for value in box)
    room = 3 + max(2, round((y2 - y1) / 20))
    frame = lines[max(0, y1) : y2, max(0, x1) : x2]
    inside = frame[room:-room, room:-room]
    rim = min(frame[:room].any(axis=0).mean(), frame[-room:].any(axis=0).mean()) if frame.size else 0.0
    if not inside.size or rim < 0.9:
        return False
    x, y, across, down = cv2.boundingRect(np.ascontiguousarray(inside))
    ink = inside[y : y + down, x : x + across]
    row = across >= 2 * down and across >= 0.5 * (x2 - x1) and down >= 0.25 * (y2 - y1)
    if not row or not 0.15 <= ink.mean() <= 0.8:
        return False
    # A word has many strokes side by side, a part of another outline one or two.
    strokes = (np.diff(ink.astype(np.int8), axis=1, prepend=0) > 0).sum(axis=1)
    return int(strokes.max()) >= 4
