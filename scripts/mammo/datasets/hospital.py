"""A hospital's delivery in any folders: DICOM films, annotated in any of the forms that workstations write.

Patients and studies are those of the headers, as digests: a hospital's numbers never reach a table.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path

from mammo.datasets.base import Item, patient_id, unique_names
from mammo.datasets.delivered import (
    DeliveredFilm,
    delivered_digests,
    delivered_films,
)
from mammo.datasets.pairing import companion_records
from mammo.files import sha256_bytes
from mammo.settings import DatasetSettings
from mammo.tables.records import Reject

# What anonymisers write where the patient's number stood: it says nothing about who is who.
NOBODY = re.compile(r"^(|anon\w*|unknown|none|na|n/a|removed|0+|x+)$", re.IGNORECASE)


def index(root: Path, dataset: str, settings: DatasetSettings) -> tuple[list[Item], list[Reject]]:
    """The films of all deliveries of the config. Raises `UserError`."""
    films, rejects = delivered_films(root, dataset, settings)
    hashes = delivered_digests(films)
    names = unique_names(
        [film.name for film in films], [f"{film.delivery}/{film.below.as_posix()}" for film in films]
    )
    items = []
    for film, name in zip(films, names, strict=True):
        group = settings.deliveries[film.delivery].group
        items.append(
            Item(
                dataset=dataset,
                film_id=name,
                film=film.paired.path.relative_to(root.parent).as_posix(),
                sha256=hashes[film.paired.path],
                delivery=film.delivery,
                patient=patient_id(dataset, settings, _patient(film, settings)),
                study=_digest(film.paired.study) if film.paired.study else "",
                group=group,
                companions=companion_records(film.paired, hashes, root.parent) if group != "normal" else (),
            )
        )
    return items, rejects


def _patient(film: DeliveredFilm, settings: DatasetSettings) -> str:
    """By the pattern of the config, else the header's patient, else its study, else the folder."""
    if settings.patient_pattern:
        match = re.search(settings.patient_pattern, f"{film.delivery}/{film.below.as_posix()}")
        if match:
            return match.groupdict().get("patient") or match[1]
    if not NOBODY.match(film.paired.patient):
        return _pseudonym(film.paired.patient)
    return _digest(film.paired.study or f"{film.delivery}/{film.below.parent.as_posix()}")


@lru_cache(maxsize=65536)
def _pseudonym(number: str) -> str:
    """A name for a patient's number; scrypt, because trying all numbers of a hospital must take years."""
    raw = number.encode("utf-8", "surrogateescape")
    return hashlib.scrypt(raw, salt=b"mammo.patient", n=2**13, r=8, p=1, dklen=6).hex()


def _digest(text: str) -> str:
    return sha256_bytes(text.encode("utf-8", "surrogateescape"))[:12]
