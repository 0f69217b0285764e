"""What lies between a grey film and the network's first layer, in TensorFlow's graph."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from keras_retinanet.utils.image import preprocess_image

from mammo.detector.keras import tf

WHITE_16_TO_8 = 257  # 65535 / 255: a 16-bit film spans the same range of values as one of 8 bits


def preprocess(images: Any, mode: str) -> Any:
    """Grey films as keras-retinanet feeds them: the same numbers as its `preprocess_image`, for grey in all channels.

    Every grey level has one value a channel, so they are looked up: exact, and XLA compiles it.

    Args:
        images: (B, H, W) uint8, or uint16, which is divided by 257 first.
        mode: `caffe` or `tf`.

    Returns:
        (B, H, W, 3) float32.
    """
    return tf.gather(tf.constant(_channels(images.dtype.as_numpy_dtype, mode)), tf.cast(images, tf.int32))


@cache
def _channels(dtype: type, mode: str) -> np.ndarray:
    """The three channels' values of every grey level, (256 or 65536, 3) float32."""
    levels = np.arange(np.iinfo(dtype).max + 1, dtype=np.float32)
    if dtype == np.uint16:
        levels /= WHITE_16_TO_8
    return preprocess_image(np.repeat(levels[np.newaxis, :, np.newaxis], 3, axis=2), mode=mode)[0]
