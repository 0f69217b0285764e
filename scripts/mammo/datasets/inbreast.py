"""INbreast: full-field films named by number and patient, the readers' regions as XML, one semicolon table.

Has no pathology: a film of BI-RADS 4 or more counts as malignant. Headers carry neither side, view nor spacing.
"""

from __future__ import annotations

import re
from pathlib import Path

from mammo.annotations.plist import read_regions
from mammo.datasets.base import Companion, Item, digests, need_folder, patient_id, raw_files
from mammo.datasets.boxes import lesion_in_film
from mammo.datasets.labels import LabelRow, read_labels
from mammo.dicom.unusable import Unusable
from mammo.errors import UserError
from mammo.settings import DatasetSettings
from mammo.tables.records import Lesion, Reject

PIXEL_MM = 0.07
COLUMNS = ("laterality", "view", "acquisition date", "file name", "bi-rads")
VIEWS = {"ML": "MLO"}
_FILM = re.compile(r"^(\d+)_([0-9a-f]+)_MG_([LR])_([A-Z]+)_ANON\.dcm$", re.IGNORECASE)
_WAY_OUT = "put INbreast's AllDICOMs, AllXML and INbreast.csv there as they were published"


def index(root: Path, dataset: str, settings: DatasetSettings) -> tuple[list[Item], list[Reject]]:
    """All films of AllDICOMs that the table knows. Raises `UserError`."""
    raw = need_folder(root / "raw_files", _WAY_OUT)
    films = raw_files(need_folder(raw / "AllDICOMs", _WAY_OUT))
    xmls = {path.stem: path for path in raw_files(raw / "AllXML")} if (raw / "AllXML").is_dir() else {}
    if not xmls:
        raise UserError(
            f"{raw / 'AllXML'}: no annotation inside, so every film would be a normal; {_WAY_OUT}"
        )
    labels = _labels(raw / "INbreast.csv")
    items, rejects = [], []
    hashes = digests([*films, *xmls.values()])
    for path in films:
        match = _FILM.match(path.name)
        try:
            if match is None:
                raise Unusable("the name is not <number>_<patient>_MG_<side>_<view>_ANON.dcm")
            if match[1] not in labels:
                raise Unusable("no row of INbreast.csv has this file name")
            items.append(
                _item(path, match, labels[match[1]], xmls.get(match[1]), hashes, root, dataset, settings)
            )
        except Unusable as error:
            rejects.append(_reject(path, root, str(error)))
    numbers = {match[1] for path in films if (match := _FILM.match(path.name))}
    for number in sorted(set(labels) - numbers):
        rejects.append(
            _reject(raw / "AllDICOMs" / number, root, "listed in INbreast.csv, but there is no such file")
        )
    for number in sorted(set(xmls) - numbers):
        rejects.append(_reject(xmls[number], root, "an annotation without the film that it belongs to"))
    return _unique(items, rejects)


def _unique(items: list[Item], rejects: list[Reject]) -> tuple[list[Item], list[Reject]]:
    """One film a number: numbers are the films' names."""
    seen: set[str] = set()
    kept = []
    for item in items:
        if item.film_id in seen:
            rejects.append(Reject(source=item.film, stage="index", reason="another film has the same number"))
        else:
            kept.append(item)
        seen.add(item.film_id)
    return kept, rejects


def _reject(path: Path, root: Path, reason: str) -> Reject:
    return Reject(source=path.relative_to(root.parent).as_posix(), stage="index", reason=reason)


def _labels(path: Path) -> dict[str, LabelRow]:
    """Rows by file number; the row of totals that some copies carry has none and is left out."""
    rows = read_labels(path, COLUMNS, delimiter=";")
    labels = {}
    for row in rows:
        number = row["file name"].removesuffix(".dcm").removesuffix(".0")
        if number.isdigit():
            if _birads(row) is None:
                raise row.fault("bi-rads", "1, 2, 3, 4a, 4b, 4c, 5 or 6")
            labels[number] = row
    if not labels:
        raise UserError(f"{path}: no row with a file name; {_WAY_OUT}")
    return labels


def _birads(row: LabelRow) -> int | None:
    match = re.fullmatch(r"([0-6])[abc]?", row["bi-rads"].lower())
    return int(match[1]) if match else None


def _item(
    path: Path,
    match: re.Match[str],
    row: LabelRow,
    xml: Path | None,
    hashes: dict[Path, str],
    root: Path,
    dataset: str,
    settings: DatasetSettings,
) -> Item:
    number, patient, side, view = match.groups()
    regions = _lesion_types(xml)
    malignant = (_birads(row) or 0) >= 4
    if malignant and not regions:
        raise Unusable(
            f"BI-RADS {row['bi-rads']}, but no annotation: it is no normal, and its lesion is unknown"
        )
    companions = [] if xml is None else [xml]
    return Item(
        dataset=dataset,
        film_id=number,
        film=path.relative_to(root.parent).as_posix(),
        sha256=hashes[path],
        patient=patient_id(dataset, settings, patient.lower()),
        study=f"{patient.lower()}.{row['acquisition date']}".rstrip("."),
        laterality=side.upper(),
        view=VIEWS.get(view.upper(), view.upper()),
        pixel_mm=PIXEL_MM,
        group="abn" if regions else "normal",
        lesion_types=() if regions is None else tuple(sorted(regions)),
        pathology="malignant" if malignant else "benign",
        companions=tuple(
            Companion(path=file.relative_to(root.parent).as_posix(), sha256=hashes[file])
            for file in companions
        ),
    )


def _lesion_types(xml: Path | None) -> set[str] | None:
    """Types of all regions of a film, also of those without a box; none for a film without any.

    A broken file says only that something was drawn: the film is abnormal, and `annotate` will turn it down.
    """
    if xml is None:
        return None
    try:
        return {region.lesion_type for region in read_regions(xml)} or None
    except Unusable:
        return {"other"}


def annotate(item: Item, data: Path, size: tuple[int, int], settings: DatasetSettings) -> list[Lesion]:
    """The regions of a film that have an extent, in its pixels; single points have none.

    Raises `Unusable` where the XML is broken or a region lies outside of the film.
    """
    if not item.companions:
        return []
    return [
        lesion_in_film(
            item.image_id,
            f"{region.number:02d}",
            region.box,
            size,
            lesion_type=region.lesion_type,
            pathology=item.pathology,
            annotation_form="plist",
        )
        for region in read_regions(data / item.companions[0].path)
        if region.box is not None
    ]
