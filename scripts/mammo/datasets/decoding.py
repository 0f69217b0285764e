"""The films of a shard as display images."""

from __future__ import annotations

from pathlib import Path

import cv2
from numpy.typing import NDArray
from tqdm import tqdm

from mammo.datasets.base import Item, read_shard
from mammo.datasets.films import display_any
from mammo.datasets.folders import atomic_folder
from mammo.dicom.display import DisplayImage
from mammo.dicom.unusable import Unusable
from mammo.errors import UserError
from mammo.files import sha256_bytes
from mammo.settings import DisplaySettings
from mammo.tables.records import Image, Reject


def decode_shard(
    shard: Path, data: Path, root: Path, images: Path, settings: DisplaySettings
) -> tuple[list[Image], list[Reject]]:
    """Write each film of a shard as `<images>/<film_id>.jpg` or `.png`; `images` appears whole, with nothing else.

    Paths of the rows are relative to `root`, the dataset's folder. A film that cannot be shown becomes a reject.
    """
    rows: list[Image] = []
    rejects: list[Reject] = []
    with atomic_folder(images) as folder:
        for item in tqdm(read_shard(shard), f"decode {shard.stem}", unit="film", mininterval=2.0):
            try:
                film = display_any(data / item.film, settings, item.frame)
                encoded = encoded_image(film.pixels, settings)
            except Unusable as error:
                rejects.append(Reject(source=item.film, stage="decode", reason=str(error)))
                continue
            name = f"{item.film_id}{suffix(settings)}"
            (folder / name).write_bytes(encoded)
            rows.append(_image(item, film, _relative(images / name, root), sha256_bytes(encoded)))
    return rows, rejects


def suffix(settings: DisplaySettings) -> str:
    """How the names of written images end."""
    return ".jpg" if settings.image_format == "jpeg" else ".png"


def encoded_image(pixels: NDArray, settings: DisplaySettings) -> bytes:
    """(height, width) uint8, for png16 uint16, as the bytes of a grey image file; the same for the same pixels.

    Raises `Unusable` if too large.
    """
    if settings.image_format == "jpeg":
        return grey_jpeg(pixels, settings.jpeg_quality)
    # The lowest level: higher ones take twice as long for 3 % of the noise of a film.
    done, data = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise Unusable("cannot be written as a PNG")
    return data.tobytes()


def grey_jpeg(pixels: NDArray, quality: int) -> bytes:
    """(height, width) uint8 as a grey JPEG; the same bytes for the same pixels. Raises `Unusable` if too large."""
    if max(pixels.shape) > 65500:
        raise Unusable("larger than a JPEG can be")
    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise Unusable("cannot be written as a JPEG")
    return data.tobytes()


def _relative(path: Path, root: Path) -> str:
    """Path of an image below the dataset's folder, as the tables write it. Raises `UserError` elsewhere."""
    try:
        return path.resolve().relative_to(root.resolve()).as_posix()
    except ValueError as error:
        raise UserError(f"{path}: images must lie inside the dataset's folder {root}") from error


def _image(item: Item, film: DisplayImage, path: str, sha256: str) -> Image:
    facts = film.facts
    return Image(
        image_id=item.image_id,
        path=path,
        dataset=item.dataset,
        delivery=item.delivery,
        patient=item.patient,
        study=item.study,
        laterality=item.laterality or facts.laterality,
        view=item.view or facts.view,
        width=facts.width,
        height=facts.height,
        pixel_mm=facts.pixel_mm or item.pixel_mm,
        group=item.group,
        lesion_types=";".join(sorted(item.lesion_types)),
        source=item.film,
        source_sha256=item.sha256,
        sha256=sha256,
        density=item.density,
    )
