"""Tables of detections as columns: hundreds of thousands of rows, for which an object a row would take seconds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mammo.files import atomic_path
from mammo.tables.boxes import Boxes, as_boxes
from mammo.tables.csvio import columns, csv_text, read_table
from mammo.tables.dialect import csv_line
from mammo.tables.records import Detection

NUMBERS = ("x1", "y1", "x2", "y2", "score")


@dataclass(frozen=True)
class DetectionColumns:
    """Detections in their order: image ids and class names (n,), boxes (n, 4) in pixels of the image, scores (n,)."""

    image_ids: list[str]
    boxes: Boxes
    scores: NDArray[np.float64]
    labels: list[str]


def as_columns(rows: Iterable[Detection]) -> DetectionColumns:
    """The same detections as columns."""
    rows = list(rows)
    return DetectionColumns(
        [row.image_id for row in rows],
        as_boxes([(row.x1, row.y1, row.x2, row.y2) for row in rows]),
        np.array([row.score for row in rows], np.float64),
        [row.label for row in rows],
    )


def read_detections(path: Path | str) -> DetectionColumns:
    """Read a table of detections; the values are those of `read_table`, bit for bit.

    Raises:
        UserError: as `read_table`, which reads again what is not a plain and sound table and finds the words.
    """
    try:
        return read_plain(path)
    except (OSError, ValueError):
        return as_columns(read_table(path, Detection))


def read_plain(path: Path | str) -> DetectionColumns:
    """Read a table of ours, fast. Raises `OSError` or `ValueError` for anything out of the ordinary, sound or not."""
    with open(path, newline="", encoding="utf-8") as file:
        if file.readline() != csv_line(columns(Detection)) or not (line := file.readline()):
            raise ValueError
        dtype = [("image_id", object), *((name, np.float64) for name in NUMBERS), ("label", object)]
        table = np.loadtxt(chain([line], file), dtype, comments=None, delimiter=",", quotechar='"', ndmin=1)
    numbers = np.column_stack([table[name] for name in NUMBERS])
    scores = numbers[:, 4]
    image_ids, labels = table["image_id"].tolist(), table["label"].tolist()
    if not (np.isfinite(numbers).all() and ((scores >= 0) & (scores <= 1)).all()):
        raise ValueError
    if not (all(image_ids) and all(labels)):
        raise ValueError
    return DetectionColumns(image_ids, as_boxes(numbers[:, :4]), scores, labels)


def write_detections(path: Path | str, detections: DetectionColumns) -> None:
    """Write a table of detections, whole or not at all: the bytes that `write_table` gives, ten times as fast."""
    numbers = [_number_texts(column) for column in (*detections.boxes.T, detections.scores)]
    ends = [label + "\n" for label in _text_cells(detections.labels)]
    cells = zip(_text_cells(detections.image_ids), *numbers, ends, strict=True)
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        file.write(csv_line(columns(Detection)))
        file.writelines(map(",".join, cells))


def _text_cells(texts: list[str]) -> list[str]:
    quoted = {text: csv_line([text])[:-1] for text in set(texts)}
    return [quoted[text] for text in texts]


def _number_texts(values: NDArray[np.float64]) -> list[str]:
    """Floats as `write_table` writes them: the shortest text that reads back equal, whole numbers without a point."""
    distinct, places = np.unique(values, return_inverse=True)
    texts = [csv_text(value) for value in distinct.tolist()]
    return np.array(texts, object)[places].tolist()
