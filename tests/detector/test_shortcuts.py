"""Faster ways to the numbers of a network's layers: frozen normalisation, upsampling that XLA compiles."""

from __future__ import annotations

import numpy as np
import pytest

from mammo.detector.keras import keras, tf  # isort: skip
from keras_resnet.layers import BatchNormalization
from keras_retinanet.layers import UpsampleLike

from mammo.detector.frozen_norms import simplify_frozen_norms
from mammo.detector.upsampling import make_upsampling_compilable


def normalised(freeze: bool):
    """A model of one normalisation, with statistics of its own."""
    inputs = keras.Input((None, None, 5))
    norm = BatchNormalization(freeze, name="norm")
    model = keras.Model(inputs, norm(inputs))
    rng = np.random.default_rng(0)
    norm.set_weights([rng.normal(size=5), rng.normal(size=5), rng.normal(size=5), rng.uniform(0.5, 2, 5)])
    return model


@pytest.fixture
def film():
    return np.random.default_rng(1).normal(size=(2, 6, 4, 5)).astype("float32")


def test_a_frozen_norm_gives_the_same_the_short_way(film):
    model = normalised(freeze=True)
    expected = model(film, training=True).numpy()
    simplify_frozen_norms(model)
    assert np.allclose(model(film, training=True), expected, atol=1e-6)


def test_a_norm_that_is_trained_still_takes_its_batch_s_statistics(film):
    model = normalised(freeze=False)
    expected = model(film, training=True).numpy()
    simplify_frozen_norms(model)
    assert np.allclose(model(film, training=True), expected, atol=1e-6)
    model.get_layer("norm").trainable = False
    assert not np.allclose(model(film, training=True), expected, atol=1e-2)


@pytest.mark.parametrize("before", [1, 2, 3, 5, 7, 13])
@pytest.mark.parametrize("more", [0, 1])
def test_upsampling_takes_the_same_neighbours_at_any_size(before, more):
    source, like = keras.Input((None, None, 2)), keras.Input((None, None, 1))
    model = keras.Model([source, like], UpsampleLike()([source, like]))
    inputs = [
        np.arange(before * (before + 1) * 2, dtype="float32").reshape(1, before, before + 1, 2),
        np.zeros((1, 2 * before - more, 2 * before + 2 - more, 1), "float32"),
    ]
    expected = model(inputs).numpy()
    make_upsampling_compilable(model)
    assert np.array_equal(model(inputs), expected)
    assert tf.function(model, jit_compile=True)(inputs).shape == expected.shape
