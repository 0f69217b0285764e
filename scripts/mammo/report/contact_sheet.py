"""Small pictures of films with their lesions' boxes: what a set holds, and whether the boxes sit right, at a glance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mammo.datasets.looks import read_image
from mammo.errors import UserError
from mammo.files import sha256_bytes
from mammo.tables.records import Image, Lesion
from mammo.trainset.tables import ImageSet

# Okabe and Ito's orange (as B, G, R), on a dark seam that sets it off from bright tissue.
LINE, SEAM = (0, 159, 230), (0, 0, 0)
# Colour at full resolution: shared between neighbours, thin lines would turn grey.
JPEG = (
    cv2.IMWRITE_JPEG_QUALITY, 80, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
)  # fmt: skip
LEAST_BOX = 8  # pixels of the small picture: a smaller box is drawn around its lesion at this size


@dataclass(frozen=True)
class Tile:
    """One film of the sheet: a JPEG, and what stands below it."""

    image: Image
    lesions: tuple[Lesion, ...]
    jpeg: bytes
    width: int
    height: int


def contact_sheet(images: ImageSet, root: Path, count: int, side: int) -> list[Tile]:
    """`count` films of a set, longer side `side` pixels; paths are relative to `root`.

    Raises `UserError` for a film that cannot be read or has another size than its row says.
    """
    lesions = images.lesions_by_image()
    tiles = []
    for image in choose(images, count):
        own = tuple(lesions.get(image.image_id, ()))
        picture = draw(_read(root / image.path, image), own, side)
        done, data = cv2.imencode(".jpg", picture, JPEG)
        if not done:
            raise UserError(f"{image.image_id}: its small picture cannot be written")
        tiles.append(Tile(image, own, data.tobytes(), picture.shape[1], picture.shape[0]))
    return tiles


def choose(images: ImageSet, count: int) -> list[Image]:
    """A sample of `count` films, the same in every run: in turn one of each lesion type, then one without lesions.

    Within a kind the order is by a hash of the name, so that no delivery or patient comes first because of its name.
    """
    lesions = images.lesions_by_image()
    kinds: dict[tuple[bool, str], list[Image]] = defaultdict(list)
    for image in images.images:
        own = lesions.get(image.image_id, [])
        # The rarest things are seen by giving every combination of types a turn.
        kinds[not own, ";".join(sorted({lesion.lesion_type for lesion in own}))].append(image)
    queues = [
        sorted(kinds[kind], key=lambda image: sha256_bytes(image.image_id.encode())) for kind in sorted(kinds)
    ]
    chosen: list[Image] = []
    for turn in range(max(map(len, queues), default=0)):
        chosen += [queue[turn] for queue in queues if turn < len(queue)]
    return chosen[:count]


def _read(path: Path, image: Image) -> NDArray[np.uint8]:
    pixels = read_image(path)
    if pixels.shape != (image.height, image.width):
        raise UserError(
            f"{path}: expected a film of {image.width}×{image.height} pixels, "
            f"found {pixels.shape[1]}×{pixels.shape[0]}; make the images again"
        )
    return pixels


def draw(pixels: NDArray[np.uint8], lesions: Sequence[Lesion], side: int) -> NDArray[np.uint8]:
    """The film (height, width) at longer side `side`, in colour, a box around every lesion."""
    scale = side / max(pixels.shape)
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    grey = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    picture = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    for lesion in lesions:
        x1, x2 = _drawn(lesion.x1 * scale, lesion.x2 * scale)
        y1, y2 = _drawn(lesion.y1 * scale, lesion.y2 * scale)
        for colour, line in ((SEAM, 4), (LINE, 2)):
            cv2.rectangle(picture, (x1, y1), (x2, y2), colour, line)
    return picture


def _drawn(low: float, high: float) -> tuple[int, int]:
    """First and last pixel of a box's side, just outside the lesion."""
    middle, half = (low + high) / 2, max(high - low, LEAST_BOX) / 2
    return round(middle - half) - 1, round(middle + half)
