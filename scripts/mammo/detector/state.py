"""What a training leaves on disk, so that it survives a kill at any moment and goes on bit for bit.

`<state>/<key>/` holds, each file whole or not there at all:

    epoch_NN.h5, ema_NN.h5   the snapshots of an epoch
    resume.h5                everything to go on from the last whole epoch (at first: from the beginning)
    within.h5                the same from the middle of an epoch, while one runs
    history.csv, key.json    the epochs so far, and what the key stands for: the experiment's own record

The key is a digest of settings, code and data without the number of epochs: training for longer goes on from what there
is; anything else that changes begins a folder of its own; old folders are left alone.

Order matters: an epoch's snapshots are on disk before `resume.h5` names them, and `resume.h5` is replaced in one step.
"""

from __future__ import annotations

import errno
import fcntl
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from pydantic import Field, ValidationError

from mammo.errors import UserError
from mammo.files import atomic_path, canonical_json, sha256_bytes, sha256_file, write_text_atomic
from mammo.settings import ExperimentSettings
from mammo.tables.csvio import write_table
from mammo.tables.records import Row, Sha256, Text

# What changes no number of a training, or only how long it goes on.
_NOT_IN_THE_KEY = ("epochs", "early_stopping", "on_nan", "rollback_factor", "save_minutes", "board_films")


class Epoch(Row):
    """One row of a training's history: mean losses over the epoch's steps, and figures on the validation set.

    Figures that the validation set cannot give (a sensitivity without lesions), or all without one, are empty.
    """

    epoch: int
    loss: float
    regression_loss: float
    classification_loss: float
    learning_rate: float = Field(description="At the epoch's first step.")
    val_loss: float | None = None
    val_regression_loss: float | None = None
    val_classification_loss: float | None = None
    val_sensitivity: float | None = None
    val_clean_images: float | None = None
    val_ap50: float | None = None
    val_froc_mean: float | None = None
    val_sens_at_1: float | None = None


class Snapshot(Epoch):
    """One row of snapshots.csv: the snapshots of an epoch; the running mean's columns are empty where none is kept."""

    file: Text
    sha256: Sha256
    ema_file: str = ""
    ema_sha256: Sha256 | None = None

    @property
    def without_files(self) -> Epoch:
        """The row of the history."""
        return Epoch(**{name: getattr(self, name) for name in Epoch.model_fields})


@dataclass
class Progress:
    """How far a training is: whole epochs, steps of the one that runs with their losses (steps, 2), and setbacks.

    `rate`: learning rate at the first step of the epoch that runs. `rollbacks`: epoch and step of each loss that was
    not finite and was gone back from. `loss_scale`: float16's factor, and for how many steps it has held.
    """

    history: list[Snapshot] = field(default_factory=list)
    losses: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    rate: float | None = None
    rollbacks: list[tuple[int, int]] = field(default_factory=list)
    loss_scale: tuple[float, int] = (1.0, 0)


@dataclass(frozen=True)
class Arrays:
    """All that is learned, by what it belongs to: weights, the optimizer's memory, running means."""

    weights: list[np.ndarray]
    optimizer: list[np.ndarray]
    averages: list[np.ndarray]


def state_key(settings: ExperimentSettings, code: str, data: dict[str, str]) -> tuple[str, str]:
    """Digest and canonical JSON of all that decides a training's numbers.

    Left out: the number of epochs (but not the length of a cosine) and what ends a training early or saves it, the test
    sets, what detection does, and the names of the train set and of weight files, for which their contents stand in
    `data`. The validation set's content counts only where the learning rate follows it.
    """
    parts = settings.model_dump(
        mode="json", include={"model", "weights", "sides", "bits", "augmentation", "losses", "train"}
    )
    if settings.train.schedule.kind == "cosine" and settings.train.schedule.over_epochs is None:
        parts["train"]["schedule"]["over_epochs"] = settings.train.epochs
    for key in _NOT_IN_THE_KEY:
        del parts["train"][key]
    del parts["weights"]["path"]
    schedule = settings.train.schedule
    if schedule.kind != "plateau" or schedule.monitor == "loss":
        data = {name: digest for name, digest in data.items() if not name.startswith("validation")}
    text = canonical_json({"settings": parts, "code": code, "data": data})
    return sha256_bytes(text.encode())[:16], text


class TrainingState:
    """The folder of one key."""

    def __init__(self, root: Path, key: str, meaning: str) -> None:
        self.folder = root / key
        self.folder.mkdir(parents=True, exist_ok=True)
        write_text_atomic(self.folder / "key.json", meaning + "\n")

    @contextmanager
    def alone(self, say: Callable[[str], None]) -> Iterator[None]:
        """Hold the folder against a second training with the same key, such as one that outlived its workflow: wait."""
        with open(self.folder / "lock", "a", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say(f"another process is training in {self.folder}; waiting for it to end")
                fcntl.flock(file, fcntl.LOCK_EX)
            for left in self.folder.glob(".tmp-*"):  # of a write that was killed
                left.unlink()
            yield

    # --- snapshots

    def snapshot_path(self, epoch: int, kind: str = "epoch") -> Path:
        """Where the snapshot of an epoch, from 1, lies. `kind`: epoch, or ema for the running mean's."""
        return self.folder / f"{kind}_{epoch:02d}.h5"

    def save_snapshot(self, model: Any, epoch: int, kind: str = "epoch") -> tuple[str, str]:
        """Write a model as keras-retinanet reads it; its name below the state's root and its SHA-256."""
        path = self.snapshot_path(epoch, kind)
        with self._written(path) as file:
            model.save(file, include_optimizer=False, save_format="h5")
        return f"{self.folder.name}/{path.name}", sha256_file(path)

    # --- to go on from

    def save(self, arrays: Arrays, progress: Progress, *, within: bool = False) -> None:
        """Write everything to go on from: from a whole epoch, or from within one."""
        with self._written(self.folder / ("within.h5" if within else "resume.h5")) as file:
            file["progress"] = json.dumps(
                {
                    "history": [vars(row) for row in progress.history],
                    "losses": progress.losses.tolist(),
                    "rate": progress.rate,
                    "rollbacks": progress.rollbacks,
                    "loss_scale": progress.loss_scale,
                }
            )
            for name in ("weights", "optimizer", "averages"):
                _write_arrays(file, name, getattr(arrays, name))
        if not within:
            (self.folder / "within.h5").unlink(missing_ok=True)
            write_table(self.folder / "history.csv", Epoch, [row.without_files for row in progress.history])

    def restore(self, say: Callable[[str], None]) -> tuple[Arrays, Progress] | None:
        """The furthest point to go on from; None where there is none, or where a snapshot that it names is gone."""
        whole = self._read("resume.h5", say)
        if whole is None:
            return None
        for row in whole[1].history:
            if fault := self._fault(row):
                say(f"{fault}; training begins anew")
                return None
        within = self._read("within.h5", say)
        started_here = within and (
            [row.sha256 for row in within[1].history] == [row.sha256 for row in whole[1].history]
            and within[1].rollbacks == whole[1].rollbacks
        )
        return within if started_here else whole

    def restore_whole_epoch(self, say: Callable[[str], None]) -> tuple[Arrays, Progress]:
        """The last whole epoch, or the beginning. Raises `UserError` where the file is gone meanwhile."""
        found = self._read("resume.h5", say)
        if found is None:
            raise UserError(f"{self.folder / 'resume.h5'}: is gone while the training runs; start it again")
        return found

    def _fault(self, row: Snapshot) -> str:
        files = [(row.file, row.sha256)] + ([(row.ema_file, row.ema_sha256)] if row.ema_file else [])
        for file, digest in files:
            path = self.folder / Path(file).name
            if not path.is_file() or sha256_file(path) != digest:
                return f"{path} is gone or is not what was written"
        return ""

    def _read(self, name: str, say: Callable[[str], None]) -> tuple[Arrays, Progress] | None:
        path = self.folder / name
        if not path.is_file():
            return None
        try:
            with h5py.File(path, "r") as file:
                text = json.loads(file["progress"][()])
                arrays = Arrays(*(_read_arrays(file[part]) for part in ("weights", "optimizer", "averages")))
                progress = Progress(
                    history=[Snapshot.model_validate(row) for row in text["history"]],
                    losses=np.array(text["losses"], float).reshape(-1, 2),
                    rate=text["rate"],
                    rollbacks=[(int(epoch), int(step)) for epoch, step in text["rollbacks"]],
                    loss_scale=(float(text["loss_scale"][0]), int(text["loss_scale"][1])),
                )
        except (OSError, KeyError, ValueError, TypeError, ValidationError) as error:
            say(f"{path} cannot be read ({error}); it is left out")
            return None
        return arrays, progress

    @contextmanager
    def _written(self, path: Path) -> Iterator[h5py.File]:
        """An HDF5 file that is made in memory, then written whole or not at all.

        On a full disk HDF5's own writing ends in errors without a cause, at close and after it.

        Raises:
            UserError: on a full disk, saying how much room is missing.
        """
        memory = io.BytesIO()
        with h5py.File(memory, "w") as file:
            yield file
        try:
            with atomic_path(path) as temporary:
                temporary.write_bytes(memory.getbuffer())
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            size, free = memory.getbuffer().nbytes, shutil.disk_usage(self.folder).free
            raise UserError(
                f"{path}: could not be written ({os.strerror(error.errno)}): it takes {_megabytes(size)}, "
                f"{_megabytes(free)} are free there. {self._kept()} Make room and start the training again"
            ) from error

    def _kept(self) -> str:
        kept = self.last_snapshot()
        return f"The last whole snapshot is {kept}, and training goes on behind it." if kept else ""

    def last_snapshot(self) -> Path | None:
        """The newest whole snapshot."""
        return max(
            self.folder.glob("epoch_*.h5"), key=lambda path: int(path.stem.split("_")[1]), default=None
        )


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"


def _write_arrays(file: h5py.File, name: str, arrays: list[np.ndarray]) -> None:
    group = file.create_group(name)
    group.attrs["count"] = len(arrays)
    for index, array in enumerate(arrays):
        group[str(index)] = array


def _read_arrays(group: h5py.Group) -> list[np.ndarray]:
    return [group[str(index)][()] for index in range(int(group.attrs["count"]))]
