"""Lesions, detections and images of anyone's making: our CSV, COCO JSON, keras-retinanet's CSV.

Boxes are x1, y1, x2, y2 in pixels of the image. A file's format is told by its content: JSON by its first letter, our
CSV by a header with `image_id`, keras-retinanet's by having none. What is wrong is gathered in `faults`, with its row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mammo.errors import UserError
from mammo.tables.boxes import as_boxes
from mammo.tables.coco_json import category_names, coco_lists, entry_id, parse_json
from mammo.tables.detections import DetectionColumns, read_plain
from mammo.tables.faults import Faults
from mammo.tables.retinanet_csv import read_rows

SIDES = ("x1", "y1", "x2", "y2")
LABELS = ("lesion_type", "label", "class_name", "class")


@dataclass(frozen=True)
class ForeignImage:
    """An image that was looked at; None or the empty text where the file does not say. `name` is another name of it."""

    where: str
    image_id: str
    name: str = ""
    patient: str = ""
    study: str = ""
    laterality: str = ""
    view: str = ""
    dataset: str = ""
    width: int | None = None
    height: int | None = None
    pixel_mm: float | None = None


@dataclass(frozen=True)
class ForeignBox:
    """A lesion, or a detection, which has a score; `where` names its row."""

    where: str
    image_id: str
    box: tuple[float, float, float, float]
    label: str
    score: float | None


@dataclass
class ForeignTable:
    """What one file says. `images` is None where it does not say which images were looked at."""

    path: Path
    faults: Faults
    boxes: list[ForeignBox] = field(default_factory=list)
    images: list[ForeignImage] | None = None


def read_lesions(path: Path | str) -> ForeignTable:
    """The truth of a set. Raises `UserError` where the file is none of the three formats; see `ForeignTable.faults`."""
    path = Path(path)
    if _is_json(path):
        return _coco_truth(path)
    return _csv(path, scored=False)


def read_found(path: Path | str) -> ForeignTable:
    """Detections: our CSV, a COCO list of results, or keras-retinanet's CSV with the score as a seventh cell.

    Raises `UserError` where the file is none of them; see `ForeignTable.faults`.
    """
    path = Path(path)
    if _is_json(path):
        return _coco_results(path)
    return _csv(path, scored=True)


def read_found_columns(path: Path | str) -> DetectionColumns:
    """Detections in any of the formats, as columns; plain tables of ours at the speed of `read_detections`.

    Raises `UserError` with the rows that are wrong, and for coordinates that look normalised.
    """
    try:
        columns = read_plain(path)
    except (OSError, ValueError):
        columns = None
    if columns is not None and _is_sound(columns):
        return columns
    table = read_found(path)
    refuse_shares(table)
    table.faults.stop()
    return found_columns(table.boxes)


def _is_sound(columns: DetectionColumns) -> bool:
    """Whether no row needs a word: boxes the right way round, and not all within one pixel of the corner."""
    boxes = columns.boxes
    return bool((boxes[:, :2] <= boxes[:, 2:]).all() and ((boxes < 0) | (boxes > 1)).any())


def found_columns(boxes: Sequence[ForeignBox]) -> DetectionColumns:
    """Detections as columns, in their order."""
    return DetectionColumns(
        [box.image_id for box in boxes],
        as_boxes([box.box for box in boxes]),
        np.array([box.score for box in boxes], np.float64),
        [box.label for box in boxes],
    )


def refuse_shares(table: ForeignTable) -> None:
    """Raises `UserError` where all coordinates lie in 0..1: shares of the image instead of pixels."""
    if table.boxes and all(0 <= side <= 1 for box in table.boxes for side in box.box):
        raise UserError(
            f"{table.path}: all coordinates lie in 0..1, which looks normalised; expected pixels: multiply x by the "
            "image's width and y by its height"
        )


def read_images(path: Path | str, key: str = "image_id") -> ForeignTable:
    """A CSV with a header, a row an image: the column `key`, and as many others of `ForeignImage` as it has.

    Raises `UserError` where the column `key` is missing; see `ForeignTable.faults`.
    """
    table = ForeignTable(Path(path), Faults(path), images=[])
    rows = read_rows(path)
    header = rows[0][1] if rows else []
    if key not in header:
        raise UserError(f"{path}: expected a header with the column {key}, found {','.join(header)!r}")
    seen: dict[str, str] = {}
    for where, cells in _cells(rows[1:], len(header), table.faults):
        record = dict(zip(header, cells, strict=True))
        image_id = record.pop(key)
        if not image_id or image_id in seen:
            told = f"{image_id} stands already in {seen[image_id]}" if image_id else f"the {key} is empty"
            table.faults.add(where, told)
            continue
        seen[image_id] = where
        table.images.append(_image(where, image_id, record, table.faults))
    return table


def _image(where: str, image_id: str, record: Mapping[str, Any], faults: Faults) -> ForeignImage:
    texts = ("name", "patient", "study", "laterality", "view", "dataset")
    known: dict[str, Any] = {name: str(record[name]) for name in texts if name in record}
    for name in ("width", "height", "pixel_mm"):
        if record.get(name) not in (None, ""):
            number = _number(record[name])
            if number is None or number <= 0:
                faults.add(where, f"{name} must be a number above 0, found {record[name]!r}")
            else:
                known[name] = number if name == "pixel_mm" else math.ceil(number)
    return ForeignImage(where, image_id, **known)


def _csv(path: Path, *, scored: bool) -> ForeignTable:
    rows = read_rows(path)
    table = ForeignTable(path, Faults(path))
    if rows and "image_id" in rows[0][1]:
        _with_header(rows, table, scored=scored)
    else:
        _retinanet(rows, table, scored=scored)
    return table


def _with_header(rows: list[tuple[int, list[str]]], table: ForeignTable, *, scored: bool) -> None:
    header = rows[0][1]
    needed = ["image_id", *SIDES, *(["score"] if scored else [])]
    missing = [name for name in needed if name not in header]
    if missing:
        raise UserError(
            f"{table.path}: the header needs the columns {', '.join(needed)}; missing: {', '.join(missing)}"
        )
    named = next((name for name in LABELS if name in header), None)
    for where, cells in _cells(rows[1:], len(header), table.faults):
        record = dict(zip(header, cells, strict=True))
        sides, score = [record[side] for side in SIDES], record["score"] if scored else None
        _add(table, where, record["image_id"], sides, record[named] if named else "", score, scored=scored)


def _retinanet(rows: list[tuple[int, list[str]]], table: ForeignTable, *, scored: bool) -> None:
    images: dict[str, ForeignImage] = {}
    for where, cells in _cells(rows, 7 if scored else 6, table.faults):
        path, *sides, label = cells[:6]
        if path:
            images.setdefault(path, ForeignImage(where, path))
        if any(cells[1:]) or not path:
            _add(table, where, path, sides, label, cells[6] if scored else None, scored=scored)
    table.images = list(images.values())


def _cells(rows: list[tuple[int, list[str]]], count: int, faults: Faults) -> list[tuple[str, list[str]]]:
    """(place, cells) of the rows that have so many cells; the others are faults."""
    kept = []
    for line, cells in rows:
        if len(cells) == count:
            kept.append((f"line {line}", [cell.strip() for cell in cells]))
        else:
            faults.add(f"line {line}", f"expected {count} cells, found {len(cells)}")
    return kept


def _coco_truth(path: Path) -> ForeignTable:
    table = ForeignTable(path, Faults(path), images=[])
    content = coco_lists(path, _text(path))
    names = category_names(content["categories"])
    seen: dict[str, str] = {}
    for place, entry in enumerate(content["images"]):
        where, number = f"images/{place}", entry_id(entry, "id")
        if number is None or str(number) in seen:
            table.faults.add(
                where, f"its id {number!r} is none, or that of {seen.get(str(number), 'no image')}"
            )
            continue
        seen[str(number)] = where
        known = {
            "name": entry.get("file_name", ""),
            "width": entry.get("width"),
            "height": entry.get("height"),
        }
        table.images.append(_image(where, str(number), known, table.faults))
    for place, entry in enumerate(content["annotations"]):
        if isinstance(entry, dict) and entry.get("iscrowd"):
            table.faults.add(f"annotations/{place}", "a crowd (iscrowd) is not one lesion's box")
        else:
            label = names.get(entry_id(entry, "category_id"), "")
            _add_coco(table, f"annotations/{place}", entry, label, scored=False)
    return table


def _coco_results(path: Path) -> ForeignTable:
    table = ForeignTable(path, Faults(path))
    content = parse_json(path, _text(path))
    if not isinstance(content, list):
        raise UserError(
            f"{path}: COCO's results are a list of objects with image_id, category_id, bbox and score, found "
            f"{type(content).__name__}"
        )
    for place, entry in enumerate(content):
        _add_coco(table, f"entry {place}", entry, str(entry_id(entry, "category_id") or ""), scored=True)
    return table


def _add_coco(table: ForeignTable, where: str, entry: Any, label: str, *, scored: bool) -> None:
    """bbox is x, y, width, height."""
    image = entry_id(entry, "image_id")
    box = entry.get("bbox") if isinstance(entry, dict) else None
    numbers = [_number(value) for value in box] if isinstance(box, list) else []
    if image is None or len(numbers) != 4 or None in numbers:
        table.faults.add(where, "expected an image_id and a bbox of four finite numbers")
        return
    x, y, width, height = numbers
    sides = [x, y, x + width, y + height]
    _add(table, where, str(image), sides, label, entry.get("score") if scored else None, scored=scored)


def _add(
    table: ForeignTable, where: str, image_id: str, sides: list, label: str, score: Any, *, scored: bool
) -> None:
    """Add a box, or what is wrong with it. A lesion must have an area; a detection may have none."""
    box = [_number(side) for side in sides]
    faults = [
        f"{name} must be a finite number, found {side!r}"
        for name, side, number in zip(SIDES, sides, box, strict=True)
        if number is None
    ]
    if not image_id:
        faults.append("it names no image")
    if not faults:
        for low, high in ((0, 2), (1, 3)):
            if box[high] < box[low] or (not scored and box[high] == box[low]):
                found = f"{SIDES[low]} {box[low]:g} and {SIDES[high]} {box[high]:g}"
                faults.append(f"{SIDES[low]} must be below {SIDES[high]}, found {found}")
    value = _number(score) if scored else None
    if scored and (value is None or not 0 <= value <= 1):
        faults.append(f"the score must be a number in 0..1, found {score!r}")
    for fault in faults:
        table.faults.add(where, fault)
    if not faults:
        table.boxes.append(ForeignBox(where, image_id, tuple(box), label, value))


def _number(value: Any) -> float | None:
    """A finite number, also written as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _is_json(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            return path.suffix.lower() == ".json" or file.read(64).lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (
                b"[",
                b"{",
            )
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}; give a file that is there") from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: the text is not UTF-8; save it as UTF-8") from error
