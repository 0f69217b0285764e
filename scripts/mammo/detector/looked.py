"""What a snapshot found on a set of films, kept where Snakemake deletes nothing. Needs no TensorFlow.

Snakemake deletes a job's outputs before it starts. One job looks at all test sets of a snapshot, so that the network is
loaded once; what it found on each set lies here, by a key of all that it depends on. Another test set, or a job
that was killed, then costs no second look at the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mammo.errors import UserError
from mammo.files import canonical_json, publish_file, sha256_bytes, sha256_file
from mammo.settings import ExperimentSettings
from mammo.tables.csvio import write_table
from mammo.tables.records import Detection

KEPT = 24  # tables of one snapshot; beyond that the longest unused goes


class Looked:
    """A folder of tables of detections of one snapshot, by their keys."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, key: str) -> Path:
        """Where the table of a key lies, if it is there."""
        return self._folder / f"{key}.csv"

    def has(self, key: str) -> bool:
        """Whether the look was taken already."""
        return self.path(key).is_file()

    def keep(self, key: str, found: Iterable[Detection]) -> None:
        """Store what was found, whole or not at all."""
        write_table(self.path(key), Detection, found)

    def publish(self, key: str, out: Path) -> None:
        """Put a stored table at `out`; both are one file where the file system allows it."""
        publish_file(self.path(key), out)

    def forget_oldest(self, but: Iterable[str]) -> None:
        """Remove the longest unused tables beyond the bound, never those of the keys `but`."""
        spared = {self.path(key) for key in but}
        tables = [(path.stat().st_mtime_ns, path) for path in self._folder.glob("[!.]*.csv")]
        for _, path in sorted(tables, reverse=True)[KEPT:]:
            if path not in spared:
                path.unlink(missing_ok=True)


def look_keys(
    snapshot: Path, sets: dict[str, Path], classes: Path, settings: ExperimentSettings, code: str
) -> dict[str, str]:
    """The key of each set by its name: a digest of snapshot, films, classes, network, settings of detection and code.

    Args:
        sets: by name the index of a set's films at network size, which holds the digest of each film.
    """
    part = settings.model_dump(mode="json", include={"model", "bits", "detect"})
    common = [sha256_file(snapshot), sha256_file(classes), part, code]
    return {
        name: sha256_bytes(canonical_json([*common, sha256_file(index)]).encode())[:32]
        for name, index in sets.items()
    }


def parse_sets(texts: Iterable[str]) -> dict[str, Path]:
    """NAME=index.csv of each set, as paths by name. Raises `UserError`."""
    sets: dict[str, Path] = {}
    for text in texts:
        name, _, path = text.partition("=")
        if not name or not path or name in sets:
            raise UserError(f"a set is given once, as NAME=index.csv, found {text!r}")
        sets[name] = Path(path)
    return sets
