"""Training: a table of films → one snapshot an epoch, resumed where it was left."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from mammo.detector.batches import read_train_set
from mammo.detector.board import Board
from mammo.detector.memory import peak_memory_mb
from mammo.detector.monitor import best_epoch, stopped_after, watched
from mammo.detector.network_films import NetworkFilms
from mammo.detector.state import Epoch, Snapshot, TrainingState, state_key
from mammo.detector.trainer import NotFinite, Trainer
from mammo.detector.validate import Figures, Validator
from mammo.detector.weights import weight_file
from mammo.errors import UserError
from mammo.files import sha256_file
from mammo.settings import ExperimentSettings

MOST_ROLLBACKS = 5


@dataclass(frozen=True)
class TrainingFiles:
    """What is read: keras-retinanet's CSV and the index of its films at network size, the same for validation."""

    table: Path
    films: Path
    classes: Path
    validation: Path | None = None
    validation_films: Path | None = None


@dataclass(frozen=True)
class Training:
    """The result: where the state lies, and a row for each epoch; fewer than asked for if it stopped early."""

    folder: Path
    snapshots: tuple[Snapshot, ...]

    @property
    def history(self) -> list[Epoch]:
        """The rows without their files."""
        return [row.without_files for row in self.snapshots]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def train(
    files: TrainingFiles,
    settings: ExperimentSettings,
    *,
    code: str,
    state: Path,
    logs: Path,
    figures: Figures,
    say: Callable[[str], None] = _say,
) -> Training:
    """Train until `settings.train.epochs` snapshots exist, beginning where an earlier run with the same key ended.

    Args:
        code: fingerprint of the code; another one begins anew.
        state: folder that keeps snapshots and the state to go on from, one folder in it for each key.
        logs: TensorBoard's folder, written anew with the whole history.
        figures: what is told of the boxes that are found on the validation set after each epoch.

    Raises:
        UserError: where there is nothing to learn, a weight file is missing, a loss stops being a number, or the disk
            is full.
    """
    films = NetworkFilms(files.films)
    members, names = read_train_set(files.table, files.classes, films)
    unknown = sorted(set(settings.losses.class_weights) - set(names))
    if unknown:
        raise UserError(
            f"losses.class_weights: '{unknown[0]}' is no class; {files.classes} lists {', '.join(names)}"
        )
    weights = weight_file(settings.model, settings.weights)
    key, meaning = state_key(settings, code, data_digests(files, weights))
    keeper = TrainingState(state, key, meaning)
    with keeper.alone(say):
        trainer = Trainer(settings, films, members, names, weights, keeper, say)
        validator = _validator(files, settings, trainer, names, figures)
        with closing(Board(logs, trainer.progress.history[: settings.train.epochs])) as board:
            _epochs(settings, trainer, validator, board, say)
        history = trainer.progress.history[: settings.train.epochs]
        stop = stopped_after(history, settings.train.early_stopping)
    return Training(keeper.folder, tuple(history[:stop]))


def data_digests(files: TrainingFiles, weights: Path | None) -> dict[str, str]:
    """SHA-256 of all that decides the numbers; the index of films carries a digest of each film's pixels."""
    read = {
        "table": files.table,
        "films": files.films,
        "classes": files.classes,
        "weights": weights,
        "validation": files.validation,
        "validation_films": files.validation_films,
    }
    return {name: sha256_file(path) if path else "" for name, path in read.items()}


def _validator(
    files: TrainingFiles, settings: ExperimentSettings, trainer: Trainer, names: list[str], figures: Figures
) -> Validator | None:
    if files.validation is None or files.validation_films is None:
        return None
    films = NetworkFilms(files.validation_films)
    if not len(films):
        return None
    members, _ = read_train_set(files.validation, files.classes, films, allow_no_lesions=True)
    return Validator(films, members, trainer.model, trainer.anchors, settings, trainer.factors, figures)


def _epochs(
    settings: ExperimentSettings,
    trainer: Trainer,
    validator: Validator | None,
    board: Board,
    say: Callable[[str], None],
) -> None:
    wanted, history = settings.train.epochs, trainer.progress.history
    if history:
        say(f"{len(history)} of {wanted} epochs are done already, in {trainer.keeper.folder}")
    while len(trainer.progress.history) < wanted:
        history = trainer.progress.history
        stop = stopped_after(history, settings.train.early_stopping)
        if stop is not None:
            say(f"stopped after epoch {stop}: {_best(history, settings)}")
            return
        try:
            epoch = trainer.run_epoch()
        except NotFinite as fault:
            _roll_back(fault, settings, trainer, say)
            continue
        found, looked = validator.run() if validator else ({}, [])
        row = trainer.finish_epoch(Epoch(**vars(epoch) | found))
        board.write(row, peak_memory_mb=peak_memory_mb())
        if validator:
            for name, picture in validator.pictures(looked, settings.train.board_films):
                board.show(row.epoch, name, *picture)
        say(f"{_line(row)}; peak memory {peak_memory_mb():.0f} MB")


def _line(row: Epoch) -> str:
    figures = {
        name: getattr(row, name) for name in Epoch.model_fields if name not in ("epoch", "learning_rate")
    }
    shown = ", ".join(f"{name} {value:.4f}" for name, value in figures.items() if value is not None)
    return f"epoch {row.epoch}: {shown}, learning rate {row.learning_rate:.3g}"


def _best(history: list[Snapshot], settings: ExperimentSettings) -> str:
    early = settings.train.early_stopping
    assert early is not None  # only asked after a stop
    values = watched(history, early.monitor, "train.early_stopping.monitor")
    best = best_epoch(values, early.min_delta)
    return f"{early.monitor} has been best in epoch {best} ({getattr(history[best - 1], early.monitor):.4f})"


def _roll_back(
    fault: NotFinite, settings: ExperimentSettings, trainer: Trainer, say: Callable[[str], None]
) -> None:
    """Back to the last whole epoch with a smaller rate, if the settings say so and it has not been too often."""
    kept = trainer.keeper.last_snapshot()
    last = f"the last whole snapshot is {kept}" if kept else "there is no whole snapshot yet"
    if settings.train.on_nan == "stop":
        raise UserError(
            f"{fault}; {last}. Lower train.learning_rate or train.clip_norm, or set train.on_nan to rollback"
        ) from fault
    if len(trainer.progress.rollbacks) >= MOST_ROLLBACKS:
        raise UserError(
            f"{fault}; {last}. After {MOST_ROLLBACKS} rollbacks that is no accident: lower train.learning_rate or "
            "look at these films"
        ) from fault
    rate = trainer.roll_back(fault)
    say(f"{fault}; {last}: going on behind it with {rate:.3g} of the learning rate")
