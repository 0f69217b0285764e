"""keras-retinanet's own CSV as a delivery: `path,x1,y1,x2,y2,class_name` without a header, `path,,,,,` for a normal.

Format: keras-retinanet's README, "CSV datasets"; boxes are 0-based, taken as half-open. Any `raw_files/**.csv` is a
delivery, paths are relative to it. The class table (`class*.csv`: `mass,0`), which keras-retinanet wants beside it, is
passed over.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mammo.datasets.base import Item
from mammo.datasets.listed import (
    ListedFilm,
    ListedLesion,
    corners,
    index_listed,
    listed_lesions,
)
from mammo.datasets.rawfolder import RawFolder
from mammo.datasets.texts import read_text
from mammo.dicom.unusable import Unusable
from mammo.errors import UserError
from mammo.settings import DatasetSettings
from mammo.tables.records import Lesion, Reject

_WAY_OUT = "put keras-retinanet's annotation CSV there, with its images"


@dataclass(frozen=True)
class _Line:
    """A row, its list's name and folder below the raw folder."""

    delivery: str
    folder: str
    cells: list[str]


def index(root: Path, dataset: str, settings: DatasetSettings) -> tuple[list[Item], list[Reject]]:
    """The films of all CSV files. Raises `UserError`."""
    raw = RawFolder(root, dataset, _WAY_OUT)
    lists = raw.lists("*.csv")
    rows = (row for path in lists for row in _rows(path, raw))
    return index_listed(raw, rows, _film, _lesions, lists, settings)


def _rows(path: Path, raw: RawFolder) -> list[tuple[str, _Line]]:
    """(place, row) of a list; none of a class table, which its name and its two columns give away."""
    rows = list(_lines(path, raw))
    is_class_table = path.name.lower().startswith("class") and all(len(row.cells) == 2 for _, row in rows)
    return [] if is_class_table else rows


def _lines(path: Path, raw: RawFolder) -> Iterator[tuple[str, _Line]]:
    below = raw.below(path)
    folder = PurePosixPath(below).parent.as_posix()
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield f"{below}#{reader.line_num}", _Line(path.stem, folder, [cell.strip() for cell in cells])
    except csv.Error as error:
        raise UserError(
            f"{path}, line {reader.line_num}: cannot be read as CSV: {error}; {_WAY_OUT}"
        ) from error


def _film(line: _Line) -> ListedFilm:
    if not line.cells[0]:
        raise Unusable("expected path,x1,y1,x2,y2,class_name, found no path")
    return ListedFilm(file=line.cells[0], folders=(line.folder,), delivery=line.delivery)


def _lesions(line: _Line) -> list[ListedLesion]:
    if len(line.cells) != 6:
        raise Unusable(f"expected path,x1,y1,x2,y2,class_name, found {len(line.cells)} cells")
    _, x1, y1, x2, y2, class_name = line.cells
    if not any((x1, y1, x2, y2, class_name)):
        return []
    if not class_name:
        raise Unusable("a box without a class")
    return [ListedLesion(class_name, corners(x1, y1, x2, y2))]


def annotate(item: Item, data: Path, size: tuple[int, int], settings: DatasetSettings) -> list[Lesion]:
    """The listed boxes of a film, cut to it. Raises `Unusable` where one lies outside of it."""
    return listed_lesions(item, size, "csv")
