"""What the tests of annotation objects share: a small film on disk, and the evidence of files beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from mammo.annotations.finding import Evidence
from mammo.phantom.annotation_objects import FilmName, film_name
from mammo.phantom.dicomfile import MAMMO_FOR_PRESENTATION, elements, encode, set_pixels
from mammo.settings import AnnotationSettings, MarkSettings


@dataclass(frozen=True)
class FilmOnDisk:
    """A film of 240×320 pixels (width, height), and where to write what refers to it."""

    path: Path
    name: FilmName

    def evidence(self, role: str, *files: bytes, suffix: str = ".dcm", frame: int = 0) -> Evidence:
        """The film with companion files of one role."""
        paths = []
        for number, data in enumerate(files):
            paths.append(self.path.parent / f"{role}{number}{suffix}")
            paths[-1].write_bytes(data)
        return Evidence(self.path, (self.name.width, self.name.height), frame, {role: paths})


@pytest.fixture
def film(tmp_path) -> FilmOnDisk:
    """A film with its SOPInstanceUID; tests that want planes in it write their own."""
    dataset = elements(Modality="MG")
    set_pixels(dataset, np.full((320, 240), 100, np.uint16), 12, "MONOCHROME2")
    path = tmp_path / "film.dcm"
    path.write_bytes(encode(dataset, MAMMO_FOR_PRESENTATION, "film"))
    return FilmOnDisk(path, film_name(240, 320, "film"))


@pytest.fixture
def settings() -> AnnotationSettings:
    """The defaults, for films a tenth as large as real ones."""
    return AnnotationSettings(marks=MarkSettings(min_side=10, close_gap=5))
