"""What a batch of a given size costs in memory and time: a few steps on films of noise of the largest shape."""

from __future__ import annotations

import time

import numpy as np

from mammo.detector.anchors import Anchors
from mammo.detector.batches import Batch
from mammo.detector.films import padded_shape
from mammo.detector.fitting import Cost
from mammo.detector.keras import tf
from mammo.detector.memory import peak_memory_mb
from mammo.detector.model import build_model
from mammo.detector.step import Step, adam, training_strategy
from mammo.errors import UserError
from mammo.settings import ExperimentSettings

STEPS = 3  # after the first, which compiles
SIDE_OF_LESION = 0.1  # share of the shorter side


def cost_of_step(settings: ExperimentSettings, classes: int = 1) -> Cost:
    """Measure in this process, which should do nothing else: memory is that of all it ever did.

    The films are of the longest shape that the sides allow, upright. Batches that mix shapes are larger still.

    Raises:
        UserError: if the memory does not suffice.
    """
    train = settings.train.model_copy(update={"accumulate": 1, "devices": 1})
    settings = settings.model_copy(update={"train": train})
    try:
        model = build_model(settings.model, classes, train.seed, train.precision)
        optimizer = adam(settings, model.trainable_variables)
        step = Step(model, optimizer, settings, [1.0] * classes, training_strategy(1), static_shapes=True)
        batch = _noise(settings, Anchors(model, settings.model.anchors))
        step(batch)
        started = time.perf_counter()
        for _ in range(STEPS):
            step(batch)
    except tf.errors.ResourceExhaustedError as error:
        raise UserError(f"{train.batch_size} films a batch do not fit into the memory") from error
    return Cost(train.batch_size, peak_memory_mb(), (time.perf_counter() - started) / STEPS)


def _noise(settings: ExperimentSettings, anchors: Anchors) -> Batch:
    count, film = settings.train.batch_size, (settings.sides.max, settings.sides.min)
    shape = padded_shape([film])
    dtype = np.uint16 if settings.bits == 16 else np.uint8
    rng = np.random.default_rng(0)
    images = rng.integers(0, np.iinfo(dtype).max, (count, *shape), dtype, endpoint=True)
    side = SIDE_OF_LESION * settings.sides.min
    boxes, labels = [np.array([[side, side, 2 * side, 2 * side]])] * count, [np.zeros(1, int)] * count
    targets = anchors.targets(shape, [film] * count, boxes, labels)
    return Batch(images, np.array([film] * count, np.int32), *targets, ("noise",) * count)
