"""Members from files: their detections, the images at which they looked, their weights."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from mammo.errors import UserError
from mammo.fusion.pool import Looked
from mammo.tables.foreign import read_found_columns


def read_members(
    detections: Sequence[str], images: Sequence[str] = (), weights: Sequence[float] = ()
) -> list[Looked]:
    """Members from tables of detections: our CSV, COCO's list of results, or keras-retinanet's CSV with scores.

    `images`: CSV files with a column image_id, those that were looked at: one for all members or one for each;
    none: every member looked at every image on which any of them found something. `weights`: one for each member,
    or none.

    Raises `UserError` for another number of files or weights, and for what cannot be read.
    """
    if len(images) > 1 and len(images) != len(detections):
        raise UserError(
            f"{len(images)} lists of images for {len(detections)} members: give one for all, or one for each"
        )
    if weights and len(weights) != len(detections):
        raise UserError(f"{len(weights)} weights for {len(detections)} members: give one for each, or none")
    found = [read_found_columns(path) for path in detections]
    if images:
        looked = [read_image_ids(path) for path in images]
    else:
        looked = [frozenset(image_id for columns in found for image_id in columns.image_ids)]
    looked = looked if len(looked) == len(found) else looked * len(found)
    weights = weights or [1.0] * len(found)
    return [Looked(*member) for member in zip(looked, found, weights, strict=True)]


def read_image_ids(path: Path | str) -> frozenset[str]:
    """The column image_id of a CSV table with a header, of whatever other columns. Raises `UserError`."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            if "image_id" not in (reader.fieldnames or []):
                raise UserError(f"{path}: a list of images needs a header with a column image_id")
            rows = [(reader.line_num, row["image_id"]) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as a CSV table: {error}") from error
    for line, image_id in rows:
        if not image_id:
            raise UserError(f"{path}, line {line}: image_id is empty; every row needs the name of its image")
    return frozenset(image_id for _, image_id in rows)
