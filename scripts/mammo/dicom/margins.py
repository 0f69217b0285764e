"""Text burned into the air beside the breast: rows of small bright shapes of like height, as letters are.

Not a reader of texts: it says where something like text stands and how long it is. Letters on the breast itself are not
looked for, and a single letter is none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Glyphs = NDArray[np.int64]  # (n, 4): x, y, width, height

# A side and view marker is one or two short lines: R-CC, L MLO. Longer lines, or more of them, say something else.
MARKER_LETTERS, MARKER_LINES = 6, 2
# Heights of letters, as shares of the film's longer side, and the fewest pixels that can be one.
LOWEST, HIGHEST, FEWEST_PIXELS = 0.0025, 0.06, 6
MOST_SHAPES = 1000  # more are noise; the highest are looked at
SMALL = 512  # longer side of the picture in which the breast is looked for
LARGE = 2048  # … and of the one in which letters are: on a film of twice the size they have twice the pixels


@dataclass(frozen=True)
class MarginText:
    """A block of text-like shapes. `box` x1, y1, x2, y2 in pixels, half-open; `letters` of the longest line."""

    box: tuple[int, int, int, int]
    lines: int
    letters: int

    @property
    def is_marker(self) -> bool:
        """Whether it is no longer than a marker of side and view."""
        return self.lines <= MARKER_LINES and self.letters <= MARKER_LETTERS


def margin_texts(pixels: Picture) -> list[MarginText]:
    """Blocks of text in the air of a film (height, width), bright on black or dark on a bright label; from the top."""
    scale = min(1.0, LARGE / max(pixels.shape))
    if scale == 1.0:
        return _texts_of(pixels)
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    across, down = pixels.shape[1] / size[0], pixels.shape[0] / size[1]
    return [
        MarginText(
            (
                int(block.box[0] * across),
                int(block.box[1] * down),
                math.ceil(block.box[2] * across),
                math.ceil(block.box[3] * down),
            ),
            block.lines,
            block.letters,
        )
        for block in _texts_of(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
    ]


def _texts_of(pixels: Picture) -> list[MarginText]:
    air = ~breast_mask(pixels)
    if not air.any():
        return []
    ground = int(np.median(pixels[air][:: max(1, int(air.sum()) // 100_000)]))
    bright = ((pixels > min(ground + 48, 200)) & air).astype(np.uint8)
    longer = max(pixels.shape)
    count, shapes, statistics, _ = cv2.connectedComponentsWithStats(bright, connectivity=8)
    lines = _lines(_glyphs(statistics[1:], longer)) if count > 1 else []
    for label in _labels(shapes, statistics, longer):
        x, y, width, height, _ = statistics[label]
        crop = pixels[y : y + height, x : x + width]
        level, _ = cv2.threshold(crop, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
        _, _, inside, _ = cv2.connectedComponentsWithStats((crop <= level).astype(np.uint8), connectivity=8)
        lines += _lines(_glyphs(inside[1:], longer) + np.array([x, y, 0, 0]))
    return sorted(_blocks(lines), key=lambda block: (block.box[1], block.box[0]))


def breast_mask(pixels: Picture) -> NDArray[np.bool_]:
    """The largest bright part of a film and a seam around it; without thin things such as letters."""
    scale = min(1.0, SMALL / max(pixels.shape))
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    small = cv2.GaussianBlur(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), (3, 3), 0)
    level, _ = cv2.threshold(small, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_TRIANGLE)
    region = (small > min(level, 60)).astype(np.uint8)
    opened = cv2.morphologyEx(region, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9)))
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(opened, connectivity=8)
    if count < 2:
        return np.zeros(pixels.shape, bool)
    breast = (labels == 1 + int(np.argmax(statistics[1:, cv2.CC_STAT_AREA]))).astype(np.uint8)
    seam = cv2.dilate(breast, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (13, 13)))
    return cv2.resize(seam, pixels.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0


def _glyphs(statistics: NDArray[np.int32], longer: int) -> Glyphs:
    """The shapes that can be letters, the highest first."""
    _, _, width, height, area = statistics.T
    low, high = max(FEWEST_PIXELS, LOWEST * longer), HIGHEST * longer
    fits = (height >= low) & (height <= high) & (width <= 6 * height) & (area >= 0.12 * width * height)
    fits &= area >= FEWEST_PIXELS
    found = statistics[fits][:, :4].astype(np.int64)
    return found[np.argsort(-found[:, 3], kind="stable")][:MOST_SHAPES]


def _labels(shapes: NDArray[np.int32], statistics: NDArray[np.int32], longer: int) -> list[int]:
    """The bright shapes on which something may be written: upright rectangles that are larger than letters."""
    _, _, widths, heights, filled = statistics.T
    large = (heights >= 0.006 * longer) & (widths >= 0.03 * longer) & (filled >= 0.5 * widths * heights)
    large[0] = False  # the ground
    found = []
    for number in np.flatnonzero(large).tolist():
        x, y, width, height, _ = statistics[number]
        shape = (shapes[y : y + height, x : x + width] == number).astype(np.uint8)
        (outline, *_), _ = cv2.findContours(shape, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        if cv2.contourArea(outline) >= 0.9 * (width - 1) * (height - 1):
            found.append(number)
    return found


def _lines(glyphs: Glyphs) -> list[Glyphs]:
    """Glyphs that stand in a row: of like height, on one base or under one top, close to each other."""
    if not len(glyphs):
        return []
    x, y, width, height = glyphs.T
    tallest = np.maximum(height[:, None], height[None, :])
    like = np.minimum(height[:, None], height[None, :]) >= 0.5 * tallest
    top, bottom = np.abs(y[:, None] - y[None, :]), np.abs((y + height)[:, None] - (y + height)[None, :])
    level = np.minimum(top, bottom) <= 0.25 * tallest
    overlap = np.minimum((y + height)[:, None], (y + height)[None, :]) - np.maximum(y[:, None], y[None, :])
    gap = np.maximum(x[:, None], x[None, :]) - np.minimum((x + width)[:, None], (x + width)[None, :])
    joined = like & level & (overlap > 0) & (gap <= 1.5 * tallest) & (gap >= -0.3 * tallest)
    groups = _connected(joined)
    return [glyphs[groups == group] for group in range(groups.max() + 1)]


def _connected(joined: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number of the group of each thing, from the matrix that says which belong together."""
    groups = np.full(len(joined), -1)
    for start in range(len(joined)):
        if groups[start] >= 0:
            continue
        number, waiting = groups.max() + 1, [start]
        groups[start] = number
        while waiting:
            near = np.flatnonzero(joined[waiting.pop()] & (groups < 0))
            groups[near] = number
            waiting += near.tolist()
    return groups


def _letters(line: Glyphs) -> int:
    """How many letters a line has, touching ones counted by their width."""
    high = float(np.median(line[:, 3]))
    return int(sum(max(1, round(width / (0.9 * high))) for width in line[:, 2]))


def _blocks(lines: list[Glyphs]) -> list[MarginText]:
    """Lines of two letters and more, those below each other joined."""
    lines = [line for line in lines if _letters(line) >= 2]
    if not lines:
        return []
    boxes = np.array([[*line[:, :2].min(axis=0), *(line[:, :2] + line[:, 2:]).max(axis=0)] for line in lines])
    high = boxes[:, 3] - boxes[:, 1]
    across = np.minimum(boxes[:, None, 2], boxes[None, :, 2]) - np.maximum(
        boxes[:, None, 0], boxes[None, :, 0]
    )
    apart = np.maximum(boxes[:, None, 1], boxes[None, :, 1]) - np.minimum(
        boxes[:, None, 3], boxes[None, :, 3]
    )
    groups = _connected((across > 0) & (apart <= 1.5 * np.maximum(high[:, None], high[None, :])))
    blocks = []
    for group in range(groups.max() + 1):
        members = np.flatnonzero(groups == group)
        x1, y1 = boxes[members, :2].min(axis=0).tolist()
        x2, y2 = boxes[members, 2:].max(axis=0).tolist()
        blocks.append(
            MarginText((x1, y1, x2, y2), len(members), max(_letters(lines[member]) for member in members))
        )
    return blocks
