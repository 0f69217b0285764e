"""The rows of CBIS-DDSM's description tables, and what is wrong with each."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from mammo.datasets.base import LabelledLesion, need_folder, raw_files
from mammo.datasets.labels import LabelRow, breast_density, cell_fault, read_labels, shortened
from mammo.errors import UserError
from mammo.tables.records import Density

FILM, CROP, MASK = "image file path", "cropped image file path", "roi mask file path"
COLUMNS = (
    "patient id", "left or right breast", "image view", "abnormality id", "abnormality type", "pathology",
    FILM, CROP, MASK,
)  # fmt: skip
PATHOLOGIES = {"MALIGNANT": "malignant", "BENIGN": "benign", "BENIGN_WITHOUT_CALLBACK": "benign"}
SIDES = {"LEFT": "L", "RIGHT": "R"}
VIEWS = ("CC", "MLO")
TYPES = ("mass", "calcification")
# A film listed in several tables is named after the first: testing before training, so that it does not slip from the
# official test sets into the training sets.
DELIVERIES = ("mass_test", "calc_test", "mass_train", "calc_train")
WAY_OUT = "put the description CSVs into csv/ and the collection's DICOM files into dicom/"
_TABLE = re.compile(r"^(mass|calc).*_(train|test)", re.IGNORECASE)
# Mass-Training_P_00001_LEFT_CC of a film; with _1 behind it of a lesion.
_SUBJECT = re.compile(r"^[^/]*_(P_\d+)_(LEFT|RIGHT)_(CC|MLO)(?:_\d+)?\s*/", re.IGNORECASE)
_UID = re.compile(r"[0-9.]{1,64}")


@dataclass(frozen=True)
class Row:
    """One row of a table: a lesion, and where its files are said to be.

    `fault` says what of it makes no sense; fields that do not are empty then.
    """

    table: str
    line: int
    delivery: str
    patient: str
    laterality: str
    view: str
    lesion: LabelledLesion
    subject: str
    film_series: str
    lesion_series: tuple[str, ...]
    film_path: str
    fault: str = ""
    # Two rows that differ in this alone are one lesion all the same.
    density: Density = field(default="", compare=False)

    @property
    def place(self) -> str:
        """Table and line, for reasons."""
        return f"{self.table}, line {self.line}"

    def may_be_of(self, other: Row) -> bool:
        """Whether both can be of one patient, side and view; what a row does not say fits to everything."""
        pairs = ((self.patient, other.patient), (self.laterality, other.laterality), (self.view, other.view))
        return all(mine == theirs or not mine or not theirs for mine, theirs in pairs)


def read_rows(folder: Path) -> list[Row]:
    """All rows of the description tables in `folder`, those with a fault too.

    What is wrong with one row is the row's `fault`. Raises `UserError` for what is wrong with a table: none there, a
    column missing, no row in any, or a row that names neither its film nor its patient, whose lesion could be on any
    of the films.
    """
    need_folder(folder, WAY_OUT)
    tables = {path: match for path in raw_files(folder) if (match := _TABLE.match(path.name))}
    if not tables:
        raise UserError(f"{folder}: no description CSV (mass_case_description_train_set.csv, …); {WAY_OUT}")
    rows = []
    for path, match in tables.items():
        delivery = f"{match[1]}_{match[2]}".lower()
        rows += [_row(row, path.name, delivery) for row in read_labels(path, COLUMNS, torn=True)]
    if not rows:
        raise UserError(f"{folder}: the description CSVs hold no row; download them again")
    return rows


def _row(row: LabelRow, table: str, delivery: str) -> Row:
    faults = [row.torn] if row.torn else _faults(row)
    film, crop, mask = (_parts(row[column]) for column in (FILM, CROP, MASK))
    kind, number = row["abnormality type"].lower(), row["abnormality id"]
    patient, side, view = _film_of(row)
    read = Row(
        table=table,
        line=row.line,
        delivery=delivery,
        patient=patient,
        laterality=side,
        view=view,
        lesion=LabelledLesion(
            lesion_id=f"{kind}-{int(number):02d}" if _is_number(number) else kind,
            lesion_type=kind,
            pathology=PATHOLOGIES.get(row["pathology"].upper(), ""),
            companions=(),
        ),
        subject=film[0],
        film_series=film[1],
        lesion_series=tuple(sorted({series for _, series in (mask, crop) if series})),
        film_path=shortened(row[FILM], 300),
        fault="; ".join(faults),
        density=breast_density(row.cells.get("breast density", "")),
    )
    if not read.film_series and not read.patient:
        raise UserError(
            f"{row.where}: {read.fault}; the row names neither its film nor its patient, so its lesion could be on "
            "any film. Mend the row, or download the table again"
        )
    return read


def _faults(row: LabelRow) -> list[str]:
    """What makes no sense, cell by cell."""
    checks = (
        ("patient id", bool(row["patient id"]), "a patient"),
        ("left or right breast", row["left or right breast"].upper() in SIDES, " or ".join(SIDES)),
        ("image view", row["image view"].upper() in VIEWS, " or ".join(VIEWS)),
        ("abnormality id", _is_number(row["abnormality id"]), "a whole number"),
        ("abnormality type", row["abnormality type"].lower() in TYPES, " or ".join(TYPES)),
        ("pathology", row["pathology"].upper() in PATHOLOGIES, ", ".join(PATHOLOGIES)),
        *((path, bool(_parts(row[path])[1]), "<subject>/<study UID>/<series UID>/<file>")
          for path in (FILM, CROP, MASK)),
    )  # fmt: skip
    return [cell_fault(row, column, expected) for column, good, expected in checks if not good]


def _film_of(row: LabelRow) -> tuple[str, str, str]:
    """Patient, side and view; where their cells are bad, what the subject folders of the paths say, or nothing."""
    side, view = SIDES.get(row["left or right breast"].upper(), ""), row["image view"].upper()
    found = [row["patient id"], side, view if view in VIEWS else ""]
    for match in (_SUBJECT.match(row[column]) for column in (FILM, CROP, MASK)):
        if match:
            said = (match[1], SIDES[match[2].upper()], match[3].upper())
            found = [cell or word for cell, word in zip(found, said, strict=True)]
    return found[0], found[1], found[2]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 4


def _parts(path: str) -> tuple[str, str]:
    """Subject folder and SeriesInstanceUID of a path; both empty where it has no UID in third place.

    The UID is the only part of such a path that can be relied on.
    """
    parts = [part.strip() for part in path.split("/")]
    return (parts[0], parts[2]) if len(parts) >= 3 and _UID.fullmatch(parts[2]) else ("", "")
