"""Training: a table of films → one snapshot an epoch, resumed where it was left."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from mammo.detector.anchors import Anchors
from mammo.detector.batches import Batch, BatchMaker, read_train_set
from mammo.detector.keras import keras, tf
from mammo.detector.losses import focal_loss, smooth_l1_loss
from mammo.detector.model import build_model, preprocessing_mode
from mammo.detector.schedule import learning_rate
from mammo.detector.state import Epoch, Snapshot, TrainingState, state_key
from mammo.detector.weights import load_initial, weight_file
from mammo.errors import UserError
from mammo.files import sha256_file
from mammo.settings import ExperimentSettings, LossSettings


@dataclass(frozen=True)
class Training:
    """The result: where the state lies, and a row for each epoch that was asked for."""

    folder: Path
    snapshots: tuple[Snapshot, ...]

    @property
    def history(self) -> list[Epoch]:
        """The rows without their files."""
        return [Epoch(**{name: getattr(row, name) for name in Epoch.model_fields}) for row in self.snapshots]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def train(
    csv_path: Path,
    classes_path: Path,
    settings: ExperimentSettings,
    *,
    code: str,
    state: Path,
    logs: Path,
    say: Callable[[str], None] = _say,
) -> Training:
    """Train until `settings.train.epochs` snapshots exist, beginning where an earlier run with the same key ended.

    Args:
        csv_path: keras-retinanet's CSV; `<stem>.images.csv` beside it, if there, stands for the films' contents.
        code: fingerprint of the code; another one begins anew.
        state: folder that keeps snapshots and the state to go on from, one folder in it for each key.
        logs: TensorBoard's folder, written anew with the whole history.

    Raises:
        UserError: where there is nothing to learn, a weight file is missing, or a loss stops being a number.
    """
    films, names = read_train_set(csv_path, classes_path)
    weights = weight_file(settings.model, settings.weights)
    key, meaning = state_key(settings, code, data_digests(csv_path, classes_path, weights))
    keeper = TrainingState(state, key, meaning)
    with keeper.alone(say):
        model = build_model(settings.model, len(names), settings.train.seed)
        say(load_initial(model, weights, settings.weights))
        trainer = _Trainer(model, settings)
        history = keeper.restore(model, trainer.optimizer, say)
        wanted = settings.train.epochs
        if history:
            say(f"{len(history)} of {wanted} epochs are done already, in {keeper.folder}")
        board = _TensorBoard(logs, history[:wanted])
        if len(history) < wanted:
            anchors = Anchors(model, settings.model.anchors)
            mode = preprocessing_mode(settings.model.backbone)
            maker = BatchMaker(films, len(names), anchors, settings, mode)
            say(f"{len(films)} films, {maker.steps} steps an epoch, {model.count_params()} weights")
            while len(history) < wanted:
                epoch = trainer.run_epoch(maker, [row.loss for row in history])
                history.append(keeper.save_epoch(model, trainer.optimizer, history, epoch))
                board.write(epoch)
        board.close()
    return Training(keeper.folder, tuple(history[:wanted]))


def data_digests(csv_path: Path, classes_path: Path, weights: Path | None) -> dict[str, str]:
    """SHA-256 of all that is read; the films' own stand in the manifest beside the table."""
    files = {"table": csv_path, "classes": classes_path, "weights": weights}
    manifest = csv_path.with_name(f"{csv_path.stem}.images.csv")
    files["images"] = manifest if manifest.is_file() else None
    return {name: sha256_file(path) if path else "" for name, path in files.items()}


class _Trainer:
    """The model with its optimizer and one compiled step."""

    def __init__(self, model: Any, settings: ExperimentSettings) -> None:
        self.model, self.settings = model, settings
        # keras-retinanet's own train.py passes `lr=`, which Keras ignores today, and trains at 1e-3 whatever one says.
        self.optimizer = keras.optimizers.Adam(
            learning_rate=settings.train.learning_rate, clipnorm=settings.train.clip_norm, jit_compile=False
        )
        self.optimizer.build(model.trainable_variables)
        self._step = _compiled_step(model, self.optimizer, settings.losses)

    def run_epoch(self, maker: BatchMaker, past_losses: Sequence[float]) -> Epoch:
        """Train one epoch, the one after those of `past_losses`."""
        train, done = self.settings.train, len(past_losses)
        losses = np.zeros((maker.steps, 2))
        rates = []
        batches = maker.batches(done * maker.steps, (done + 1) * maker.steps)
        bar = tqdm(batches, f"epoch {done + 1}/{train.epochs}", maker.steps, mininterval=5, file=sys.stderr)
        for step, batch in enumerate(bar):
            progress = done + step / maker.steps
            rates.append(
                learning_rate(train.schedule, train.learning_rate, train.epochs, progress, past_losses)
            )
            self.optimizer.learning_rate.assign(rates[-1])
            losses[step] = self._checked(batch, done + 1, step + 1)
            bar.set_postfix(loss=f"{losses[: step + 1].sum(axis=1).mean():.4f}", refresh=False)
        regression, classification = (float(value) for value in losses.mean(axis=0))
        return Epoch(
            epoch=done + 1,
            loss=regression + classification,
            regression_loss=regression,
            classification_loss=classification,
            learning_rate=rates[0],
        )

    def _checked(self, batch: Batch, epoch: int, step: int) -> tuple[float, float]:
        regression, classification = (
            float(value) for value in self._step(batch.images, batch.regression, batch.classification)
        )
        if not math.isfinite(regression + classification):
            films = ", ".join(str(path) for path in dict.fromkeys(batch.paths))
            raise UserError(
                f"the loss is not a number any more in epoch {epoch}, step {step} (box loss {regression}, class loss "
                f"{classification}); films: {films}. Lower train.learning_rate or train.clip_norm; the epochs before "
                "are kept"
            )
        return regression, classification


def _compiled_step(model: Any, optimizer: Any, settings: LossSettings) -> Callable[..., tuple[Any, Any]]:
    """One step as one graph for films of every size: shapes are left open, so that it is traced once."""

    def step(images: Any, regression: Any, classification: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            offsets, scores = model(images, training=True)
            box_loss = smooth_l1_loss(regression, offsets, settings.smooth_l1_sigma)
            class_loss = focal_loss(classification, scores, settings.focal_alpha, settings.focal_gamma)
            total = tf.add_n([box_loss, class_loss, *model.losses])
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(total, variables), variables, strict=True))
        return box_loss, class_loss

    classes = model.output_shape[1][-1]
    signature = [
        tf.TensorSpec(shape, tf.float32)
        for shape in [(None, None, None, 3), (None, None, 5), (None, None, classes + 1)]
    ]
    return tf.function(step, input_signature=signature)


class _TensorBoard:
    """Losses and learning rate by epoch; the files of earlier runs are replaced by one with the whole history."""

    def __init__(self, folder: Path, history: Sequence[Snapshot]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for old in sorted(folder.glob("events.out.tfevents.*")):
            old.unlink()
        self._writer = tf.summary.create_file_writer(str(folder))
        self._scalar = tf.compat.v1.SummaryMetadata(
            plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars"), data_class=1
        )
        for row in history:
            self.write(row)

    def write(self, row: Epoch | Snapshot) -> None:
        with self._writer.as_default(step=row.epoch):
            for name in ("loss", "regression_loss", "classification_loss", "learning_rate"):
                # What tf.summary.scalar does; that one wants the tensorboard package, which only a viewer needs.
                tf.summary.write(name, tf.constant(getattr(row, name), tf.float32), metadata=self._scalar)
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()
