"""Which anchors stand for which lesion: keras-retinanet's rule and arithmetic, on the anchors near a lesion only.

The rule is `anchor_targets_bbox` of keras_retinanet/utils/anchors.py: an anchor stands for the lesion that it overlaps
most (the first of equals) from `positive_overlap` on, and for background up to `negative_overlap`; between the two, or
with its centre beyond the film, it counts for nothing. That function holds every anchor against every box. But anchors
lie on grids, and for an overlap above a bound an anchor must be of about the lesion's size and lie close to it: only
those are computed, with the same operations in the same order, so that ties and thresholds fall alike to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

BACKGROUND, IGNORED = -1, -2  # beside class ids from 0
BOX_DEVIATION = 0.2  # keras-retinanet's scale of box offsets (utils/anchors.py, bbox_transform)
WHOLE = 1 - 1e-9  # bounds are taken a little wider than they are, for what floating point rounds away


@dataclass(frozen=True)
class Level:
    """The anchors of a level of the pyramid: `K` shapes at each of H × W places, `stride` network pixels apart.

    Attributes:
        shapes: (K, 4) float64 x1, y1, x2, y2 of the anchors about 0, 0.
        rows, columns: H and W.
        start: place of the level's first anchor among all; they go by row, column, shape.
    """

    shapes: np.ndarray
    rows: int
    columns: int
    stride: int
    start: int
    x1: np.ndarray = field(init=False, repr=False)  # (W, K), and so on: what hangs on one index is kept once
    x2: np.ndarray = field(init=False, repr=False)
    y1: np.ndarray = field(init=False, repr=False)
    y2: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        across = ((np.arange(self.columns) + 0.5) * self.stride)[:, np.newaxis]
        down = ((np.arange(self.rows) + 0.5) * self.stride)[:, np.newaxis]
        for name, places, corner in (("x1", across, 0), ("y1", down, 1), ("x2", across, 2), ("y2", down, 3)):
            object.__setattr__(self, name, self.shapes[:, corner] + places)

    @property
    def anchors(self) -> int:
        """How many there are."""
        return self.rows * self.columns * len(self.shapes)


class Nearby(NamedTuple):
    """Anchors that overlap some box enough not to be background; one entry for each anchor and box."""

    index: np.ndarray  # (n,) among all anchors
    overlap: np.ndarray  # (n,) intersection over union
    box: np.ndarray  # (n,) number of the box
    anchors: np.ndarray  # (n, 4)


def film_targets(
    levels: Sequence[Level],
    boxes: np.ndarray,
    labels: np.ndarray,
    film_shape: tuple[int, int],
    overlaps: tuple[float, float],
    regression: np.ndarray,
    assignment: np.ndarray,
) -> int:
    """Fill in what the network should say of one film.

    Args:
        boxes: (n, 4) float64 in network pixels; labels: (n,) class ids.
        film_shape: height and width of the film in the upper left of the input.
        overlaps: `negative_overlap` and `positive_overlap`.
        regression: (A, 4) zeros; becomes the offsets of anchors that stand for a lesion.
        assignment: (A,), all `BACKGROUND`; becomes the class id of the lesion, or `IGNORED`.

    Returns:
        How many anchors stand for a lesion.
    """
    for level in levels:
        _ignore_beyond(level, film_shape, assignment)
    found = _nearby(levels, boxes, *overlaps)
    if found is None:
        return 0
    middle = (found.anchors[:, :2] + found.anchors[:, 2:]) / 2
    on_film = (middle < film_shape[::-1]).all(axis=1)
    lesion = on_film & (found.overlap >= overlaps[1])
    assignment[found.index[on_film & ~lesion]] = IGNORED
    chosen = found.index[lesion]
    assignment[chosen] = labels[found.box[lesion]]
    regression[chosen] = box_offsets(found.anchors[lesion], boxes[found.box[lesion]])
    return len(chosen)


def box_offsets(anchors: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Offsets (n, 4) that make the boxes (n, 4) of the anchors (n, 4) (utils/anchors.py, bbox_transform)."""
    sides = np.tile(anchors[:, 2:] - anchors[:, :2], 2)
    return (boxes - anchors) / sides / BOX_DEVIATION


def _ignore_beyond(level: Level, film_shape: tuple[int, int], assignment: np.ndarray) -> None:
    """Anchors whose centre lies beyond the film count for nothing."""
    shape = (level.rows, level.columns, len(level.shapes))
    states = assignment[level.start : level.start + level.anchors].reshape(shape)
    below = (level.y1 + level.y2) / 2 >= film_shape[0]
    right = (level.x1 + level.x2) / 2 >= film_shape[1]
    if right.any():
        states[:, right] = IGNORED
    if below.any():
        states.transpose(0, 2, 1)[below] = IGNORED


def _nearby(levels: Sequence[Level], boxes: np.ndarray, negative: float, positive: float) -> Nearby | None:
    """Anchors that are no background, each with the box that it overlaps most, the first of equals; None if none."""
    windows = (
        (number, level, window)
        for number, box in enumerate(boxes)
        for level in levels
        if (window := _window(level, box, negative, positive)) is not None
    )
    parts = [
        _overlapping(level, number, boxes[number], window, negative, positive)
        for number, level, window in windows
    ]
    if not parts:
        return None
    found = Nearby(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    if len(boxes) == 1:
        return found
    order = np.lexsort((found.box, -found.overlap, found.index))
    first = np.flatnonzero(np.diff(found.index[order], prepend=-1))
    return Nearby(*(column[order[first]] for column in found))


def _window(
    level: Level, box: np.ndarray, negative: float, positive: float
) -> tuple[slice, slice, np.ndarray] | None:
    """Rows, columns and shapes of the anchors that can overlap the box by more than `negative`; None if none can.

    With areas A, B an overlap of t needs an intersection of t (A + B) / (1 + t), which no side of anchor or box may
    be too short for, and for which the two may not lie too far apart.
    """
    if positive == 0:  # then every anchor stands for a lesion, however far away
        return slice(0, level.rows), slice(0, level.columns), np.arange(len(level.shapes))
    low, high = box[:2], box[2:]
    sides, box_sides = level.shapes[:, 2:] - level.shapes[:, :2], high - low
    shorter = np.minimum(sides, box_sides)
    areas = sides[:, 0] * sides[:, 1] + box_sides[0] * box_sides[1]
    needed = negative / (1 + negative) * areas * WHOLE
    kinds = np.flatnonzero((needed <= shorter[:, 0] * shorter[:, 1]) & (shorter > 0).all(axis=1))
    if not len(kinds):
        return None
    # The intersection's width is at least what is needed over the height that it can have, and the other way round.
    apart = (sides[kinds] + box_sides) / 2 - needed[kinds, np.newaxis] / shorter[kinds, ::-1]
    reach = apart.max(axis=0)
    middle = (low + high) / 2
    first = np.floor((middle - reach) / level.stride - 0.5).astype(int)
    last = np.ceil((middle + reach) / level.stride - 0.5).astype(int) + 1
    columns, rows = (
        slice(max(0, int(begin)), min(count, int(end)))
        for begin, end, count in zip(first, last, (level.columns, level.rows), strict=True)
    )
    return (rows, columns, kinds) if rows.start < rows.stop and columns.start < columns.stop else None


def _overlapping(
    level: Level,
    number: int,
    box: np.ndarray,
    window: tuple[slice, slice, np.ndarray],
    negative: float,
    positive: float,
) -> Nearby:
    """The anchors of a window that are no background for a box (overlap as keras_retinanet.utils.compute_overlap)."""
    rows, columns, kinds = window
    x1, x2 = level.x1[columns, kinds], level.x2[columns, kinds]
    y1, y2 = level.y1[rows, kinds][:, np.newaxis], level.y2[rows, kinds][:, np.newaxis]
    width = np.maximum(np.minimum(x2, box[2]) - np.maximum(x1, box[0]), 0)
    height = np.maximum(np.minimum(y2, box[3]) - np.maximum(y1, box[1]), 0)
    common = width * height
    union = (x2 - x1) * (y2 - y1) + (box[2] - box[0]) * (box[3] - box[1]) - common
    overlap = common / union
    row, column, kind = np.nonzero((overlap > negative) | (overlap >= positive))
    corners = (x1[column, kind], y1[row, 0, kind], x2[column, kind], y2[row, 0, kind])
    place = (row + rows.start) * level.columns + column + columns.start
    return Nearby(
        level.start + place * len(level.shapes) + kinds[kind],
        overlap[row, column, kind],
        np.full(len(row), number),
        np.column_stack(corners),
    )
