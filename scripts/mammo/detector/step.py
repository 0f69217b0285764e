"""One step of training: gradients of a batch, in parts and on several devices if need be, and what they change.

The batch is cut into parts of `batch_size` films. Each part's losses are divided by what the whole batch is divided by,
so the parts' gradients add up to the batch's, whether they are computed beside each other (`devices`) or one after the
other (`accumulate`). Only layers that take statistics of their batch (batch normalisation that is trained) see parts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from mammo.detector.batches import Batch
from mammo.detector.frozen_norms import simplify_frozen_norms
from mammo.detector.keras import keras, tf
from mammo.detector.losses import focal_sum, normaliser, smooth_l1_sum
from mammo.detector.model import preprocessing_mode
from mammo.detector.preprocess import preprocess
from mammo.detector.upsampling import make_upsampling_compilable
from mammo.errors import UserError
from mammo.settings import ExperimentSettings

# Loss scaling of float16 (Micikevicius et al. 2018, "Mixed precision training", section 3.2): begin large, halve at an
# overflow and leave the step out, double after so many steps without one.
FIRST_SCALE = 2.0**15
STEPS_TO_DOUBLE = 2000


@dataclass(frozen=True)
class Losses:
    """Of one step's batch, divided by its number of anchors on lesions; `finite` says so of the gradients too."""

    regression: float
    classification: float
    finite: bool


@dataclass
class LossScale:
    """The factor of float16's losses, and for how many steps it has held. 1 and without meaning elsewhere."""

    factor: float = 1.0
    held: int = 0

    def overflow(self) -> bool:
        """Halve; whether there was anything left to halve."""
        self.factor, self.held, room = max(1.0, self.factor / 2), 0, self.factor > 1
        return room

    def held_on(self) -> None:
        """Count a step without overflow; double after a while."""
        self.held += 1
        if self.held >= STEPS_TO_DOUBLE:
            self.factor, self.held = self.factor * 2, 0


def training_strategy(devices: int) -> Any:
    """TensorFlow's way to spread a step over devices: none for one; a copy of the weights on each of several.

    Raises:
        UserError: if there are fewer devices.
    """
    if devices == 1:
        return tf.distribute.get_strategy()
    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(found) < devices:
        raise UserError(
            f"train.devices asks for {devices} GPUs, TensorFlow sees {len(tf.config.list_physical_devices('GPU'))}; "
            "lower it, or see that the job gets so many (profiles/gpu)"
        )
    return tf.distribute.MirroredStrategy([device.name for device in found[:devices]])


class Step:
    """The compiled step of a model; `retrace` when other weights are to be trained.

    Args:
        model: its own arithmetic is exchanged for faster ways to the same numbers (frozen norms, upsampling).
        factors: weight of each class in the losses.
        static_shapes: compile for each shape of batch by itself. A step is some percent faster, and compiling a large
            network takes seconds: for films of few shapes. Decided from the films alone, or a resumed training could
            compute in another order of operations.
        averages: variables beside the model's weights that follow them as a running mean; empty for none.
    """

    def __init__(
        self,
        model: Any,
        optimizer: Any,
        settings: ExperimentSettings,
        factors: Sequence[float],
        strategy: Any,
        averages: Sequence[Any] = (),
        *,
        static_shapes: bool = False,
    ) -> None:
        self._model, self._optimizer, self._settings, self._strategy = model, optimizer, settings, strategy
        simplify_frozen_norms(model)
        if settings.train.xla:
            make_upsampling_compilable(model)
        self._factors, self._averages = tuple(factors), list(averages)
        self._mode = preprocessing_mode(settings.model.backbone)
        self._scaled = settings.train.precision == "float16"
        self.loss_scale = LossScale(FIRST_SCALE if self._scaled else 1.0)
        self._static_shapes = static_shapes
        # Gradients that nobody adds up or scales need not leave the graph.
        self._in_one = settings.train.accumulate == settings.train.devices == 1 and not self._scaled
        self.retrace()

    def retrace(self) -> None:
        """Compile anew for the weights that are trainable now."""
        self._variables = list(self._model.trainable_variables)
        signature = [
            tf.TensorSpec((None, None, None), tf.uint16 if self._settings.bits == 16 else tf.uint8),
            tf.TensorSpec((None, None, 4), tf.float32),
            tf.TensorSpec((None, None), tf.int16),
            tf.TensorSpec((), tf.float32),
            tf.TensorSpec((), tf.float32),
        ]
        local = tf.function(
            self._gradients,
            input_signature=None if self._static_shapes else signature,
            jit_compile=self._settings.train.xla or None,
        )
        if self._in_one:
            one = None if self._static_shapes else signature[:-1]
            self._whole = tf.function(partial(self._whole_step, local), input_signature=one)
        self._summed = self._on_devices(lambda *part: self._sum_over_devices(*local(*part)))
        self._add = self._on_devices(
            lambda first, second: [a + b for a, b in zip(first, second, strict=True)]
        )
        self._norms = self._on_devices(_norms)
        self._apply = self._on_devices(self._change)

    def _on_devices(self, function: Callable[..., Any]) -> Callable[..., Any]:
        # Batches differ in shape; what lies within has its own signature and is traced once.
        return tf.function(
            lambda *arguments: self._strategy.run(function, args=arguments), reduce_retracing=True
        )

    # --- on each device

    def _gradients(
        self, images: Any, regression: Any, assignment: Any, divisor: Any, scale: Any
    ) -> tuple[Any, list[Any]]:
        """Losses (2,) and gradients of one part; films (B, H, W) grey, targets as in `Batch`."""
        settings, parts = (
            self._settings.losses,
            self._settings.train.accumulate * self._settings.train.devices,
        )
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self._variables)
            offsets, scores = self._model(preprocess(images, self._mode), training=True)
            box = smooth_l1_sum(assignment, regression, offsets, settings, self._factors) / divisor
            label = focal_sum(assignment, scores, settings, self._factors) / divisor
            total = tf.add_n([box, label, *(penalty / parts for penalty in self._model.losses)]) * scale
        gradients = tape.gradient(total, self._variables, unconnected_gradients="zero")
        if self._scaled:  # elsewhere the scale is 1, and a pass over all weights is saved
            gradients = [each / scale for each in gradients]
        return tf.stack([box, label]), [tf.convert_to_tensor(each) for each in gradients]

    def _whole_step(self, local: Callable[..., Any], *part: Any) -> tuple[Any, Any]:
        """A step in one graph: losses (2,), and whether they and all gradients were finite; else nothing changes."""
        losses, gradients = local(*part, tf.constant(1.0))
        norms = _norms(gradients)
        finite = tf.reduce_all(tf.math.is_finite(tf.concat([norms, losses], axis=0)))

        def change() -> Any:
            self._change(gradients, norms)
            return finite

        tf.cond(finite, change, lambda: finite)
        return losses, finite

    def _sum_over_devices(self, losses: Any, gradients: list[Any]) -> tuple[Any, list[Any]]:
        if self._settings.train.devices == 1:
            return losses, gradients
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, (losses, gradients))

    def _change(self, gradients: list[Any], norms: Any) -> None:
        """Clip each gradient by its norm, as Keras's `clipnorm`, let Adam step, move the running means."""
        limit = self._settings.train.clip_norm
        shares = limit / tf.maximum(norms, limit)
        clipped = [each * shares[index] for index, each in enumerate(gradients)]
        self._optimizer.apply_gradients(
            zip(clipped, self._variables, strict=True), skip_gradients_aggregation=True
        )
        if self._averages:
            done = tf.cast(self._optimizer.iterations, tf.float32)
            # The mean of the first steps is short, or the random start would stay in it for thousands of them.
            decay = tf.minimum(self._settings.train.ema_decay, (1.0 + done) / (10.0 + done))
            for average, weight in zip(self._averages, self._model.weights, strict=True):
                average.assign(decay * average + (1.0 - decay) * tf.cast(weight, average.dtype))

    # --- a whole batch

    def __call__(self, batch: Batch) -> Losses:
        """Losses of a batch, and the step that follows from them; a step that is not finite changes nothing."""
        if self._in_one:
            arrays = (batch.images, batch.regression, batch.assignment)
            arrays = (*map(tf.constant, arrays), tf.constant(normaliser(batch.lesion_anchors)))
            losses, finite = self._whole(*arrays)
            return Losses(*(float(value) for value in losses), bool(finite))
        while True:
            losses, gradients = self._of_batch(batch)
            norms = self._norms(gradients)
            regression, classification = (float(value) for value in self._first(losses))
            sound = bool(tf.reduce_all(tf.math.is_finite(self._first(norms))))
            finite = sound and math.isfinite(regression + classification)
            if finite or not math.isfinite(regression + classification) or not self._rescaled():
                break
        if finite:
            self._apply(gradients, norms)
            if self._scaled:
                self.loss_scale.held_on()
        return Losses(regression, classification, finite)

    def _rescaled(self) -> bool:
        return self._scaled and self.loss_scale.overflow()

    def _of_batch(self, batch: Batch) -> tuple[Any, Any]:
        train = self._settings.train
        losses, gradients = self._of_part(batch, 0)
        for turn in range(1, train.accumulate):
            more_losses, more = self._of_part(batch, turn)
            losses, gradients = self._add([losses], [more_losses])[0], self._add(gradients, more)
        return losses, gradients

    def _of_part(self, batch: Batch, turn: int) -> tuple[Any, Any]:
        """Losses and gradients of the parts that the devices look at together, number `turn` of the batch."""
        train = self._settings.train
        divisor, scale = tf.constant(normaliser(batch.lesion_anchors)), tf.constant(self.loss_scale.factor)
        arrays = (batch.images, batch.regression, batch.assignment)

        def part(replica: int) -> tuple[Any, ...]:
            first = (turn * train.devices + replica) * train.batch_size
            return tuple(tf.constant(array[first : first + train.batch_size]) for array in arrays)

        if train.devices == 1:
            return self._summed(*part(0), divisor, scale)
        spread = self._strategy.experimental_distribute_values_from_function(
            lambda context: part(context.replica_id_in_sync_group)
        )
        return self._summed(*spread, divisor, scale)

    def _first(self, value: Any) -> Any:
        """What a device holds of a value that all of them hold."""
        return self._strategy.experimental_local_results(value)[0]


def _norms(gradients: Sequence[Any]) -> Any:
    return tf.stack([tf.norm(each) for each in gradients])


def adam(settings: ExperimentSettings, variables: Sequence[Any]) -> Any:
    """Adam for all weights that are ever trained. Clipping is the step's; the rate is set before each step.

    keras-retinanet's own train.py passes `lr=`, which Keras ignores today, and trains at 1e-3 whatever one says.
    """
    optimizer = keras.optimizers.Adam(learning_rate=settings.train.learning_rate, jit_compile=False)
    optimizer.build(variables)
    return optimizer
