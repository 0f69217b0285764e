"""Which lesions the anchors of a network cover: what no anchor overlaps enough, the network is never taught.

The arithmetic is keras-retinanet's (`generate_anchors`, `shift` and `anchor_targets_bbox` of utils/anchors.py,
`compute_resize_scale` of utils/image.py), written out here because that package loads TensorFlow. Boxes are half-open.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mammo.settings import AnchorSettings, SideSettings
from mammo.tables.boxes import Boxes, areas

Values = NDArray[np.float64]

# What a suggestion is made of: sets of levels that the model can be built with (3, 4 and 5 always, 7 only with 6), and
# ratios from those of keras-retinanet to ones for longer lesions.
LEVELS = ((3, 4, 5), (3, 4, 5, 6), (3, 4, 5, 6, 7), (2, 3, 4, 5), (2, 3, 4, 5, 6), (2, 3, 4, 5, 6, 7))
RATIOS = ((0.5, 1.0, 2.0), (0.4, 1.0, 2.5), (0.33, 0.58, 1.0, 1.73, 3.0))
SMALLEST_SIZES = (6.0, 8.0, 11.0, 16.0, 23.0, 32.0, 45.0, 64.0)
# A suggestion that leaves at most ENOUGH of the lesions uncovered is good enough; where none does, one that leaves at
# most SLACK more than the best. Among those the fewest anchors decide: they cost memory and time.
ENOUGH = 0.01
SLACK = 0.005


@dataclass(frozen=True)
class Coverage:
    """`overlaps` (n,): the highest IoU of each lesion with any anchor; the numbers below the two thresholds."""

    overlaps: Values
    positive_overlap: float
    negative_overlap: float

    @property
    def lesions(self) -> int:
        """Number of lesions."""
        return len(self.overlaps)

    @property
    def uncovered(self) -> int:
        """Lesions that are nobody's target: no anchor reaches `positive_overlap`."""
        return int((self.overlaps < self.positive_overlap).sum())

    @property
    def background(self) -> int:
        """Lesions that are even taught to be background: no anchor exceeds `negative_overlap`."""
        return int((self.overlaps <= self.negative_overlap).sum())

    @property
    def uncovered_share(self) -> float:
        """Of all lesions; 0 where there is none."""
        return self.uncovered / self.lesions if self.lesions else 0.0


@dataclass(frozen=True)
class Suggestion:
    """Anchors that cover more, and what they leave uncovered and cost beside the present ones."""

    settings: AnchorSettings
    coverage: Coverage
    anchors_per_film: float
    anchors_per_film_before: float


def network_shapes(shapes: NDArray[np.integer], sides: SideSettings) -> NDArray[np.int64]:
    """(n, 2) heights and widths of films → the same at network size (detector/network_films.py, `scale_film`)."""
    shapes = np.asarray(shapes, dtype=np.int64).reshape(-1, 2)
    scale = np.minimum(sides.min / shapes.min(axis=1), sides.max / shapes.max(axis=1))
    return np.maximum(1, np.rint(shapes * scale[:, None])).astype(np.int64)


def network_boxes(boxes: Boxes, shapes: NDArray[np.integer], sides: SideSettings) -> Boxes:
    """Boxes (n, 4) of films of `shapes` (n, 2: height, width) in network pixels; x and y are scaled apart."""
    shapes = np.asarray(shapes, dtype=np.int64).reshape(-1, 2)
    factors = network_shapes(shapes, sides) / shapes
    return boxes * np.tile(factors[:, ::-1], 2)


def best_overlaps(boxes: Boxes, shapes: NDArray[np.integer], settings: AnchorSettings) -> Values:
    """The highest IoU of each box with any anchor of its film. All in network pixels.

    Args:
        boxes: (n, 4), one a lesion.
        shapes: (n, 2), height and width of each lesion's film.

    Anchors of one size sit on a grid. The overlap with a box is a product of an x and a y part, each of which never
    grows with the distance of the centres, and IoU grows with it: so the anchor nearest to the box on the grid is the
    best of its size, and one look at each size tells the highest of all. Those centred beyond the film are no targets.
    """
    best = np.zeros(len(boxes))
    box_areas = areas(boxes)
    for stride, width, height in anchor_sizes(settings):
        across = _overlap_on_grid(boxes[:, 0], boxes[:, 2], width, stride, shapes[:, 1])
        down = _overlap_on_grid(boxes[:, 1], boxes[:, 3], height, stride, shapes[:, 0])
        common = across * down
        best = np.maximum(best, common / (box_areas + width * height - common))
    return best


def _overlap_on_grid(
    low: Values, high: Values, side: float, stride: int, length: NDArray[np.integer]
) -> Values:
    """Longest common part of intervals low..high with one of `side` centred on the grid (k + 1/2) stride < length."""
    last = np.ceil(length / stride - 0.5) - 1  # largest k with (k + 1/2) stride < length
    nearest = np.clip(np.rint((low + high) / (2 * stride) - 0.5), 0, np.maximum(last, 0))
    centre = (nearest + 0.5) * stride
    common = np.minimum(high, centre + side / 2) - np.maximum(low, centre - side / 2)
    return np.where(last < 0, 0.0, np.clip(common, 0, None))


def anchor_sizes(settings: AnchorSettings) -> list[tuple[int, float, float]]:
    """Stride, width and height of every kind of anchor, as keras-retinanet's `generate_anchors` makes them."""
    kinds = []
    # 32-bit ratios and scales, as detector/anchors.py hands them to the package.
    ratios, scales = np.array(settings.ratios, np.float32), np.array(settings.scales, np.float32)
    for size, stride in zip(settings.sizes, settings.strides, strict=True):
        for ratio, scale in itertools.product(ratios, scales):
            side = float(np.float32(size) * scale)
            width = math.sqrt(side * side / float(ratio))
            kinds.append((stride, width, width * float(ratio)))
    return kinds


def anchors_per_film(shapes: NDArray[np.integer], settings: AnchorSettings) -> float:
    """Mean number of anchors on films of `shapes` (n, 2) in network pixels: memory and time of a training follow it."""
    if not len(shapes):
        return 0.0
    kinds = len(settings.ratios) * len(settings.scales)
    cells = sum(np.prod(-(-shapes // stride), axis=1) for stride in settings.strides)
    return float(np.mean(cells) * kinds)


def coverage(boxes: Boxes, shapes: NDArray[np.integer], settings: AnchorSettings) -> Coverage:
    """What the anchors cover of boxes (n, 4) on films of `shapes` (n, 2); both in network pixels."""
    return Coverage(
        best_overlaps(boxes, shapes, settings), settings.positive_overlap, settings.negative_overlap
    )


# --- what would cover more --------------------------------------------------------------------------------------------


def suggest(boxes: Boxes, shapes: NDArray[np.integer], present: AnchorSettings) -> list[Suggestion]:
    """Anchors that cover more of the boxes than the present ones; empty where the present ones are as good as any.

    Looked for among sets of levels, smallest sizes (each level doubles the size) and ratios; the overlaps and scales
    stay. Of those that leave few uncovered, or hardly more than the best, the one with the fewest anchors on a film.
    The first suggestion does without level 2, whose stride of 4 pixels quadruples the anchors; the second has it, where
    that covers clearly more: on a stride of 8 no anchor is sure to reach an IoU of 0.5 with lesions below 22 pixels.
    """
    now = coverage(boxes, shapes, present)
    if not now.uncovered:
        return []
    before = anchors_per_film(shapes, present)
    tried = [
        Suggestion(settings, coverage(boxes, shapes, settings), anchors_per_film(shapes, settings), before)
        for settings in _candidates(present)
    ]
    cheap = _best([option for option in tried if 2 not in option.settings.pyramid_levels], now)
    fine = _best(tried, now)
    if cheap is None or fine is None:
        return [option for option in (cheap, fine) if option]
    gain = cheap.coverage.uncovered - fine.coverage.uncovered
    return [cheap, fine] if gain > ENOUGH * now.lesions else [cheap]


def _best(tried: Sequence[Suggestion], now: Coverage) -> Suggestion | None:
    least = min(option.coverage.uncovered for option in tried)
    few = max(ENOUGH * now.lesions, least + SLACK * now.lesions)
    good = [
        option
        for option in tried
        if option.coverage.uncovered <= few and option.coverage.uncovered < now.uncovered
    ]
    # Rounded, so that no last bit of a mean decides; the order of the candidates decides between equals.
    return min(
        good, key=lambda option: (round(option.anchors_per_film), option.coverage.uncovered), default=None
    )


def _candidates(present: AnchorSettings) -> Iterator[AnchorSettings]:
    ratios: Sequence[tuple[float, ...]] = sorted({present.ratios, *RATIOS}, key=lambda r: (len(r), r))
    for levels, smallest, ratio in itertools.product(
        LEVELS, sorted({*SMALLEST_SIZES, min(present.sizes)}), ratios
    ):
        yield AnchorSettings(
            pyramid_levels=levels,
            sizes=tuple(smallest * 2**step for step in range(len(levels))),
            strides=tuple(2**level for level in levels),
            ratios=ratio,
            scales=present.scales,
            negative_overlap=present.negative_overlap,
            positive_overlap=present.positive_overlap,
        )
