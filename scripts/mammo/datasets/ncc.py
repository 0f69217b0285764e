"""NCC: the hospital's deliveries, anonymised DICOM with a JPEG of the same name in which the lesion is outlined.

Below `dicom/<delivery>/` stands either `<letters>/<case>/<n>.dcm`, where the letters name the kinds of lesion, or
the flat `<id>_0001.dcm`; normals are `normal/<case>/<n>.dcm` or `20180130_NORMAL_<n>.dcm`.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePath

from mammo.datasets.base import Item
from mammo.datasets.delivered import DeliveredFilm, Known, delivered_items
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

    def known(film: DeliveredFilm) -> Known:
        case = case_of(film.below)
        annotated = settings.deliveries[film.delivery].group != "normal"
        types = _lesion_types(film, dataset, settings) if annotated else ()
        return Known(case, f"{film.delivery}.{case}", types)

    return delivered_items(root, dataset, settings, known)


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
