"""The network, its anchors and targets."""

from __future__ import annotations

import numpy as np
import pytest

from mammo.detector.keras import tf  # isort: skip
from keras_retinanet.utils import anchors as package

from mammo.detector.anchors import Anchors, decode_boxes
from mammo.detector.model import build_model
from mammo.errors import UserError

from .conftest import tiny_settings


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    settings = tiny_settings().model
    first, again, other = (build_model(settings, 1, seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_layers_of_one_head_begin_with_different_weights():
    model = build_model(tiny_settings().model, 1)
    kernels = [
        model.get_layer(f"{kind}_submodel").get_layer(f"pyramid_{kind}_{index}").get_weights()[0]
        for kind in ("regression", "classification")
        for index in range(4)
    ]
    assert len({kernel.tobytes() for kernel in kernels}) == 8


@pytest.mark.parametrize("backbone", ["plain", "mobilenet128_0.25"])
@pytest.mark.parametrize("side", [(64, 96), (75, 101)])
def test_there_is_an_anchor_for_each_output_at_any_side(backbone, side):
    settings = tiny_settings(model={"backbone": backbone}).model
    model = build_model(settings, 1)
    regression, classification = model(tf.zeros((1, *side, 3)))
    count = len(Anchors(model, settings.anchors).for_shape(*side))
    assert regression.shape == (1, count, 4)
    assert classification.shape == (1, count, 1)


def test_decoding_undoes_the_targets():
    anchors = np.array([[0.0, 0, 20, 10], [5, 5, 9, 30]])
    boxes = np.array([[3.0, 1, 22, 14], [0, 0, 10, 40]])
    assert decode_boxes(anchors, package.bbox_transform(anchors, boxes)) == pytest.approx(boxes)


def test_a_level_that_the_backbone_lacks_is_refused():
    levels = {"pyramid_levels": (2, 3, 4, 5), "sizes": (8.0, 12.0, 24.0, 48.0), "strides": (4, 8, 16, 32)}
    with pytest.raises(UserError, match="offers no level 2"):
        build_model(tiny_settings(model={"backbone": "mobilenet128_0.25", "anchors": levels}).model, 1)
