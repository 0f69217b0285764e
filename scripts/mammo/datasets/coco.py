"""COCO JSON: `images`, `annotations` with `bbox` x,y,width,height, `categories`; each `*.json` is a delivery.

Format: cocodataset.org, "Data format"; layout as keras-retinanet's `coco` takes it (`annotations/instances_<set>.json`,
`images/<set>/`), or the pictures beside the JSON. An image without annotations is a normal.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from mammo.datasets.base import Item
from mammo.datasets.listed import (
    ListedFilm,
    ListedLesion,
    corners,
    index_listed,
    listed_lesions,
    number,
    pixel_size,
)
from mammo.datasets.rawfolder import RawFolder
from mammo.datasets.texts import read_text
from mammo.dicom.unusable import Unusable
from mammo.settings import DatasetSettings
from mammo.tables.coco_json import category_names, coco_lists, entry_id
from mammo.tables.records import Lesion, Reject

_WAY_OUT = "put COCO's JSON files and their images there"


@dataclass(frozen=True)
class _Image:
    """An entry of `images`; the (place, entry) of `annotations` that name it; category names by id."""

    delivery: str
    folder: str
    entry: Any
    annotations: list[tuple[str, dict]]
    categories: dict[Any, str]
    is_only_one: bool


def index(root: Path, dataset: str, settings: DatasetSettings) -> tuple[list[Item], list[Reject]]:
    """The films of all JSON files. Raises `UserError`."""
    raw = RawFolder(root, dataset, _WAY_OUT)
    lists = raw.lists("*.json")
    rows = (row for path in lists for row in _images(path, raw))
    return index_listed(raw, rows, _film, _lesions, lists, settings)


def _images(path: Path, raw: RawFolder) -> Iterator[tuple[str, _Image]]:
    """(place, image) of each entry of `images`; annotations that belong to none are turned down."""
    below = raw.below(path)
    content = coco_lists(path, read_text(path))
    names = category_names(content["categories"])
    count = Counter(entry_id(entry, "id") for entry in content["images"])
    annotations: dict[Any, list[tuple[str, dict]]] = defaultdict(list)
    for position, annotation in enumerate(content["annotations"]):
        image = entry_id(annotation, "image_id")
        if image is None or image not in count:
            raw.reject(f"{below}#annotations/{position}", "its image_id is that of no image of the list")
        else:
            annotations[image].append((f"annotations/{position}", annotation))
    delivery = path.stem.removeprefix("instances_")
    folder = PurePosixPath(below).parent.as_posix()
    for position, entry in enumerate(content["images"]):
        image = entry_id(entry, "id")
        is_only_one = image is not None and count[image] == 1
        row = _Image(delivery, folder, entry, annotations[image], names, is_only_one)
        yield f"{below}#images/{position}", row


def _film(image: _Image) -> ListedFilm:
    name = entry_id(image.entry, "file_name")
    if not isinstance(name, str):
        raise Unusable("an image without a file_name")
    return ListedFilm(
        file=name,
        folders=(f"images/{image.delivery}", image.delivery, image.folder, "images", ""),
        size=pixel_size(image.entry.get("width"), image.entry.get("height")),
        delivery=image.delivery,
    )


def _lesions(image: _Image) -> list[ListedLesion]:
    if not image.is_only_one:
        raise Unusable("its id is none, or that of several images")
    return [_lesion(place, entry, image.categories) for place, entry in image.annotations]


def _lesion(place: str, entry: dict, categories: dict[Any, str]) -> ListedLesion:
    name = categories.get(entry_id(entry, "category_id"))
    if not name:
        raise Unusable(f"{place}: its category_id is that of no category")
    if entry.get("iscrowd"):
        raise Unusable(f"{place}: a crowd (iscrowd), not one lesion's box")
    box = entry.get("bbox")
    if not isinstance(box, list) or len(box) != 4:
        raise Unusable(f"{place}: no bbox of four numbers")
    try:
        x, y, width, height = map(number, box)
        return ListedLesion(name, corners(x, y, x + width, y + height))
    except Unusable as fault:
        raise Unusable(f"{place}: {fault}") from fault


def annotate(item: Item, data: Path, size: tuple[int, int], settings: DatasetSettings) -> list[Lesion]:
    """The listed boxes of a film, cut to it. Raises `Unusable` where one lies outside of it."""
    return listed_lesions(item, size, "coco")
