"""TensorFlow and Keras 2, set up so that keras-retinanet runs.

keras-retinanet 1.0.0 and keras-resnet 0.2.0 are written for Keras 2. TensorFlow takes `tf_keras` for its `tf.keras`,
because the `__init__` beside this asks for it; here `import keras`, as keras-resnet has it, is made to find it too.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # start-up chatter about CPU features and missing GPUs

import tensorflow as tf
import tf_keras as keras

_SUBMODULES = (
    "activations", "applications", "backend", "callbacks", "constraints", "initializers", "layers", "losses", "metrics",
    "models", "optimizers", "preprocessing", "regularizers", "utils",
)  # fmt: skip

__all__ = ["keras", "make_deterministic", "tf"]


def _stand_in_for_keras() -> None:
    """Let `import keras` and `import keras.layers` find tf_keras, whatever else is installed."""
    sys.modules["keras"] = keras
    for name in _SUBMODULES:
        sys.modules[f"keras.{name}"] = importlib.import_module(f"tf_keras.{name}")


_stand_in_for_keras()
tf.get_logger().setLevel(
    "ERROR"
)  # "compiled the loaded model, but …": snapshots are not compiled, on purpose
warnings.filterwarnings(
    "ignore", message="You are saving your model as an HDF5 file"
)  # keras-retinanet's format


def make_deterministic(seed: int) -> None:
    """Seed all random numbers, allow only operations that give the same bits each time, count layer names from 1."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed % 2**32)
    tf.config.experimental.enable_op_determinism()
    for device in tf.config.list_physical_devices("GPU"):
        try:
            tf.config.experimental.set_memory_growth(device, True)
        except RuntimeError:  # the device is in use already: it keeps what it has
            return
