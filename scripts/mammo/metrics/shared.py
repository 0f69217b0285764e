"""The films on which an ensemble may be judged before any test: those that no member was trained on.

Each experiment keeps patients apart for validation. A film that another member was trained on would choose in favour of
that member, so an ensemble's validation set is what the validation sets of all its members have in common.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path

from mammo.errors import UserError
from mammo.fusion.fuse import Looked
from mammo.metrics.films import Film, join_films
from mammo.metrics.inputs import parse_members
from mammo.settings import mirrored_name
from mammo.tables.csvio import read_table
from mammo.tables.detections import DetectionColumns, read_detections
from mammo.tables.records import Image, Lesion


@dataclass(frozen=True)
class SharedFilms:
    """Films and their lesions, sorted by name; perhaps none."""

    images: list[Image]
    lesions: list[Lesion]

    @property
    def ids(self) -> frozenset[str]:
        """Names of the films."""
        return frozenset(image.image_id for image in self.images)

    def films(self, detections: DetectionColumns) -> list[Film]:
        """The films with what was found on them. Raises `UserError` as `join_films` does."""
        return join_films(self.images, self.lesions, detections)


def shared_films(tables: Sequence[tuple[Path, Path]]) -> SharedFilms:
    """Films that stand in every validation set, from each set's images and lesions; none where there is no set.

    Sets may be made of different parts of one dataset, and one may leave out a kind of lesion: a lesion of a shared
    film counts where any set has it.
    """
    sets = [{image.image_id: image for image in read_table(images, Image)} for images, _ in tables]
    ids = set.intersection(*map(set, sets)) if sets else set()
    lesions = {
        (lesion.image_id, lesion.lesion_id): lesion
        for _, path in tables
        for lesion in read_table(path, Lesion)
        if lesion.image_id in ids
    }
    return SharedFilms([sets[0][name] for name in sorted(ids)], [lesions[key] for key in sorted(lesions)])


def parse_validation(paths: Sequence[str]) -> list[tuple[Path, Path]]:
    """The images and lesions of validation sets, from images.csv lesions.csv images.csv …. Raises `UserError`."""
    if len(paths) % 2:
        raise UserError(
            f"validation sets are given as pairs of images.csv and lesions.csv, found {len(paths)} files"
        )
    return [(Path(images), Path(lesions)) for images, lesions in zip(paths[::2], paths[1::2], strict=True)]


def need_films(shared: SharedFilms, names: Sequence[str]) -> None:
    """Raises `UserError` where there is no shared film, naming the snapshots that have none in common."""
    if not shared.images:
        models = sorted({name.rpartition("_")[0] for name in names})
        raise UserError(
            f"no film stands in the validation sets of all of {', '.join(models)}, and a film that one of them was "
            "trained on may not choose: take experiments of one train set, or name the members and write the settings "
            "of fusion"
        )


def on_films(detections: DetectionColumns, ids: frozenset[str]) -> DetectionColumns:
    """Those of the detections that lie on the films named."""
    kept = [name in ids for name in detections.image_ids]
    if all(kept):
        return detections
    return DetectionColumns(
        list(compress(detections.image_ids, kept)),
        detections.boxes[kept],
        detections.scores[kept],
        list(compress(detections.labels, kept)),
    )


def read_look(path: str, weight: float, shared: SharedFilms) -> Looked:
    """What one member found on the shared films, from its table of detections. Raises `UserError`."""
    return Looked(shared.ids, on_films(read_detections(path), shared.ids), weight)


def read_looks(
    paths: Mapping[str, str], weights: Mapping[str, float], shared: SharedFilms
) -> dict[str, list[Looked]]:
    """By snapshot what it found on the shared films and, where the paths hold its look at mirror images, that too.

    Args:
        paths: tables of detections by snapshot, as `parse_members` gives them.
        weights: of each snapshot that is wanted; a look at mirror images weighs the same.

    Raises:
        UserError: for a snapshot without a table.
    """
    for name in weights:
        if name not in paths:
            raise UserError(
                f"{name} comes without its detections on validation; give <snapshot>/validation.csv"
            )
    return {
        name: [
            read_look(paths[look], weight, shared) for look in (name, mirrored_name(name)) if look in paths
        ]
        for name, weight in weights.items()
    }


def read_shared_looks(
    detections: Sequence[str], validation: Sequence[str], weights: Mapping[str, float]
) -> tuple[SharedFilms, dict[str, list[Looked]]]:
    """The films that snapshots share, and their looks at them (`read_looks`).

    `detections` as `parse_members` takes them, `validation` as `parse_validation`. Raises `UserError` as those do, and
    where the snapshots share no film.
    """
    shared = shared_films(parse_validation(validation))
    need_films(shared, list(weights))
    return shared, read_looks(parse_members(detections), weights, shared)
