"""What lies in the raw folders at this moment: the archives of a delivery, the state of a tree of files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from mammo.errors import UserError
from mammo.settings import FORMATS, DatasetSettings

ARCHIVE_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


def raw_folders(root: Path, settings: DatasetSettings) -> list[Path]:
    """The raw folders of a dataset. Raises `UserError` for one that is missing."""
    folders = [root / name for name in FORMATS[settings.format].raw]
    for folder in folders:
        if not folder.is_dir():
            raise UserError(
                f"datasets.{root.name}: the raw folder {folder} does not exist. Put the {settings.format} "
                "delivery there, set data_dir in config.yaml, or take the dataset out of the config"
            )
    return folders


def tree_digest(folders: list[Path]) -> str:
    """Digest of the names, sizes and modification times of all files below some folders: cheap, reads no content.

    A link counts as the file it leads to, as it does for those who read it; one that leads nowhere as itself.
    """
    digest = hashlib.sha256()
    for folder in folders:
        for path, status in sorted(_files(folder)):
            digest.update(
                f"{folder.name}\0{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode(
                    "utf-8", "surrogateescape"
                )
            )
    return digest.hexdigest()[:16]


def _files(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            yield os.path.relpath(path, folder), os.stat(path, follow_symlinks=os.path.exists(path))


def archives_of(root: Path, delivery: str, settings: DatasetSettings) -> list[str]:
    """The archives of a delivery, sorted. Raises `UserError` for one that is missing."""
    (folder,) = raw_folders(root, settings)
    named = settings.deliveries[delivery].tars
    found = [folder / name for name in named or (delivery + suffix for suffix in ARCHIVE_SUFFIXES)]
    present = [str(path) for path in found if path.is_file()]
    if not present or (named and len(present) < len(named)):
        missing = ", ".join(path.name for path in found if not path.is_file())
        raise UserError(
            f"datasets.{root.name}.deliveries.{delivery}: no archive in {folder} (looked for {missing}). Put it there, "
            "name it under tars, or take the delivery out of the config"
        )
    return present
