"""The index of a dataset: its films, cut into shards, and the files that are none."""

from __future__ import annotations

from pathlib import Path

from mammo.datasets.base import reject_order, shard_lines
from mammo.datasets.folders import atomic_folder
from mammo.datasets.formats import module_for
from mammo.datasets.multiframe import split_frames
from mammo.errors import UserError
from mammo.settings import DatasetSettings
from mammo.tables.csvio import write_table
from mammo.tables.records import Reject


def write_index(dataset: str, root: Path, settings: DatasetSettings, out: Path) -> tuple[int, int]:
    """Find a dataset's films and write `shard_00.jsonl` … and `rejects.csv` into `out`, all or none.

    Gives the numbers of films and of rejects. Raises `UserError` where there is no film at all.
    """
    items, rejects = module_for(settings.format).index(root, dataset, settings)
    items, of_many_frames = split_frames(items, root.parent, settings)
    rejects += of_many_frames
    if not items:
        raise UserError(
            f"{root}: no film of format {settings.format} was found; {len(rejects)} files were turned down"
            + "".join(f"; {row.source}: {row.reason}" for row in sorted(rejects, key=reject_order)[:3])
        )
    with atomic_folder(out) as folder:
        for number, text in enumerate(shard_lines(items, settings.shards)):
            (folder / f"shard_{number:02d}.jsonl").write_text(text, encoding="utf-8", newline="\n")
        write_table(folder / "rejects.csv", Reject, sorted(rejects, key=reject_order))
    return len(items), len(rejects)
