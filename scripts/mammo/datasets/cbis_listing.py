"""CBIS-DDSM: which file is the film of which rows, and which rows cannot be used.

Nothing disappears: a film is used with the lesions of all rows that are about it, or not at all. A row that makes no
sense, or whose film is not there, spoils every film on which its lesion could be: those of the same patient, side
and view (one exposure each in this collection, whether it is listed as Mass, as Calc or as both).
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import permutations
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mammo.datasets.base import DUPLICATE, mapped, need_folder, raw_files
from mammo.datasets.cbis_rows import DELIVERIES, WAY_OUT, Row, read_rows
from mammo.dicom.read import read_film, read_header, size, stored_pixels, tolerant
from mammo.dicom.unusable import Unusable
from mammo.files import sha256_file
from mammo.tables.records import Reject

MISSING = "no file has its SeriesInstanceUID"


@dataclass(frozen=True)
class File:
    """A DICOM file on disk: its series; rows × columns of its image, 0 where its header is broken; its size."""

    path: Path
    series: str
    area: int
    length: int


@dataclass(frozen=True)
class Film:
    """A film that is used: its file and its rows, each with the name of its lesion on this film.

    Two rows have one name where a row is there twice.
    """

    path: Path
    rows: tuple[tuple[Row, str], ...]


@dataclass(frozen=True)
class Answer:
    """What became of a row in the index: the source that answers for it in the tables, and its lesion's name there.

    `merged`: the lesion is kept at another listing of the film. The name is empty where the source was turned down.
    """

    row: Row
    source: str
    lesion_id: str = ""
    merged: bool = False


@dataclass
class Listing:
    """All films that can be used, all files of lesions by series, and everything that was turned down."""

    films: list[Film] = field(default_factory=list)
    lesion_files: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)


@dataclass
class _Listed:
    """A film as its rows name it: its file, where there is one, and why it cannot be used."""

    series: str
    rows: list[Row]
    path: Path | None = None
    reasons: list[str] = field(default_factory=list)

    @property
    def rank(self) -> tuple[int, str]:
        return (min(DELIVERIES.index(row.delivery) for row in self.rows), str(self.path))

    def spoil(self, reason: str) -> None:
        if reason not in self.reasons:
            self.reasons.append(reason)


def find_films(root: Path) -> Listing:
    """Match the tables in `root`/csv with the files below `root`/dicom. Raises `UserError`."""
    rows = read_rows(root / "csv")
    files = raw_files(need_folder(root / "dicom", WAY_OUT))
    by_series = _by_series(mapped(_scan, files, "headers"), rows)
    listing = Listing()
    listed = _listed(rows)
    for film in listed.values():
        listing.rejects += _choose_file(film, by_series.get(film.series, []), root)
    lesion_series = sorted({series for row in rows for series in row.lesion_series})
    for series in lesion_series:
        kept, copies = _without_copies(by_series.get(series, []), root)
        listing.lesion_files[series] = tuple(sorted(file.path for file in kept))
        listing.rejects += copies
    listing.rejects += _unlisted({*listed, *lesion_series}, by_series, root)
    _check_rows(rows, listed)
    groups = _groups(listed)
    digests = _twin_digests(groups)
    _spread(rows, listed, groups, digests)
    on_disk = {source_of(path, root) for path in files}
    for group in groups:
        _settle(group, digests, root, on_disk, listing)
    _answer_loose_rows(rows, root, listing)
    return listing


def source_of(path: Path, root: Path) -> str:
    """A file's name in the tables: relative to the data folder."""
    return path.relative_to(root.parent).as_posix()


# --- files --------------------------------------------------------------------------------------------------------


def _scan(path: Path) -> File:
    length = path.stat().st_size
    try:
        header = read_header(path, ["SeriesInstanceUID", "Rows", "Columns"])
        with tolerant():
            series = str(header.get("SeriesInstanceUID", "")).strip()
    except Unusable:
        return File(path, "", 0, length)
    try:
        rows, columns = size(header)
    except Unusable:
        rows = columns = 0
    return File(path, series, rows * columns, length)


def _by_series(files: Iterable[File], rows: Iterable[Row]) -> dict[str, list[File]]:
    """Files by series. One whose header cannot be read still belongs to a series that its path names."""
    known = {series for row in rows for series in (row.film_series, *row.lesion_series)} - {""}
    by_series: dict[str, list[File]] = defaultdict(list)
    for file in files:
        named = [part for part in file.path.parts if part in known]
        by_series[file.series or (named[-1] if named else "")].append(file)
    return by_series


def _without_copies(files: list[File], root: Path) -> tuple[list[File], list[Reject]]:
    """Files of a series, those that are byte for byte the same once. Only files of one length are compared."""
    by_length: dict[int, list[File]] = defaultdict(list)
    for file in sorted(files, key=lambda file: file.path):
        by_length[file.length].append(file)
    kept, rejects = [], []
    for alike in by_length.values():
        first: dict[str, File] = {}
        for file in alike:
            digest = sha256_file(file.path) if len(alike) > 1 else ""
            if first.setdefault(digest, file) is file:
                kept.append(file)
            else:
                rejects.append(_duplicate(file.path, first[digest].path, root, "the same file"))
    return kept, rejects


def _choose_file(film: _Listed, files: list[File], root: Path) -> list[Reject]:
    """The film's file among those of its series, and a row for each other one."""
    kept, rejects = _without_copies(files, root)
    if not kept:
        return rejects
    largest = max(file.area for file in kept)
    alike = [file for file in kept if file.area == largest]
    # Of downloads that were begun twice one is often cut off: the longest that can be read is taken.
    digests = {file.path: _pixel_digest(file.path) if len(alike) > 1 else None for file in alike}
    first, *others = sorted(alike, key=lambda file: (digests[file.path] is None, -file.length, file.path))
    film.path = first.path
    for other in others:
        digest = digests[other.path]
        if digest is None or digest == digests[first.path]:
            what = "a copy that is cut off or broken" if digest is None else "the same pixels"
            rejects.append(_duplicate(other.path, first.path, root, what))
        else:
            film.spoil("two different images of one size are in its series")
            rejects.append(_reject(source_of(other.path, root), "another image in the series of a film"))
    smaller = [file for file in kept if file.area < largest]
    return rejects + [
        _reject(source_of(file.path, root), "a smaller image in the series of a film") for file in smaller
    ]


def _unlisted(listed: set[str], by_series: dict[str, list[File]], root: Path) -> list[Reject]:
    """A row for each file that no table mentions."""
    rejects = []
    for series, files in by_series.items():
        if series not in listed:
            reason = "its series is in no description table" if series else "not a DICOM file of any series"
            rejects += [_reject(source_of(file.path, root), reason) for file in files]
    return rejects


def _pixel_digest(path: Path) -> str | None:
    """Digest of a film's pixels; none where they cannot be read or show nothing."""
    try:
        pixels = stored_pixels(read_film(path))
    except Unusable:
        return None
    if pixels.min() == pixels.max():
        return None
    digest = hashlib.sha256(str(pixels.shape).encode())
    # Of one type whatever the file's, and without a copy: a film has 100 MB.
    digest.update(np.ascontiguousarray(pixels.astype("<i4", copy=False)).data)
    return digest.hexdigest()


def _reject(source: str, reason: str) -> Reject:
    return Reject(source=source, stage="index", reason=reason)


def _duplicate(path: Path, first: Path, root: Path, why: str) -> Reject:
    return _reject(source_of(path, root), f"{DUPLICATE}{source_of(first, root)}: {why}")


# --- rows ---------------------------------------------------------------------------------------------------------


def _listed(rows: Iterable[Row]) -> dict[str, _Listed]:
    films: dict[str, _Listed] = {}
    for row in rows:
        if row.film_series:
            films.setdefault(row.film_series, _Listed(row.film_series, [])).rows.append(row)
    return films


def _groups(listed: dict[str, _Listed]) -> list[list[_Listed]]:
    """Listings of one patient, side and view, which are of one film as a rule."""
    groups: dict[tuple[str, str, str], list[_Listed]] = defaultdict(list)
    for film in listed.values():
        row = film.rows[0]
        groups[(row.patient, row.laterality, row.view)].append(film)
    return list(groups.values())


def _check_rows(rows: list[Row], listed: dict[str, _Listed]) -> None:
    """What rows make no sense only together with others: then their film is spoiled."""
    owners: dict[str, Row] = {}
    for film in listed.values():
        if len({(row.patient, row.laterality, row.view) for row in film.rows if not row.fault}) > 1:
            film.spoil(f"{_places(film.rows)}: one film of different patients, sides or views")
    for row in rows:
        for series in row.lesion_series:
            owner = owners.setdefault(series, row)
            if not _is_same_lesion(owner, row):
                for each in (owner, row):
                    if each.film_series:
                        listed[each.film_series].spoil(
                            f"{owner.place} and {row.place}: two lesions, one series of masks"
                        )


def _is_same_lesion(first: Row, second: Row) -> bool:
    """Whether two rows say the same, as they do where a table is there twice."""
    return first is second or replace(first, table="", line=0) == replace(second, table="", line=0)


def _twin_digests(groups: list[list[_Listed]]) -> dict[Path, str | None]:
    """Digests of the pixels of films that share patient, side and view with another."""
    shared = [[film.path for film in group if film.path] for group in groups]
    paths = [path for group in shared if len(group) > 1 for path in group]
    # One after the other: several films at once would need several times the memory.
    bar = tqdm(paths, "films listed twice", unit="file", mininterval=2.0)
    return {path: _pixel_digest(path) for path in bar}


def _spread(
    rows: list[Row], listed: dict[str, _Listed], groups: list[list[_Listed]], digests: dict[Path, str | None]
) -> None:
    """Spoil every film on which there may be a lesion that cannot be used."""
    by_patient: dict[str, list[_Listed]] = defaultdict(list)
    for film in listed.values():
        by_patient[film.rows[0].patient].append(film)
    for row in rows:
        if row.fault:
            own = [listed[row.film_series]] if row.film_series else []
            near = [*by_patient[row.patient], *by_patient[""]] if row.patient else listed.values()
            for film in (*own, *(film for film in near if row.may_be_of(film.rows[0]))):
                film.spoil(f"{row.place}: {row.fault}")
    for group in groups:
        doubts = [(film, _doubt(film, digests)) for film in group]
        for (film, doubt), (other, _) in permutations(doubts, 2):
            if doubt and doubt not in other.reasons:
                other.spoil(
                    f"{_places(film.rows)}: the same view is listed as {film.rows[0].film_path} too: {doubt}"
                )


def _doubt(film: _Listed, digests: dict[Path, str | None]) -> str:
    """Why a film's lesions would be missing on another listing of it; empty where they would not."""
    if film.path is None:
        return MISSING
    if film.reasons:
        return film.reasons[0]
    return "its film cannot be read" if digests.get(film.path, "") is None else ""


def _places(rows: Iterable[Row]) -> str:
    """`mass_….csv, line 4, 6; calc_….csv, line 9`."""
    lines: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        lines[row.table].append(str(row.line))
    return "; ".join(f"{table}, line {', '.join(numbers)}" for table, numbers in lines.items())


def _settle(
    group: list[_Listed],
    digests: dict[Path, str | None],
    root: Path,
    on_disk: set[str],
    listing: Listing,
) -> None:
    """Films of a group, merged where their pixels are the same, or a row for each that cannot be used."""
    usable: dict[str, list[_Listed]] = defaultdict(list)
    for film in group:
        if film.path is None or film.reasons:
            source = source_of(film.path, root) if film.path else _missing_source(film, root, on_disk)
            listing.rejects.append(_reject(source, _why_not(film)))
            listing.answers += [Answer(row, source) for row in film.rows]
        else:
            usable[digests.get(film.path) or str(film.path)].append(film)
    for twins in usable.values():
        first, *others = sorted(twins, key=lambda film: film.rank)
        assert first.path is not None
        rows = _named([row for film in (first, *others) for row in film.rows])
        listing.films.append(Film(first.path, tuple(rows)))
        seen: set[str] = set()
        for row, name in rows:
            merged = name in seen or row.film_series != first.series
            listing.answers.append(Answer(row, source_of(first.path, root), name, merged))
            seen.add(name)
        for other in others:
            assert other.path is not None
            why = "one film, its lesions are kept there"
            listing.rejects.append(_duplicate(other.path, first.path, root, why))


def _missing_source(film: _Listed, root: Path, on_disk: set[str]) -> str:
    """What stands for a film that is not there: its listed path, unless a file of another series lies in that place."""
    row = film.rows[0]
    listed = f"{root.name}/dicom/{row.film_path}"
    return f"{root.name}/csv/{row.table}:{row.line}" if listed in on_disk else listed


def _why_not(film: _Listed) -> str:
    more = f"; and {len(film.reasons) - 3} more" if len(film.reasons) > 3 else ""
    reasons = "; ".join(film.reasons[:3]) + more
    if film.path is None:
        missing = f"listed in the {film.rows[0].delivery} table ({_places(film.rows)}), but {MISSING}"
        return f"{missing}; {reasons}" if reasons else missing
    return f"{reasons}: a film is used with all of its lesions or not at all"


def _named(rows: list[Row]) -> list[tuple[Row, str]]:
    """Rows with names of their lesions that are unique within the film: a second `mass-01` becomes `mass-01b`.

    A row that is there twice is one lesion.
    """
    count: dict[str, int] = defaultdict(int)
    named: list[tuple[Row, str]] = []
    for row in rows:
        again = next((name for other, name in named if _is_same_lesion(other, row)), None)
        if again is None:
            number, name = count[row.lesion.lesion_id], row.lesion.lesion_id
            count[name] += 1
            again = name + ("" if not number else chr(ord("a") + number) if number < 26 else f".{number + 1}")
        named.append((row, again))
    return named


def _answer_loose_rows(rows: list[Row], root: Path, listing: Listing) -> None:
    """A row that does not name its film has a reject of its own, besides those of the films it spoils."""
    for row in rows:
        if not row.film_series:
            source = f"{root.name}/csv/{row.table}:{row.line}"
            listing.rejects.append(_reject(source, f"{row.place}: {row.fault}"))
            listing.answers.append(Answer(row, source))
