"""keras-retinanet's own CSV: `path,x1,y1,x2,y2,class_name` without a header, `path,,,,,` for an image without lesions.

Format: keras-retinanet's README, "CSV datasets". Paths are relative to the CSV file; boxes are pixels of the image.
One row a lesion; all rows of an image stand together.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mammo.errors import UserError
from mammo.files import atomic_path
from mammo.tables.dialect import csv_line


@dataclass(frozen=True)
class LabelledBox:
    """A lesion as the network learns it: box in pixels of the image, class name."""

    x1: float
    y1: float
    x2: float
    y2: float
    class_name: str


def write_annotations(path: Path | str, images: Iterable[tuple[str, Sequence[LabelledBox]]]) -> None:
    """Write images (path relative to the CSV's folder, boxes) in the given order; whole or not at all."""
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        for image, boxes in images:
            if not boxes:
                file.write(csv_line([image, "", "", "", "", ""]))
            for box in boxes:
                (x1, x2), (y1, y2) = _whole(box.x1, box.x2), _whole(box.y1, box.y2)
                file.write(csv_line([image, x1, y1, x2, y2, box.class_name]))


def _whole(low: float, high: float) -> tuple[int, int]:
    """The nearest whole pixels; at least one pixel wide, which keras-retinanet insists on, and still in the image."""
    rounded = round(low), round(high)
    return rounded if rounded[0] < rounded[1] else (math.floor(low), math.ceil(high))


def read_annotations(path: Path | str) -> dict[str, list[LabelledBox]]:
    """Read a CSV; images in their order, paths as written. Raises `UserError` naming file, line and value."""
    images: dict[str, list[LabelledBox]] = {}
    for line, cells in read_rows(path):
        if len(cells) != 6 or not cells[0]:
            raise UserError(
                f"{path}, line {line}: expected path,x1,y1,x2,y2,class_name, found {','.join(cells)!r}"
            )
        boxes = images.setdefault(cells[0], [])
        if any(cells[1:]):
            boxes.append(_box(path, line, cells))
    return images


def _box(path: Path | str, line: int, cells: list[str]) -> LabelledBox:
    try:
        x1, y1, x2, y2 = (float(cell) for cell in cells[1:5])
    except ValueError as error:
        raise UserError(
            f"{path}, line {line}: x1,y1,x2,y2 must be numbers, found {','.join(cells[1:5])!r}"
        ) from error
    if not (0 <= x1 < x2 < math.inf and 0 <= y1 < y2 < math.inf) or not cells[5]:
        raise UserError(
            f"{path}, line {line}: a box needs 0 <= x1 < x2, 0 <= y1 < y2 and a class name, "
            f"found {','.join(cells[1:])!r}"
        )
    return LabelledBox(x1, y1, x2, y2, cells[5])


def write_classes(path: Path | str, names: Sequence[str]) -> None:
    """Write `class_name,id` rows, ids from 0 in the given order."""
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        file.writelines(csv_line([name, index]) for index, name in enumerate(names))


def read_classes(path: Path | str) -> list[str]:
    """Class names by id. Raises `UserError` where ids are not 0, 1, 2, … or a name stands twice."""
    try:
        pairs = [(int(cells[1]), cells[0]) for _, cells in read_rows(path)]
    except (ValueError, IndexError) as error:
        raise UserError(f"{path}: expected class_name,id in every row: {error}") from error
    names = [name for _, name in sorted(pairs)]
    if (
        [number for number, _ in sorted(pairs)] != list(range(len(pairs)))
        or len(set(names)) != len(names)
        or not names
    ):
        raise UserError(f"{path}: ids must be 0, 1, 2, … and names unique, found {pairs}")
    return names


def read_rows(path: Path | str) -> list[tuple[int, list[str]]]:
    """(line, cells) of the rows that are not empty, of any CSV. Raises `UserError` for what is no UTF-8 CSV."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            return [(reader.line_num, cells) for cells in reader if cells]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as a CSV table: {error}") from error
