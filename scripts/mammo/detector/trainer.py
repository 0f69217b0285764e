"""The model with its optimizer, its films and its place in time: runs epochs, is saved and brought back."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from mammo.detector.anchors import Anchors
from mammo.detector.batches import BatchMaker, TrainingFilm
from mammo.detector.films import padded_shape
from mammo.detector.freezing import Freezer
from mammo.detector.keras import tf
from mammo.detector.losses import class_factors
from mammo.detector.model import build_model
from mammo.detector.monitor import watched
from mammo.detector.network_films import NetworkFilms
from mammo.detector.schedule import learning_rate
from mammo.detector.state import Arrays, Epoch, Progress, Snapshot, TrainingState
from mammo.detector.step import LossScale, Step, adam, training_strategy
from mammo.detector.weights import load_initial
from mammo.settings import ExperimentSettings

FEW_SHAPES = 3  # of films on their own; batches that mix them have up to nine


class NotFinite(Exception):
    """A loss or a gradient stopped being a number; says in which epoch and step, and on which films."""

    def __init__(
        self, epoch: int, step: int, regression: float, classification: float, paths: Sequence[str]
    ) -> None:
        self.epoch, self.step = epoch, step
        super().__init__(
            f"the loss is not a number any more in epoch {epoch}, step {step} (box loss {regression}, class loss "
            f"{classification}); films: {', '.join(dict.fromkeys(paths))}"
        )


class Trainer:
    """A training at some point of its way: at the beginning, or where an earlier run with the same key was left."""

    def __init__(
        self,
        settings: ExperimentSettings,
        films: NetworkFilms,
        members: Sequence[TrainingFilm],
        names: Sequence[str],
        weights: Path | None,
        keeper: TrainingState,
        say: Callable[[str], None],
    ) -> None:
        self.settings, self.keeper, self._say = settings, keeper, say
        self.factors = class_factors(settings.losses, names)
        self._build(len(names), _few_shapes(films))
        self.anchors = Anchors(self.model, settings.model.anchors)
        self._maker = BatchMaker(films, list(members), self.anchors, settings)
        self._saved = time.monotonic()
        found = keeper.restore(say)
        if found is None:
            say(load_initial(self.model, weights, settings.weights))
            for average, weight in zip(self._averages, self.model.get_weights(), strict=False):
                average.assign(weight)
            self.progress = Progress(loss_scale=self._loss_scale)
            keeper.save(self._arrays(), self.progress)
        else:
            self._put(*found)
        say(f"{len(members)} films, {self._maker.steps} steps an epoch, {self.model.count_params()} weights")

    def _build(self, classes: int, static_shapes: bool) -> None:
        train = self.settings.train
        build = (self.settings.model, classes, train.seed)
        plain = train.precision == "float32" and train.devices == 1 and train.ema_decay is None
        # Snapshots are of a plain float32 network, whatever was trained, so that keras-retinanet can read them.
        self._for_snapshots = None if plain else build_model(*build)
        strategy = training_strategy(train.devices)
        self.model = build_model(*build, precision=train.precision, strategy=strategy)
        with strategy.scope():
            self.optimizer = adam(self.settings, self.model.trainable_variables)
            kept = self.model.get_weights() if train.ema_decay else []
            self._averages = [tf.Variable(weight, trainable=False) for weight in kept]
        self._freezer = Freezer(self.model, train.freeze)
        self._step = Step(
            self.model,
            self.optimizer,
            self.settings,
            self.factors,
            strategy,
            self._averages,
            static_shapes=static_shapes,
        )

    # --- an epoch

    def run_epoch(self) -> Epoch:
        """Train to the end of the epoch that is begun or comes next. Raises `NotFinite`."""
        progress, steps = self.progress, self._maker.steps
        epoch, done = len(progress.history) + 1, len(progress.losses)
        if self._freezer.apply(epoch):
            self._step.retrace()
        losses = np.concatenate([progress.losses, np.zeros((steps - done, 2))])
        batches = self._maker.batches((epoch - 1) * steps + done, epoch * steps)
        name = f"epoch {epoch}/{self.settings.train.epochs}"
        bar = tqdm(batches, name, steps, initial=done, mininterval=5, file=sys.stderr)
        for step, batch in enumerate(bar, done):
            rate = self._rate(epoch - 1 + step / steps)
            self.optimizer.learning_rate.assign(rate)
            found = self._step(batch)
            if not found.finite:
                raise NotFinite(epoch, step + 1, found.regression, found.classification, batch.paths)
            losses[step] = found.regression, found.classification
            progress.losses = losses[: step + 1]
            progress.rate = rate if progress.rate is None else progress.rate
            bar.set_postfix(loss=f"{losses[: step + 1].sum(axis=1).mean():.4f}", refresh=False)
            self._save_within(step + 1 < steps)
        regression, classification = (float(value) for value in losses.mean(axis=0))
        return Epoch(
            epoch=epoch,
            loss=regression + classification,
            regression_loss=regression,
            classification_loss=classification,
            learning_rate=progress.rate or 0.0,
        )

    def _rate(self, place: float) -> float:
        train = self.settings.train
        past: list[float] = []
        if train.schedule.kind == "plateau":
            past = watched(self.progress.history, train.schedule.monitor, "train.schedule.monitor")
        rate = learning_rate(train.schedule, train.learning_rate, train.epochs, place, past)
        return rate * train.rollback_factor ** len(self.progress.rollbacks)

    def _save_within(self, worth_it: bool) -> None:
        if worth_it and time.monotonic() - self._saved >= 60 * self.settings.train.save_minutes:
            self.progress.loss_scale = self._loss_scale
            self.keeper.save(self._arrays(), self.progress, within=True)
            self._saved = time.monotonic()

    # --- saving and going back

    def finish_epoch(self, epoch: Epoch) -> Snapshot:
        """Write the epoch's snapshots, then the state to go on from them."""
        file, digest = self.keeper.save_snapshot(self._plain(self.model.get_weights()), epoch.epoch)
        row = Snapshot(file=file, sha256=digest, **vars(epoch))
        if self._averages:
            means = [average.numpy() for average in self._averages]
            file, digest = self.keeper.save_snapshot(self._plain(means), epoch.epoch, "ema")
            row = row.model_copy(update={"ema_file": file, "ema_sha256": digest})
        self.progress = Progress(
            [*self.progress.history, row], rollbacks=self.progress.rollbacks, loss_scale=self._loss_scale
        )
        self.keeper.save(self._arrays(), self.progress)
        self._saved = time.monotonic()
        return row

    def roll_back(self, fault: NotFinite) -> float:
        """Back to the last whole epoch, or the beginning; the share of the learning rate that holds from now on."""
        setbacks = [*self.progress.rollbacks, (fault.epoch, fault.step)]
        arrays, progress = self.keeper.restore_whole_epoch(self._say)
        progress.rollbacks = setbacks
        self.keeper.save(arrays, progress)
        self._put(arrays, progress)
        return self.settings.train.rollback_factor ** len(setbacks)

    def _plain(self, weights: list[np.ndarray]) -> Any:
        if self._for_snapshots is None:
            return self.model
        self._for_snapshots.set_weights(weights)
        return self._for_snapshots

    @property
    def _loss_scale(self) -> tuple[float, int]:
        return self._step.loss_scale.factor, self._step.loss_scale.held

    def _arrays(self) -> Arrays:
        return Arrays(
            self.model.get_weights(),
            [variable.numpy() for variable in _variables(self.optimizer)],
            [average.numpy() for average in self._averages],
        )

    def _put(self, arrays: Arrays, progress: Progress) -> None:
        self.model.set_weights(arrays.weights)
        pairs = [(_variables(self.optimizer), arrays.optimizer), (self._averages, arrays.averages)]
        for variables, values in pairs:
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        self._step.loss_scale = LossScale(*progress.loss_scale)
        self.progress = progress


def _few_shapes(films: NetworkFilms) -> bool:
    """Whether batches of these films have so few shapes that a graph for each pays."""
    return len({padded_shape([(row.height, row.width)]) for row in films.rows}) <= FEW_SHAPES


def _variables(optimizer: Any) -> list[Any]:
    """The step counter, the rate and the moments: all that Keras's optimizer remembers."""
    variables = optimizer.variables
    return list(variables() if callable(variables) else variables)
