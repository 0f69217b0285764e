"""The index of a dataset: its films, cut into shards, and the files that are none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mammo.datasets.base import Item, reject_order, shard_lines
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
    items, rejects = _with_writable_names(items, rejects)
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


def _with_writable_names(items: Sequence[Item], rejects: Sequence[Reject]) -> tuple[list[Item], list[Reject]]:
    """The films whose paths a table can hold; a reject for each other one, its odd bytes written as `\\xNN`.

    Disks that were written in another encoding (CP949) give names that are no UTF-8.
    """
    kept, named = [], []
    for item in items:
        if all(_printable(path) == path for path in (item.film, *(one.path for one in item.companions))):
            kept.append(item)
        else:
            reason = "its name, or its annotation's, is not UTF-8: rename it"
            named.append(Reject(source=_printable(item.film), stage="index", reason=reason))
    return kept, [row.model_copy(update={"source": _printable(row.source)}) for row in rejects] + named


def _printable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
