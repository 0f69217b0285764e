"""The arguments that name tables: NAME=path, or a path in a folder that bears the name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mammo.errors import UserError
from mammo.metrics.films import Film, join_films
from mammo.metrics.froc import operating_threshold
from mammo.settings import EvaluationSettings
from mammo.tables.csvio import read_table
from mammo.tables.detections import read_detections
from mammo.tables.records import Image, Lesion


@dataclass(frozen=True)
class SetFiles:
    """The three tables behind one row: a test set, and what a model found on it."""

    name: str
    images: str
    lesions: str
    detections: str

    @property
    def paths(self) -> list[str]:
        """The files, in the order in which they enter a run's identity."""
        return [self.images, self.lesions, self.detections]

    def films(self) -> list[Film]:
        """Read and join the tables. Raises `UserError`."""
        return join_films(
            read_table(self.images, Image),
            read_table(self.lesions, Lesion),
            read_detections(self.detections),
        )


def parse_set(text: str) -> SetFiles:
    """NAME=images.csv,lesions.csv,detections.csv. Raises `UserError`."""
    name, _, paths = text.partition("=")
    files = paths.split(",")
    if not name or len(files) != 3 or not all(files):
        raise UserError(f"a test set is given as NAME=images.csv,lesions.csv,detections.csv, found {text!r}")
    return SetFiles(name, *files)


def threshold_of(validation: SetFiles, settings: EvaluationSettings) -> float | None:
    """Score threshold of the operating point, from a model's validation set; None where no patient was kept apart.

    Raises `UserError` as `SetFiles.films` does.
    """
    images, lesions = read_table(validation.images, Image), read_table(validation.lesions, Lesion)
    if not images:
        return None
    films = join_films(images, lesions, read_detections(validation.detections))
    return operating_threshold(films, settings.froc_hit_rule, settings.operating_fppi)


def read_models(
    images: str, lesions: str, ensemble: str, members: Sequence[str]
) -> tuple[list[Film], dict[str, list[Film]]]:
    """A test set with what an ensemble found on it, and by name with what each member did.

    `ensemble`: its table of detections; `members` as `parse_members` takes them. Raises `UserError`.
    """
    rows = read_table(images, Image), read_table(lesions, Lesion)
    found = {name: join_films(*rows, read_detections(path)) for name, path in parse_members(members).items()}
    return join_films(*rows, read_detections(ensemble)), found


def parse_members(texts: Sequence[str]) -> dict[str, str]:
    """NAME=detections.csv, or <NAME>/<test set>.csv, which is where the workflow keeps a snapshot's detections.

    Returns paths by name, sorted by name. Raises `UserError` for a name that stands twice.
    """
    members: dict[str, str] = {}
    for text in texts:
        name, equals, path = text.partition("=")
        if not equals:
            name, path = Path(text).parent.name, text
        if not name or not path:
            raise UserError(
                f"a member is given as NAME=detections.csv or NAME/detections.csv, found {text!r}"
            )
        if name in members:
            raise UserError(f"the member {name} is given twice, as {members[name]} and as {path}")
        members[name] = path
    return dict(sorted(members.items()))
