"""The pyramid's upsampling by operations that XLA can compile.

keras-retinanet's `UpsampleLike` resizes to the nearest neighbour, and TensorFlow has no XLA kernel for that operation's
gradient. Taking each row and column from where it comes is the same and compiles.
"""

from __future__ import annotations

from typing import Any

from keras_retinanet.layers import UpsampleLike

from mammo.detector.keras import tf


def make_upsampling_compilable(model: Any) -> None:
    """Let every upsampling of a model gather; for training with `train.xla`."""
    for layer in model.layers:
        if isinstance(layer, UpsampleLike):
            layer.call = _gathered


def _gathered(inputs: Any, **_: Any) -> Any:
    """`inputs`: source (B, h, w, C) and a map (B, H, W, …) whose height and width it shall have."""
    source, like = inputs
    for axis in (1, 2):
        source = tf.gather(source, _nearest(tf.shape(source)[axis], tf.shape(like)[axis]), axis=axis)
    return source


def _nearest(before: Any, after: Any) -> Any:
    """Of which of `before` places each of `after` is made: (after,), as TensorFlow 1's resize counts, in its floats."""
    step = tf.cast(before, tf.float32) / tf.cast(after, tf.float32)
    places = tf.floor(tf.cast(tf.range(after), tf.float32) * step)
    return tf.minimum(tf.cast(places, tf.int32), before - 1)
