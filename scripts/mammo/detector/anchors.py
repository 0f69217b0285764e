"""Anchor boxes of a film and what the network should say at each of them (keras-retinanet's own arithmetic)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from keras_retinanet.utils import anchors as package

from mammo.detector.keras import keras
from mammo.detector.targets import BACKGROUND, BOX_DEVIATION, Level, film_targets
from mammo.settings import AnchorSettings

SHAPES = 64  # of input whose grids are remembered, some 100 kB each
LISTED = 8  # of input whose anchors are remembered one by one: 6 MB each at 800×1333


def anchor_parameters(settings: AnchorSettings) -> package.AnchorParameters:
    """The package's own form of the settings."""
    return package.AnchorParameters(
        sizes=list(settings.sizes),
        strides=list(settings.strides),
        ratios=np.array(settings.ratios, "float32"),
        scales=np.array(settings.scales, "float32"),
    )


class Targets(NamedTuple):
    """What the two heads should give for a batch."""

    regression: np.ndarray  # (B, A, 4) float32: offsets of anchors that stand for a lesion, elsewhere 0
    assignment: (
        np.ndarray
    )  # (B, A) int16: class id of the lesion that an anchor stands for, BACKGROUND or IGNORED
    lesion_anchors: int  # anchors that stand for a lesion, in the whole batch


class Anchors:
    """The anchors of a model for each size of input, remembered; safe for threads.

    The shapes of the pyramid are asked from the model: at sides that are no multiple of its strides MobileNet and
    DenseNet round down where keras-retinanet's guess rounds up, and targets would not fit the output.
    """

    def __init__(self, model: Any, settings: AnchorSettings) -> None:
        self.settings = settings
        outputs = [model.get_layer(f"P{level}").output for level in settings.pyramid_levels]
        self._pyramid = keras.models.Model(inputs=model.inputs, outputs=outputs)
        self._parameters = anchor_parameters(settings)
        self._lock = Lock()
        self._pyramid_shapes = lru_cache(maxsize=SHAPES)(self._asked_shapes)
        self._levels = lru_cache(maxsize=SHAPES)(self._made_levels)
        self.for_shape = lru_cache(maxsize=LISTED)(self._for_shape)

    def _asked_shapes(self, height: int, width: int) -> list[tuple[int, int]]:
        with self._lock:  # Keras is not made to be asked by several threads
            shapes = self._pyramid.compute_output_shape((1, height, width, 3))
        return [tuple(shape[1:3]) for shape in shapes]

    def _made_levels(self, height: int, width: int) -> list[Level]:
        levels: list[Level] = []
        settings, start = self._parameters, 0
        for (rows, columns), size, stride in zip(
            self._pyramid_shapes(height, width), settings.sizes, settings.strides, strict=True
        ):
            shapes = package.generate_anchors(size, settings.ratios, settings.scales)
            levels.append(Level(shapes, rows, columns, stride, start))
            start += levels[-1].anchors
        return levels

    def _for_shape(self, height: int, width: int) -> np.ndarray:
        """Boxes (A, 4) x1,y1,x2,y2 in network pixels, in the order of the model's output."""
        return package.anchors_for_shape(
            (height, width, 3),
            pyramid_levels=list(self.settings.pyramid_levels),
            anchor_params=self._parameters,
            shapes_callback=lambda *_: self._pyramid_shapes(height, width),
        )

    def targets(
        self,
        shape: tuple[int, int],
        film_shapes: Sequence[tuple[int, int]],
        boxes: Sequence[np.ndarray],
        labels: Sequence[np.ndarray],
    ) -> Targets:
        """What the two heads should give for films of `film_shapes` laid into the upper left of inputs of `shape`.

        Args:
            shape: height and width of the input; film_shapes: of each film.
            boxes: of each film (n, 4) float64 in network pixels; labels: of each film (n,) class ids.
        """
        levels = self._levels(*shape)
        count = sum(level.anchors for level in levels)
        regression = np.zeros((len(film_shapes), count, 4), np.float32)
        assignment = np.full((len(film_shapes), count), BACKGROUND, np.int16)
        overlaps = self.settings.negative_overlap, self.settings.positive_overlap
        films = zip(boxes, labels, film_shapes, regression, assignment, strict=True)
        lesions = sum(film_targets(levels, *film[:3], overlaps, *film[3:]) for film in films)
        return Targets(regression, assignment, lesions)


def decode_boxes(anchors: np.ndarray, regression: np.ndarray) -> np.ndarray:
    """Boxes (A, 4) that the offsets (A, 4) make of the anchors (A, 4) (keras-retinanet, backend.bbox_transform_inv)."""
    sides = np.tile(anchors[:, 2:] - anchors[:, :2], 2)
    return anchors + regression * BOX_DEVIATION * sides
