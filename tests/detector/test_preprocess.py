"""What the network's first layer is fed: keras-retinanet's numbers."""

from __future__ import annotations

import numpy as np
import pytest

from mammo.detector.keras import tf  # isort: skip
from keras_retinanet.utils.image import preprocess_image

from mammo.detector.preprocess import preprocess


def in_colour(grey: np.ndarray) -> np.ndarray:
    """As keras-retinanet reads a grey film."""
    return np.repeat(grey[..., np.newaxis], 3, axis=-1)


@pytest.mark.parametrize("compiled", [False, True], ids=["graph", "xla"])
@pytest.mark.parametrize("mode", ["caffe", "tf"])
def test_every_grey_level_of_8_bits_becomes_what_the_package_makes_of_it(mode, compiled):
    films = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    found = tf.function(lambda images: preprocess(images, mode), jit_compile=compiled)(films)
    assert found.dtype == tf.float32
    assert np.array_equal(found, preprocess_image(in_colour(films), mode))


@pytest.mark.parametrize("mode", ["caffe", "tf"])
def test_16_bits_span_the_range_of_8(mode):
    films = np.arange(65536, dtype=np.uint16).reshape(1, 256, 256)
    found = preprocess(tf.constant(films), mode).numpy()
    assert np.array_equal(found, preprocess_image(in_colour(films.astype(np.float32) / 257), mode))
    eight = preprocess(tf.constant(np.arange(256, dtype=np.uint8).reshape(1, 1, 256)), mode).numpy()
    assert np.array_equal(found.reshape(-1, 3)[::257], eight[0, 0])


def test_films_of_every_size_go_through_one_graph():
    traced = []

    @tf.function(input_signature=[tf.TensorSpec((None, None, None), tf.uint8)])
    def graph(images):
        traced.append(images.shape)
        return preprocess(images, "tf")

    assert graph(np.zeros((1, 8, 9), np.uint8)).shape == (1, 8, 9, 3)
    assert graph(np.zeros((2, 5, 4), np.uint8)).shape == (2, 5, 4, 3)
    assert len(traced) == 1
