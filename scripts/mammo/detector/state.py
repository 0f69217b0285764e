"""What a training leaves on disk after each epoch, so that it survives a kill and goes on bit for bit.

`<state>/<key>/epoch_NN.h5` are the snapshots, `resume.h5` everything to go on from the last whole epoch, `key.json`
what the key stands for. The key is a digest of settings, code and data without the number of epochs: training for
longer goes on from what there is; anything else that changes begins a folder of its own; old folders are left alone.

Order matters: an epoch's snapshot is on disk before `resume.h5` names it, and `resume.h5` is replaced in one step.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from pydantic import ValidationError

from mammo.files import atomic_path, canonical_json, sha256_bytes, sha256_file, write_text_atomic
from mammo.settings import ExperimentSettings
from mammo.tables.records import Row, Sha256, Text


class Epoch(Row):
    """One row of a training's history; mean losses over the epoch's steps."""

    epoch: int
    loss: float
    regression_loss: float
    classification_loss: float
    learning_rate: float


class Snapshot(Row):
    """One row of snapshots.csv: the snapshot of an epoch, and beside it the running mean's, where there is one."""

    epoch: int
    file: Text
    sha256: Sha256
    loss: float
    regression_loss: float
    classification_loss: float
    learning_rate: float
    ema_file: str = ""
    ema_sha256: Sha256 | None = None


def state_key(settings: ExperimentSettings, code: str, data: dict[str, str]) -> tuple[str, str]:
    """Digest and canonical JSON of all that decides a training's numbers.

    Left out: the number of epochs (but not the length of a cosine), the test sets, what detection does, and the
    names of the train set and of weight files, for which their contents stand in `data`.
    """
    parts = settings.model_dump(
        mode="json", include={"model", "weights", "sides", "augmentation", "losses", "train"}
    )
    if settings.train.schedule.kind == "cosine" and settings.train.schedule.over_epochs is None:
        parts["train"]["schedule"]["over_epochs"] = settings.train.epochs
    del parts["train"]["epochs"], parts["weights"]["path"]
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
            yield

    def snapshot_path(self, epoch: int) -> Path:
        """Where the snapshot of an epoch, from 1, lies."""
        return self.folder / f"epoch_{epoch:02d}.h5"

    def save_epoch(self, model: Any, optimizer: Any, history: list[Snapshot], epoch: Epoch) -> Snapshot:
        """Write the epoch's snapshot, then the state to go on from it; returns the snapshot's row."""
        path = self.snapshot_path(epoch.epoch)
        with atomic_path(path) as temporary:
            model.save(temporary, include_optimizer=False, save_format="h5")
        row = Snapshot(file=f"{self.folder.name}/{path.name}", sha256=sha256_file(path), **vars(epoch))
        with atomic_path(self.folder / "resume.h5") as temporary, h5py.File(temporary, "w") as file:
            file["history"] = json.dumps([vars(past) for past in [*history, row]])
            _write_arrays(file, "weights", model.get_weights())
            _write_arrays(file, "optimizer", [variable.numpy() for variable in _variables(optimizer)])
        return row

    def restore(self, model: Any, optimizer: Any, say: Callable[[str], None]) -> list[Snapshot]:
        """Bring model and optimizer to the last whole epoch; returns the rows of all epochs so far."""
        path = self.folder / "resume.h5"
        if not path.is_file():
            return []
        try:
            with h5py.File(path, "r") as file:
                history = [Snapshot.model_validate(row) for row in json.loads(file["history"][()])]
                weights, moments = _read_arrays(file["weights"]), _read_arrays(file["optimizer"])
        except (OSError, KeyError, ValueError, ValidationError) as error:
            say(f"{path} cannot be read ({error}); training begins anew")
            return []
        for row in history:
            snapshot = self.snapshot_path(row.epoch)
            if not snapshot.is_file() or sha256_file(snapshot) != row.sha256:
                say(f"{snapshot} is gone or is not what was written; training begins anew")
                return []
        model.set_weights(weights)
        for variable, value in zip(_variables(optimizer), moments, strict=True):
            variable.assign(value)
        return history


def _variables(optimizer: Any) -> list[Any]:
    """The step counter, the rate and the moments: all that Keras's optimizer remembers."""
    variables = optimizer.variables
    return list(variables() if callable(variables) else variables)


def _write_arrays(file: h5py.File, name: str, arrays: list[np.ndarray]) -> None:
    group = file.create_group(name)
    group.attrs["count"] = len(arrays)
    for index, array in enumerate(arrays):
        group[str(index)] = array


def _read_arrays(group: h5py.Group) -> list[np.ndarray]:
    return [group[str(index)][()] for index in range(int(group.attrs["count"]))]
