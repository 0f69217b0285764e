"""Frozen batch normalisation computed as what it is: a factor and an addition for each channel.

ResNets come with all of it frozen (keras-resnet). TensorFlow's own operation then still goes the long way in the
backward pass; on a CPU a ResNet-50's step took a fifth less time without it (benchmarks/training_step.py).
"""

from __future__ import annotations

from typing import Any

from mammo.detector.keras import keras, tf


def simplify_frozen_norms(model: Any) -> None:
    """Let each batch normalisation of a model take the short way whenever it is not trained; its weights stay."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.call = _call(layer, layer.call)


def _call(layer: Any, usual: Any) -> Any:
    def call(inputs: Any, *arguments: Any, **named: Any) -> Any:
        if layer.trainable:
            return usual(inputs, *arguments, **named)
        factor = tf.math.rsqrt(layer.moving_variance + layer.epsilon)
        if layer.scale:
            factor *= layer.gamma
        addition = (layer.beta if layer.center else 0.0) - layer.moving_mean * factor
        return inputs * tf.cast(factor, inputs.dtype) + tf.cast(addition, inputs.dtype)

    return call
