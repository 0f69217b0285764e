"""NCC: the hospital's deliveries, anonymised DICOM with a JPEG of the same name in which the lesion is outlined.

Below `dicom/<delivery>/` stands either `<letters>/<case>/<n>.dcm`, where the letters name the kinds of lesion, or
the flat `<id>_0001.dcm`; normals are `normal/<case>/<n>.dcm` or `20180130_NORMAL_<n>.dcm`.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePath

from mammo.datasets.base import Item, patient_id, unique_names
from mammo.datasets.delivered import (
    DeliveredFilm,
    delivered_digests,
    delivered_films,
)
from mammo.datasets.pairing import companion_records
from mammo.errors import UserError
from mammo.settings import DatasetSettings
from mammo.tables.records import Reject

_NORMAL = re.compile(r"(NORMAL_\d+)$", re.IGNORECASE)


def case_of(below: PurePath) -> str:
    """The case's folder, or what stands before the number in a flat file's name."""
    if len(below.parts) > 1:
        return below.parts[-2]
    normal = _NORMAL.search(below.stem)
    if normal:
        return normal[1].upper()
    return below.stem.rpartition("_")[0] or below.stem


def index(root: Path, dataset: str, settings: DatasetSettings) -> tuple[list[Item], list[Reject]]:
    """The films of all deliveries of the config. Raises `UserError`."""
    films, rejects = delivered_films(root, dataset, settings)
    hashes = delivered_digests(films)
    names = unique_names(
        [film.name for film in films], [f"{film.delivery}/{film.below.as_posix()}" for film in films]
    )
    items = []
    for film, name in zip(films, names, strict=True):
        group, case = settings.deliveries[film.delivery].group, case_of(film.below)
        annotated = group != "normal"
        items.append(
            Item(
                dataset=dataset,
                film_id=name,
                film=film.paired.path.relative_to(root.parent).as_posix(),
                sha256=hashes[film.paired.path],
                delivery=film.delivery,
                patient=patient_id(dataset, settings, case),
                study=f"{film.delivery}.{case}",
                group=group,
                lesion_types=_lesion_types(film, dataset, settings) if annotated else (),
                companions=companion_records(film.paired, hashes, root.parent) if annotated else (),
            )
        )
    return items, rejects


def _lesion_types(film: DeliveredFilm, dataset: str, settings: DatasetSettings) -> tuple[str, ...]:
    """What the letters of the film's folder mean; nothing in flat deliveries. Raises `UserError` for others."""
    folder = film.below.parts[0] if len(film.below.parts) > 2 else ""
    letters = [letter for letter in folder if letter.isalnum()]
    for letter in letters:
        if letter not in settings.letters:
            known = ", ".join(sorted(settings.letters)) or "none"
            raise UserError(
                f"{film.paired.path}: folder '{folder}': the letter '{letter}' has no meaning; add it to "
                f"datasets.{dataset}.letters (there: {known})"
            )
    return tuple(sorted({settings.letters[letter] for letter in letters}))
