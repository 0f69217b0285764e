"""The most memory that was held so far."""

from __future__ import annotations

import resource

from mammo.detector.keras import tf


def peak_memory_mb() -> float:
    """In 10^6 bytes: the fullest GPU's where there is one (TensorFlow's own count), else this process's."""
    gpus = tf.config.list_logical_devices("GPU")
    if gpus:
        names = [gpu.name.removeprefix("/device:") for gpu in gpus]
        return max(tf.config.experimental.get_memory_info(name)["peak"] for name in names) / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
