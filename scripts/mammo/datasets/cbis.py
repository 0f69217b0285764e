"""CBIS-DDSM: four description tables, digitised films, a mask and a crop of each lesion.

Paths in the tables do not match what is on disk, whichever way it was downloaded: files are found by the
SeriesInstanceUID of their headers. Mask and crop lie in one series or two and are as often swapped as not: pixels
decide. Some films are listed twice, as Mass and as Calc: one is used, with the lesions of both.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mammo.annotations.mask import is_mask, mask_box
from mammo.datasets.base import (
    DUPLICATE,
    Companion,
    Item,
    LabelledLesion,
    digests,
    mapped,
    need_folder,
    patient_id,
    raw_files,
    unique_names,
)
from mammo.datasets.boxes import lesion_in_film
from mammo.datasets.labels import LabelRow, read_labels
from mammo.dicom.read import read_film, read_header, size, stored_pixels, tolerant
from mammo.dicom.unusable import Unusable
from mammo.errors import UserError
from mammo.files import sha256_bytes
from mammo.settings import DatasetSettings
from mammo.tables.records import Lesion, Reject

FILM, CROP, MASK = "image file path", "cropped image file path", "roi mask file path"
COLUMNS = (
    "patient id", "left or right breast", "image view", "abnormality id", "abnormality type", "pathology",
    FILM, CROP, MASK,
)  # fmt: skip
PATHOLOGIES = {"MALIGNANT": "malignant", "BENIGN": "benign", "BENIGN_WITHOUT_CALLBACK": "benign"}
SIDES = {"LEFT": "L", "RIGHT": "R"}
# A film listed in several tables is named after the first: testing before training, so that it does not slip from the
# official test sets into the training sets.
DELIVERIES = ("mass_test", "calc_test", "mass_train", "calc_train")
_TABLE = re.compile(r"^(mass|calc).*_(train|test)", re.IGNORECASE)
_WAY_OUT = "put the description CSVs into csv/ and the collection's DICOM files into dicom/"


@dataclass(frozen=True)
class _Row:
    """One row of a table, checked: a lesion and where its files are said to be."""

    delivery: str
    patient: str
    laterality: str
    view: str
    lesion: LabelledLesion
    subject: str
    film_series: str
    lesion_series: tuple[str, ...]
    film_path: str


@dataclass(frozen=True)
class _File:
    """A DICOM file on disk: its series; rows × columns of its image, 0 where its header is broken."""

    path: Path
    series: str
    area: int


@dataclass(frozen=True)
class _Film:
    """A film on disk and its rows."""

    path: Path
    rows: tuple[_Row, ...]

    @property
    def rank(self) -> tuple[int, str]:
        return (min(DELIVERIES.index(row.delivery) for row in self.rows), str(self.path))


def index(root: Path, dataset: str, settings: DatasetSettings) -> tuple[list[Item], list[Reject]]:
    """Films of all description tables with the candidates for their masks. Raises `UserError`."""
    rows = _read_rows(root / "csv")
    files = raw_files(need_folder(root / "dicom", _WAY_OUT))
    by_series: dict[str, list[_File]] = defaultdict(list)
    for file in mapped(_scan, files, "headers"):
        by_series[file.series].append(file)
    films, rejects = _films(rows, _with_paths(by_series, rows), root)
    films, twice = _merge_twins(films, root)
    return _items(films, by_series, root, dataset, settings), rejects + twice + _unlisted(
        rows, by_series, root
    )


# --- the tables ---------------------------------------------------------------------------------------------------


def _read_rows(folder: Path) -> list[_Row]:
    need_folder(folder, _WAY_OUT)
    tables = {path: match for path in raw_files(folder) if (match := _TABLE.match(path.name))}
    if not tables:
        raise UserError(f"{folder}: no description CSV (mass_case_description_train_set.csv, …); {_WAY_OUT}")
    rows = []
    for path, match in tables.items():
        delivery = f"{match[1]}_{match[2]}".lower()
        rows += [_row(row, delivery) for row in read_labels(path, COLUMNS)]
    if not rows:
        raise UserError(f"{folder}: the description CSVs hold no row; download them again")
    return rows


def _row(row: LabelRow, delivery: str) -> _Row:
    side, pathology, number = (
        row["left or right breast"].upper(),
        row["pathology"].upper(),
        row["abnormality id"],
    )
    if side not in SIDES:
        raise row.fault("left or right breast", "LEFT or RIGHT")
    if pathology not in PATHOLOGIES:
        raise row.fault("pathology", ", ".join(PATHOLOGIES))
    if not number.isdigit():
        raise row.fault("abnormality id", "a whole number")
    for column in (FILM, CROP, MASK):
        if len(row[column].split("/")) < 3:
            raise row.fault(column, "<subject>/<study UID>/<series UID>/<file>")
    kind = row["abnormality type"].lower()
    lesion = LabelledLesion(
        lesion_id=f"{kind}-{int(number):02d}",
        lesion_type=kind,
        pathology=PATHOLOGIES[pathology],
        companions=(),
    )
    return _Row(
        delivery,
        row["patient id"],
        SIDES[side],
        row["image view"].upper(),
        lesion,
        row[FILM].split("/")[0],
        _series(row[FILM]),
        tuple(sorted({_series(row[MASK]), _series(row[CROP])})),
        row[FILM],
    )


def _series(path: str) -> str:
    """SeriesInstanceUID in a path of a description table: the only part of it that can be relied on."""
    return path.split("/")[2].strip()


# --- the files ----------------------------------------------------------------------------------------------------


def _scan(path: Path) -> _File:
    try:
        header = read_header(path, ["SeriesInstanceUID", "Rows", "Columns"])
        with tolerant():
            series = str(header.get("SeriesInstanceUID", "")).strip()
        rows, columns = size(header)
        return _File(path, series, rows * columns)
    except Unusable:
        return _File(path, "", 0)


def _with_paths(by_series: dict[str, list[_File]], rows: Iterable[_Row]) -> dict[str, list[_File]]:
    """A file whose header cannot be read still belongs to a series that its path names."""
    known = {series for row in rows for series in (row.film_series, *row.lesion_series)}
    for file in by_series.pop("", []):
        named = [part for part in file.path.parts if part in known]
        by_series[named[-1] if named else ""].append(file)
    return by_series


def _films(
    rows: list[_Row], by_series: dict[str, list[_File]], root: Path
) -> tuple[list[_Film], list[Reject]]:
    rows_of: dict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        rows_of[row.film_series].append(row)
    films, rejects = [], []
    for series, mine in rows_of.items():
        files = sorted(by_series.get(series, []), key=lambda file: (-file.area, file.path))
        if files:
            films.append(_Film(files[0].path, tuple(mine)))
        else:
            listed = f"{root.name}/dicom/{mine[0].film_path}"
            reason = f"listed in the {mine[0].delivery} table, but no file has its SeriesInstanceUID"
            rejects.append(Reject(source=listed, stage="index", reason=reason))
    return films, rejects


def _unlisted(rows: list[_Row], by_series: dict[str, list[_File]], root: Path) -> list[Reject]:
    """A row for each file that no table mentions, and for all but one file of a film's series."""
    films = {row.film_series for row in rows}
    lesions = {series for row in rows for series in row.lesion_series}
    rejects = []
    for series, files in by_series.items():
        ordered = sorted(files, key=lambda file: (-file.area, file.path))
        spare = [] if series in lesions else ordered[1:] if series in films else ordered
        reason = "not a DICOM file of any series" if not series else "its series is in no description table"
        reason = "a smaller image in the series of a film" if series in films else reason
        for file in spare:
            rejects.append(Reject(source=_source(file.path, root), stage="index", reason=reason))
    return rejects


def _source(path: Path, root: Path) -> str:
    return path.relative_to(root.parent).as_posix()


def _merge_twins(films: list[_Film], root: Path) -> tuple[list[_Film], list[Reject]]:
    """Films of one patient, side and view whose pixels are the same become one with all their rows."""
    alike: dict[tuple[str, str, str], list[_Film]] = defaultdict(list)
    for film in films:
        row = film.rows[0]
        alike[(row.patient, row.laterality, row.view)].append(film)
    merged, rejects = [], []
    for group in alike.values():
        by_pixels: dict[str, list[_Film]] = defaultdict(list)
        for film in group:
            by_pixels[_pixel_digest(film.path) if len(group) > 1 else ""].append(film)
        for twins in by_pixels.values():
            first, *others = sorted(twins, key=lambda film: film.rank)
            merged.append(_Film(first.path, tuple(row for film in (first, *others) for row in film.rows)))
            for other in others:
                reason = f"{DUPLICATE}{_source(first.path, root)}: one film, its lesions are kept there"
                rejects.append(Reject(source=_source(other.path, root), stage="index", reason=reason))
    return merged, rejects


def _pixel_digest(path: Path) -> str:
    """Digest of a film's pixels; of its path where they cannot be read, so that it is like no other."""
    try:
        pixels = stored_pixels(read_film(path))
    except Unusable:
        return str(path)
    return sha256_bytes(str(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes())


# --- records ------------------------------------------------------------------------------------------------------


def _items(
    films: list[_Film], by_series: dict[str, list[_File]], root: Path, dataset: str, settings: DatasetSettings
) -> list[Item]:
    candidates = {
        series: tuple(sorted(file.path for file in by_series.get(series, [])))
        for film in films
        for row in film.rows
        for series in row.lesion_series
    }
    hashes = digests(
        path for paths in (*candidates.values(), [film.path for film in films]) for path in paths
    )
    names = unique_names(
        [film.rows[0].subject for film in films], [_source(film.path, root) for film in films]
    )
    items = []
    for film, name in zip(films, names, strict=True):
        row = film.rows[0]
        lesions = tuple(_lesion(each, candidates, root) for each in film.rows)
        companions = sorted(
            {path for each in film.rows for series in each.lesion_series for path in candidates[series]}
        )
        items.append(
            Item(
                dataset=dataset,
                film_id=name,
                film=_source(film.path, root),
                sha256=hashes[film.path],
                delivery=row.delivery,
                patient=patient_id(dataset, settings, row.patient),
                study=row.patient,
                laterality=row.laterality,
                view=row.view,
                group="abn",
                lesion_types=tuple(sorted({lesion.lesion_type for lesion in lesions})),
                lesions=_numbered(lesions),
                companions=tuple(
                    Companion(path=_source(path, root), sha256=hashes[path]) for path in companions
                ),
            )
        )
    return items


def _lesion(row: _Row, candidates: dict[str, tuple[Path, ...]], root: Path) -> LabelledLesion:
    paths = tuple(_source(path, root) for series in row.lesion_series for path in candidates[series])
    return row.lesion.model_copy(update={"companions": paths})


def _numbered(lesions: tuple[LabelledLesion, ...]) -> tuple[LabelledLesion, ...]:
    """Lesions with ids that are unique within the film: a second `mass-01` becomes `mass-01b`."""
    seen: dict[str, int] = defaultdict(int)
    named = []
    for lesion in lesions:
        again = seen[lesion.lesion_id]
        seen[lesion.lesion_id] += 1
        name = lesion.lesion_id + ("" if not again else chr(ord("a") + again))
        named.append(lesion.model_copy(update={"lesion_id": name}))
    return tuple(named)


# --- annotation ---------------------------------------------------------------------------------------------------


def annotate(item: Item, data: Path, size: tuple[int, int], settings: DatasetSettings) -> list[Lesion]:
    """The lesions of a film from their masks, in its pixels.

    Raises `Unusable`, naming the mask, if any of them is missing, empty or broken: the film would otherwise show a
    lesion that counts as background.
    """
    return [_masked(item, lesion, data, size) for lesion in item.lesions]


def _masked(item: Item, lesion: LabelledLesion, data: Path, size: tuple[int, int]) -> Lesion:
    path = _mask_of(lesion, data, size)
    try:
        box = mask_box(data / path, size)
        return lesion_in_film(
            item.image_id,
            lesion.lesion_id,
            box,
            size,
            lesion_type=lesion.lesion_type,
            pathology=lesion.pathology,
            annotation_form="mask",
        )
    except Unusable as error:
        raise Unusable(f"{lesion.lesion_id}: {path}: {error}") from error


def _mask_of(lesion: LabelledLesion, data: Path, size: tuple[int, int]) -> str:
    """The mask among the files of a lesion, by pixels. Raises `Unusable`, with what is wrong with the others."""
    faults = []
    for path in lesion.companions:
        try:
            if is_mask(data / path, size):
                return path
        except Unusable as error:
            faults.append(f"{path}: {error}")
    if faults:
        raise Unusable(f"{lesion.lesion_id}: no mask: {'; '.join(faults)}")
    raise Unusable(f"{lesion.lesion_id}: no mask among the {len(lesion.companions)} file(s) of its series")
