"""INbreast: full-field films named by number and patient, the readers' regions as XML, one table as CSV or XLS.

Has no pathology: a film of BI-RADS 4 or more counts as malignant. Headers carry neither side, view nor spacing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from mammo.annotations.plist import read_regions
from mammo.datasets.base import DUPLICATE, Companion, Item, digests, need_folder, patient_id, raw_files
from mammo.datasets.boxes import lesion_in_film
from mammo.datasets.labels import LabelRow, breast_density, cell_fault, read_labels
from mammo.datasets.spreadsheet import read_sheet
from mammo.dicom.unusable import Unusable
from mammo.errors import UserError
from mammo.settings import DatasetSettings
from mammo.tables.records import Density, Lesion, Reject

PIXEL_MM = 0.07
COLUMNS = ("laterality", "view", "acquisition date", "file name", "bi-rads")
VIEWS = {"ML": "MLO"}
BIRADS = re.compile(r"[0-6]|4[abc]")
MALIGNANT = 4
_FILM = re.compile(r"^(\d+)_([0-9a-f]+)_MG_([LR])_([A-Z]+)_ANON\.dcm$", re.IGNORECASE)
_WAY_OUT = "put INbreast's AllDICOMs, AllXML and INbreast.csv there as they were published"


@dataclass(frozen=True)
class _Label:
    """What a table says about a film; `fault` why it cannot be relied on."""

    laterality: str
    view: str
    date: str
    birads: str
    fault: str = ""
    # Rows that differ in this alone do not turn their film down.
    density: Density = field(default="", compare=False)

    @property
    def malignant(self) -> bool:
        return int(self.birads[:1]) >= MALIGNANT


@dataclass(frozen=True)
class _Delivery:
    """What lies in raw_files: films by number, annotations by number, labels by number."""

    root: Path
    films: dict[str, list[tuple[Path, re.Match[str]]]]
    xmls: dict[str, list[Path]]
    labels: dict[str, _Label]
    hashes: dict[Path, str]

    def source(self, path: Path) -> str:
        return path.relative_to(self.root.parent).as_posix()

    def reject(self, path: Path, reason: str) -> Reject:
        return Reject(source=self.source(path), stage="index", reason=reason)


def index(root: Path, dataset: str, settings: DatasetSettings) -> tuple[list[Item], list[Reject]]:
    """All films of AllDICOMs that the table knows. Raises `UserError`."""
    raw = need_folder(root / "raw_files", _WAY_OUT)
    delivery, rejects = _delivery(root, raw)
    items = []
    for files in (delivery.films[number] for number in sorted(delivery.films)):
        first, copies = _one_film(files, delivery)
        rejects += copies
        if first is None:
            continue
        path, match = first
        try:
            items.append(_item(path, match, delivery, dataset, settings))
        except Unusable as error:
            rejects.append(delivery.reject(path, str(error)))
    for number in sorted(set(delivery.labels) - set(delivery.films)):
        listed = raw / "AllDICOMs" / number
        rejects.append(delivery.reject(listed, "listed in INbreast.csv, but there is no such file"))
    return items, rejects + _spare_annotations(delivery)


def _delivery(root: Path, raw: Path) -> tuple[_Delivery, list[Reject]]:
    """Everything below raw_files in its place, and a row for each file that has none."""
    dicoms = raw_files(need_folder(raw / "AllDICOMs", _WAY_OUT))
    drawn = raw_files(raw / "AllXML") if (raw / "AllXML").is_dir() else []
    xmls: dict[str, list[Path]] = {}
    for path in drawn:
        if path.suffix.lower() == ".xml":
            xmls.setdefault(path.stem, []).append(path)
    if not xmls:
        raise UserError(
            f"{raw / 'AllXML'}: no annotation inside, so every film would be a normal; {_WAY_OUT}"
        )
    labels, unread = _labels(raw)
    films: dict[str, list[tuple[Path, re.Match[str]]]] = {}
    unnamed = []
    for path in dicoms:
        match = _FILM.match(path.name)
        if match:
            films.setdefault(match[1], []).append((path, match))
        else:
            unnamed.append(path)
    named = [path for files in films.values() for path, _ in files]
    hashes = digests([*named, *(path for paths in xmls.values() for path in paths)])
    delivery = _Delivery(root, films, xmls, labels, hashes)
    rejects = [delivery.reject(path, reason) for path, reason in unread]
    rejects += [
        delivery.reject(path, "the name is not <number>_<patient>_MG_<side>_<view>_ANON.dcm")
        for path in unnamed
    ]
    strange = [path for path in drawn if path.suffix.lower() != ".xml"]
    return delivery, rejects + [delivery.reject(path, "not an XML file") for path in strange]


def _one_film(
    files: list[tuple[Path, re.Match[str]]], delivery: _Delivery
) -> tuple[tuple[Path, re.Match[str]] | None, list[Reject]]:
    """The film of a number, and rows for copies of it; none where two different films have the number."""
    first, *others = files
    if len({delivery.hashes[path] for path, _ in files}) > 1:
        reason = f"{len(files)} different films have the number {first[1][1]}"
        return None, [delivery.reject(path, reason) for path, _ in files]
    same = f"{DUPLICATE}{delivery.source(first[0])}: the same file"
    return first, [delivery.reject(path, same) for path, _ in others]


def _spare_annotations(delivery: _Delivery) -> list[Reject]:
    """Rows for annotations without a film, and for all but the first of those of one film."""
    rejects = []
    for number, (first, *others) in sorted(delivery.xmls.items()):
        if number not in delivery.films:
            lost = "an annotation without the film that it belongs to"
            rejects += [delivery.reject(path, lost) for path in (first, *others)]
            continue
        for path in others:
            same = delivery.hashes[path] == delivery.hashes[first]
            reason = (
                f"{DUPLICATE}{delivery.source(first)}: the same file"
                if same
                else "another annotation of a film"
            )
            rejects.append(delivery.reject(path, reason))
    return rejects


# --- the tables ---------------------------------------------------------------------------------------------------


def _labels(raw: Path) -> tuple[dict[str, _Label], list[tuple[Path, str]]]:
    """Labels by file number from INbreast.csv, else from INbreast.xls; where both are there, they are compared.

    A film about which they differ cannot be relied on. Also gives tables that could not be read, with the reason.
    Raises `UserError` where there is no table that can be read.
    """
    tables = {path.name.lower(): path for path in sorted(raw.iterdir()) if path.is_file()}
    text, sheet = tables.get("inbreast.csv"), tables.get("inbreast.xls")
    if text is None and sheet is None:
        raise UserError(f"{raw / 'INbreast.csv'}: does not exist, nor does INbreast.xls; {_WAY_OUT}")
    if text is None:
        assert sheet is not None
        return _by_number(sheet, read_sheet(sheet, COLUMNS)), []
    labels = _by_number(text, read_labels(text, COLUMNS, delimiter=";", torn=True))
    if sheet is None:
        return labels, []
    try:
        others = _by_number(sheet, read_sheet(sheet, COLUMNS))
    except UserError as error:
        reason = str(error).removeprefix(f"{sheet}: ")
        return labels, [(sheet, f"not compared with {text.name}: {reason}")]
    return {number: _compared(label, others.get(number), text, sheet) for number, label in labels.items()}, []


def _by_number(path: Path, rows: list[LabelRow]) -> dict[str, _Label]:
    """Rows by file number; blank rows and the row of totals have none and are left out."""
    labels: dict[str, _Label] = {}
    for row in rows:
        number = row["file name"].removesuffix(".dcm").removesuffix(".0")
        if number.isascii() and number.isdigit():
            # A spreadsheet has lost the zeros in front.
            number, label = number.zfill(8), _label(row, path)
            before = labels.setdefault(number, label)
            if replace(before, fault="") != replace(label, fault=""):
                labels[number] = replace(label, fault=f"{path.name} has two rows for it that differ")
    if not labels:
        raise UserError(f"{path}: no row with a file name; {_WAY_OUT}")
    return labels


def _label(row: LabelRow, path: Path) -> _Label:
    birads, view = row["bi-rads"].lower(), row["view"].upper()
    good = BIRADS.fullmatch(birads) is not None
    fault = row.torn or ("" if good else cell_fault(row, "bi-rads", "1, 2, 3, 4a, 4b, 4c, 5 or 6"))
    return _Label(
        laterality=row["laterality"].upper()[:1],
        view=VIEWS.get(view, view),
        date=row["acquisition date"],
        birads=birads,
        fault=f"{path.name}, line {row.line}: {fault}" if fault else "",
        density=breast_density(row.cells.get("acr", "")),
    )


def _compared(label: _Label, other: _Label | None, text: Path, sheet: Path) -> _Label:
    """The label of the text table, with a fault where the spreadsheet's says something else."""
    if other is None or label.fault:
        return label
    pairs = {
        "BI-RADS": (label.birads, other.birads),
        "side": (label.laterality, other.laterality),
        "view": (label.view, other.view),
    }
    differing = [
        f"{name} {mine!r} and {theirs!r}" for name, (mine, theirs) in pairs.items() if mine != theirs
    ]
    fault = f"{text.name} and {sheet.name} differ: {', '.join(differing)}" if differing else ""
    return replace(label, fault=fault)


# --- records ------------------------------------------------------------------------------------------------------


def _item(
    path: Path, match: re.Match[str], delivery: _Delivery, dataset: str, settings: DatasetSettings
) -> Item:
    number, patient, side, view = match[1], match[2].lower(), match[3].upper(), match[4].upper()
    view = VIEWS.get(view, view)
    label = delivery.labels.get(number)
    if label is None:
        raise Unusable("no row of INbreast.csv has this file name")
    _check_label(label, side, view)
    xmls = delivery.xmls.get(number, [])
    if len({delivery.hashes[xml] for xml in xmls}) > 1:
        raise Unusable(f"{len(xmls)} different annotations have its number")
    xml = xmls[0] if xmls else None
    regions = _lesion_types(xml)
    if label.malignant and not regions:
        raise Unusable(
            f"BI-RADS {label.birads}, but no annotation: it is no normal, and its lesion is unknown"
        )
    return Item(
        dataset=dataset,
        film_id=number,
        film=delivery.source(path),
        sha256=delivery.hashes[path],
        patient=patient_id(dataset, settings, patient),
        study=f"{patient}.{label.date}".rstrip("."),
        laterality=side,
        view=view,
        pixel_mm=PIXEL_MM,
        density=label.density,
        group="abn" if regions else "normal",
        lesion_types=() if regions is None else tuple(sorted(regions)),
        pathology="malignant" if label.malignant else "benign",
        companions=()
        if xml is None
        else (Companion(path=delivery.source(xml), sha256=delivery.hashes[xml]),),
    )


def _check_label(label: _Label, side: str, view: str) -> None:
    """A label that makes no sense, or is about another side or view than the file's name, is none of this film."""
    if label.fault:
        raise Unusable(label.fault)
    for what, named, listed in (("side", side, label.laterality), ("view", view, label.view)):
        if listed and named != listed:
            raise Unusable(f"its name says {what} {named}, the table {listed}: which is right is unknown")


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
