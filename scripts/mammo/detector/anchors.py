"""Anchor boxes of a film and what the network should say at each of them (keras-retinanet's own arithmetic)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from keras_retinanet.utils import anchors as package

from mammo.detector.keras import keras
from mammo.settings import AnchorSettings

BOX_DEVIATION = 0.2  # keras-retinanet's scale of box offsets (utils/anchors.py, bbox_transform)


def anchor_parameters(settings: AnchorSettings) -> package.AnchorParameters:
    """The package's own form of the settings."""
    return package.AnchorParameters(
        sizes=list(settings.sizes),
        strides=list(settings.strides),
        ratios=np.array(settings.ratios, "float32"),
        scales=np.array(settings.scales, "float32"),
    )


class Anchors:
    """The anchors of a model for each size of input, remembered.

    The shapes of the pyramid are asked from the model: at sides that are no multiple of its strides MobileNet and
    DenseNet round down where keras-retinanet's guess rounds up, and targets would not fit the output.
    """

    def __init__(self, model: Any, settings: AnchorSettings) -> None:
        self.settings = settings
        outputs = [model.get_layer(f"P{level}").output for level in settings.pyramid_levels]
        self._pyramid = keras.models.Model(inputs=model.inputs, outputs=outputs)
        self._parameters = anchor_parameters(settings)
        self.for_shape = lru_cache(maxsize=32)(self._for_shape)

    def _for_shape(self, height: int, width: int) -> np.ndarray:
        """Boxes (A, 4) x1,y1,x2,y2 in network pixels, in the order of the model's output."""
        shapes = [tuple(shape[1:3]) for shape in self._pyramid.compute_output_shape((1, height, width, 3))]
        return package.anchors_for_shape(
            (height, width, 3),
            pyramid_levels=list(self.settings.pyramid_levels),
            anchor_params=self._parameters,
            shapes_callback=lambda *_: shapes,
        )

    def targets(
        self,
        shape: tuple[int, int],
        film_shapes: Sequence[tuple[int, int]],
        boxes: Sequence[np.ndarray],
        labels: Sequence[np.ndarray],
        classes: int,
    ) -> tuple[np.ndarray, np.ndarray]:
        """What the two heads should give for a batch of films of `film_shapes` laid into the upper left of `shape`.

        Returns:
            regression (B, A, 5) and classification (B, A, classes + 1), float32; the last column is the anchor's state:
            1 lesion, 0 background, -1 ignored (between the two overlaps, or its centre beyond the film).
        """
        films = [_Shape((*film_shape, 3)) for film_shape in film_shapes]
        annotations = [{"bboxes": b, "labels": label} for b, label in zip(boxes, labels, strict=True)]
        return package.anchor_targets_bbox(
            self.for_shape(*shape),
            films,
            annotations,
            classes,
            negative_overlap=self.settings.negative_overlap,
            positive_overlap=self.settings.positive_overlap,
        )


class _Shape:
    """Stands for an image where the package looks only at its shape."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.shape = shape


def decode_boxes(anchors: np.ndarray, regression: np.ndarray) -> np.ndarray:
    """Boxes (A, 4) that the offsets (A, 4) make of the anchors (A, 4) (keras-retinanet, backend.bbox_transform_inv)."""
    sides = np.tile(anchors[:, 2:] - anchors[:, :2], 2)
    return anchors + regression * BOX_DEVIATION * sides
