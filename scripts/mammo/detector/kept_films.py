"""Films at network size that outlive the job that made them.

Snakemake deletes a job's outputs when it starts, and it starts a job also where the films behind it came out the same
(a change that came through several checkpoints), or where only a lesion's type in their table changed. So the pixels
have a second name in a folder that no rule declares, with a key of all that they were made of.
"""

from __future__ import annotations

import os
from pathlib import Path

from mammo.detector.network_films import PIXELS, NetworkFilm, NetworkFilms, write_network_films
from mammo.errors import UserError
from mammo.files import canonical_json, publish_file, sha256_bytes, write_text_atomic
from mammo.settings import SideSettings
from mammo.tables.csvio import read_table
from mammo.tables.records import Image


def network_films(
    images: Path, sides: SideSettings, bits: int, index: Path, kept: Path, code: str
) -> tuple[list[NetworkFilm], bool]:
    """`write_network_films`, unless `kept` holds what it would write: then that, and no film is read.

    Args:
        kept: folder that no rule declares; it gets a second name of what is written (a hard link), no copy.
        code: fingerprint of the code; another one makes the films anew.

    Returns:
        The films, and whether they were there already.

    Raises:
        UserError: as `write_network_films`. What is kept and damaged is made again.
    """
    store, mark = kept / index.name, kept / f"{index.stem}.key"
    key = _key(images, sides, bits, code)
    rows = _sound(store) if mark.is_file() and mark.read_text(encoding="utf-8") == key else None
    if rows is not None:
        for suffix in (PIXELS, ".csv"):
            publish_file(store.with_suffix(suffix), index.with_suffix(suffix))
        return rows, True
    mark.unlink(missing_ok=True)
    rows = write_network_films(images, sides, bits, index)
    if all(_second_name(index.with_suffix(suffix), store.with_suffix(suffix)) for suffix in (PIXELS, ".csv")):
        write_text_atomic(mark, key)
    return rows, False


def _sound(index: Path) -> list[NetworkFilm] | None:
    """The films of an index, after a look at the digest of each; None where one is not as it should be."""
    try:
        films = NetworkFilms(index)
        for position in range(len(films)):
            films.read(position)
    except UserError:
        return None
    return films.rows


def _key(images: Path, sides: SideSettings, bits: int, code: str) -> str:
    """Digest of what decides the pixels: the films by the digests of their files, size and code."""
    rows = sorted(
        (row.image_id, row.path, row.width, row.height, row.sha256) for row in read_table(images, Image)
    )
    return sha256_bytes(canonical_json([code, sides.min, sides.max, bits, rows]).encode())


def _second_name(path: Path, other: Path) -> bool:
    """A hard link at `other`; without one where the file system has none, since a copy would be gigabytes."""
    other.parent.mkdir(parents=True, exist_ok=True)
    other.unlink(missing_ok=True)
    try:
        os.link(path, other)
    except OSError:
        return False
    return True
