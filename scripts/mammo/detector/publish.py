"""From a training's state to the snapshot that everybody names. Needs no TensorFlow."""

from __future__ import annotations

from pathlib import Path

from mammo.detector.state import Snapshot
from mammo.errors import UserError
from mammo.files import publish_file, sha256_file
from mammo.tables.csvio import read_table


def publish_snapshot(manifest: Path, state: Path, epoch: int, out: Path) -> None:
    """Put the snapshot of `epoch` at `out`: a hard link where the file system allows one, a copy elsewhere.

    Raises:
        UserError: if the manifest has no such epoch, or the file is not the one that the manifest names.
    """
    rows = {row.epoch: row for row in read_table(manifest, Snapshot)}
    if epoch not in rows:
        raise UserError(f"{manifest}: has no epoch {epoch}; there are {', '.join(map(str, rows)) or 'none'}")
    source = state / rows[epoch].file
    if not source.is_file():
        raise UserError(
            f"{source}: the snapshot of epoch {epoch} is gone; remove {manifest} to train it again"
        )
    found = sha256_file(source)
    if found != rows[epoch].sha256:
        raise UserError(
            f"{source}: its SHA-256 is {found}, {manifest} says {rows[epoch].sha256}; remove {manifest} to train again"
        )
    publish_file(source, out)
