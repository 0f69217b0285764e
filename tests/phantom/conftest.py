"""One tiny delivery of everything, made once for the whole room."""

from __future__ import annotations

import csv
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from mammo.phantom import PhantomSettings, deliver


@dataclass(frozen=True)
class Delivered:
    """Where a delivery lies, and its tables of truth and archives read by plain means."""

    data: Path
    truth: Path

    def table(self, dataset: str, name: str) -> list[dict[str, str]]:
        with open(self.truth / dataset / f"{name}.csv", encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def members(self, path: str) -> dict[str, bytes]:
        """The files of a tar by name."""
        with tarfile.open(self.data / path) as archive:
            return {m.name: archive.extractfile(m).read() for m in archive.getmembers() if m.isfile()}

    def unpacked(self, dataset: str) -> dict[str, bytes]:
        """The files of all of a dataset's tars, by the path they have in the data folder once unpacked."""
        found = {}
        for tar in sorted((self.data / dataset / "tar").iterdir()):
            members = self.members(f"{dataset}/tar/{tar.name}")
            found |= {f"{dataset}/dicom/{name}": data for name, data in members.items()}
        return found


@pytest.fixture(scope="session")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Delivered:
    folder = tmp_path_factory.mktemp("phantoms")
    deliver(PhantomSettings.tiny(1), folder / "data", folder / "truth")
    return Delivered(folder / "data", folder / "truth")
