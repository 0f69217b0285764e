"""A hospital's delivery in any folders: DICOM films, annotated in any of the forms that workstations write.

Patients and studies are those of the headers, as digests: a hospital's numbers never reach a table.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path

from mammo.datasets.base import Item, patient_in_path
from mammo.datasets.delivered import DeliveredFilm, Known, delivered_items
from mammo.files import sha256_bytes
from mammo.settings import DatasetSettings
from mammo.tables.records import Reject

# What anonymisers write where the patient's number stood: it says nothing about who is who.
NOBODY = re.compile(r"^(|anon\w*|unknown|none|na|n/a|removed|0+|x+)$", re.IGNORECASE)


def index(root: Path, dataset: str, settings: DatasetSettings) -> tuple[list[Item], list[Reject]]:
    """The films of all deliveries of the config. Raises `UserError`."""

    def known(film: DeliveredFilm) -> Known:
        study = _digest(film.paired.study) if film.paired.study else ""
        return Known(_patient(film, settings), study)

    return delivered_items(root, dataset, settings, known)


def _patient(film: DeliveredFilm, settings: DatasetSettings) -> str:
    """By the pattern of the config, else the header's patient, else its study, else the folder."""
    pattern, path = settings.patient_pattern, f"{film.delivery}/{film.below.as_posix()}"
    named = patient_in_path(path, pattern) if pattern else ""
    if named:
        return named
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
