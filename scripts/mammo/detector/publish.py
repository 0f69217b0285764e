"""From a training's state to the snapshot that everybody names. Needs no TensorFlow."""

from __future__ import annotations

from pathlib import Path

from mammo.detector.state import Snapshot
from mammo.errors import UserError
from mammo.files import publish_file, sha256_file
from mammo.tables.csvio import read_table


def publish_snapshot(manifest: Path, state: Path, epoch: int, out: Path, ema: bool = False) -> None:
    """Put the snapshot of `epoch` at `out`: a hard link where the file system allows one, a copy elsewhere.

    `ema`: the snapshot of the running mean of the weights instead.

    Raises:
        UserError: if the manifest has no such epoch or no running mean, or the file is not the one that it names.
    """
    rows = {row.epoch: row for row in read_table(manifest, Snapshot)}
    if epoch not in rows:
        raise UserError(_no_such_epoch(manifest, epoch, list(rows)))
    name, digest = (
        (rows[epoch].ema_file, rows[epoch].ema_sha256) if ema else (rows[epoch].file, rows[epoch].sha256)
    )
    if not name:
        raise UserError(
            f"{manifest}: has no running mean of epoch {epoch}; set train.ema_decay, or name no <experiment>-ema"
        )
    source = state / name
    if not source.is_file():
        raise UserError(
            f"{source}: the snapshot of epoch {epoch} is gone; remove {manifest} to train it again"
        )
    found = sha256_file(source)
    if found != digest:
        raise UserError(
            f"{source}: its SHA-256 is {found}, {manifest} says {digest}; remove {manifest} to train again"
        )
    publish_file(source, out)


def _no_such_epoch(manifest: Path, epoch: int, there_are: list[int]) -> str:
    if there_are and epoch > max(there_are):
        return (
            f"{manifest}: has no epoch {epoch}: the training stopped early, after epoch {max(there_are)}. Name a "
            "snapshot up to that one (ensembles.*.members.names, experiments.*.averages), or raise "
            "train.early_stopping.patience or min_epochs"
        )
    return f"{manifest}: has no epoch {epoch}; there are {', '.join(map(str, there_are)) or 'none'}"
