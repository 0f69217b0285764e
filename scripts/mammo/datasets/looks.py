"""Written images as they are looked at again, and the look of a film in 256 bits."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mammo.errors import UserError
from mammo.tables.records import Image

SIDE, KEPT = 64, 16


def read_image(path: Path) -> NDArray[np.uint8]:
    """A written image as 8-bit grey (height, width). Raises `UserError` where it cannot be read."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
        pixels = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if len(data) else None
    except OSError as error:
        raise UserError(
            f"{path}: the film cannot be read: {error.strerror}; make the images again"
        ) from error
    except cv2.error:  # its text has line ends in it
        pixels = None
    if pixels is None:
        raise UserError(f"{path}: the film is no picture; make the images again")
    return pixels


def read_film(root: Path, image: Image) -> NDArray[np.uint8]:
    """The film of a row whose path is relative to `root`, as `read_image`. Raises `UserError` for another size too."""
    path = root / image.path
    pixels = read_image(path)
    if pixels.shape != (image.height, image.width):
        raise UserError(
            f"{path}: expected a film of {image.width}×{image.height} pixels, "
            f"found {pixels.shape[1]}×{pixels.shape[0]}; make the images again"
        )
    return pixels


def look_of(pixels: NDArray[np.uint8]) -> str:
    """64 hexadecimal digits of a film (height, width): few bits change in another size, window or quality.

    Perceptual hash: the film at 64×64, its 16×16 lowest cosine frequencies, a bit for each that says whether it lies
    above their median (the mean of the film, which is no frequency, left out). Mirrored films look different.
    """
    small = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    waves = cv2.dct(small)[:KEPT, :KEPT].ravel()
    return np.packbits(waves > np.median(waves[1:])).tobytes().hex()
