"""The pieces of a delivery: jobs that make files, and where their files go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mammo.phantom.truth import Result

Job = Callable[[], Result]


@dataclass(frozen=True)
class FolderPart:
    """Files laid down under `folder` (relative to the data folder). `dataset` names the folder of the
    truth.
    """

    dataset: str
    folder: str
    jobs: tuple[Job, ...]


@dataclass(frozen=True)
class TarPart:
    """Files packed, in the order of the jobs, into one tar at `path` (relative to the data folder; .gz
    compresses).
    """

    dataset: str
    path: str
    jobs: tuple[Job, ...]


Part = FolderPart | TarPart
