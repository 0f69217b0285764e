"""Films at network size, made once and read without decoding: an index (CSV) and, beside it, one file of pixels.

Every training, every epoch and every snapshot's detection looks at a film at the same size. So films are decoded and
scaled once for a set and a pair of sides. The pixel file holds the films' grey levels one after the other, row by row,
without headers, uint8 or uint16 in little-endian order; the index says where each begins. Needs no TensorFlow.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from pydantic import Field
from tqdm import tqdm

from mammo.detector.ahead import in_order, processors
from mammo.errors import UserError
from mammo.files import atomic_path, sha256_bytes
from mammo.settings import SideSettings
from mammo.tables.csvio import read_table, write_table
from mammo.tables.records import Image, Row, Sha256, Text

PIXELS = ".pixels"  # suffix of the file of pixels, in place of the index's .csv


class NetworkFilm(Row):
    """One row of the index: a film at network size."""

    image_id: Text
    path: Text = Field(description="The written image, as the set's images.csv names it.")
    offset: int = Field(ge=0, description="Of its first byte in the file of pixels.")
    bits: int = Field(ge=8, le=16, multiple_of=8, description="8 or 16 a pixel.")
    height: int = Field(gt=0, description="At network size.")
    width: int = Field(gt=0, description="At network size.")
    film_height: int = Field(gt=0, description="Of the written image.")
    film_width: int = Field(gt=0, description="Of the written image.")
    sha256: Sha256 = Field(description="Of the pixels at network size.")

    @property
    def bytes(self) -> int:
        """How many it takes in the file of pixels."""
        return self.height * self.width * self.bits // 8


def read_film(path: Path, bits: int = 8) -> np.ndarray:
    """A grey image (H, W), uint8 or uint16. Raises `UserError` where it cannot be read or holds too few grey levels."""
    flags = cv2.IMREAD_GRAYSCALE if bits == 8 else cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH
    film = cv2.imread(str(path), flags)
    if film is None:
        raise UserError(f"{path}: is missing or cannot be read as an image; make the images again")
    if bits == 16 and film.dtype != np.uint16:
        raise UserError(
            f"{path}: holds 8 bits a pixel and the network shall see 16 (experiments.*.bits); "
            "set display.image_format to png16 and make the images again"
        )
    return film


def scale_film(film: np.ndarray, sides: SideSettings) -> np.ndarray:
    """The film at network size: shorter side `min`, unless the longer would exceed `max` (as keras-retinanet scales).

    Area interpolation where it shrinks: linear interpolation would skip pixels, and small calcifications with them.
    """
    height, width = film.shape
    scale = min(sides.min / min(height, width), sides.max / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(film, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def write_network_films(images: Path, sides: SideSettings, bits: int, index: Path) -> list[NetworkFilm]:
    """Bring all films of a set to network size, in the order of their ids.

    Args:
        images: table of `Image` rows; paths relative to its folder.
        bits: 8 or 16 a pixel.
        index: the table to write; the pixels go beside it.

    Raises:
        UserError: if an image cannot be read or is not as its row says.
    """
    rows = sorted(read_table(images, Image), key=lambda row: row.image_id)
    films: list[NetworkFilm] = []
    with atomic_path(index.with_suffix(PIXELS)) as temporary, open(temporary, "wb") as file:
        bar = tqdm(
            _scaled(images.parent, rows, sides, bits), index.stem, len(rows), mininterval=5, file=sys.stderr
        )
        for row, film in zip(rows, bar, strict=True):
            pixels = film.astype(film.dtype.newbyteorder("<"), copy=False).tobytes()
            films.append(
                NetworkFilm(
                    image_id=row.image_id, path=row.path, offset=file.tell(), bits=bits, height=film.shape[0],
                    width=film.shape[1], film_height=row.height, film_width=row.width, sha256=sha256_bytes(pixels),
                )
            )  # fmt: skip
            file.write(pixels)
    write_table(index, NetworkFilm, films)
    return films


def _scaled(folder: Path, rows: list[Image], sides: SideSettings, bits: int) -> Iterator[np.ndarray]:
    """The films in order, a few read ahead by threads: however many there are, memory holds no more."""
    return in_order(lambda row: scale_film(_checked(folder, row, bits), sides), rows, processors())


def _checked(folder: Path, row: Image, bits: int) -> np.ndarray:
    film = read_film(folder / row.path, bits)
    if film.shape != (row.height, row.width):
        raise UserError(
            f"{folder / row.path}: is {film.shape[1]}×{film.shape[0]} pixels, its row in the images table says "
            f"{row.width}×{row.height}; make the images again"
        )
    return film


class NetworkFilms:
    """The films of an index, read one at a time; safe for threads. Holds no pixels.

    Raises:
        UserError: if the file of pixels is missing or is not as long as the index says.
    """

    def __init__(self, index: Path) -> None:
        self.index, self.rows = index, read_table(index, NetworkFilm)
        self._path = index.with_suffix(PIXELS)
        self._sound = np.zeros(len(self.rows), bool)  # films whose digest was found right
        expected = max((row.offset + row.bytes for row in self.rows), default=0)
        try:
            self._file = open(self._path, "rb")  # noqa: SIM115 - held for life
            found = os.fstat(self._file.fileno()).st_size
        except OSError as error:
            raise UserError(
                f"{self._path}: cannot be read ({error.strerror}); remove it and {index.name} to make them again"
            ) from error
        if found != expected:
            raise UserError(
                f"{self._path}: holds {found} bytes, {index.name} says {expected}; remove both to make them again"
            )

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, position: int) -> np.ndarray:
        """Film number `position` of the index, from 0: (height, width), uint8 or uint16; a copy of its own.

        Raises:
            UserError: if the pixels are not those of the index (the digest is taken the first time a film is read).
        """
        row = self.rows[position]
        pixels = bytearray(row.bytes)
        found = os.preadv(self._file.fileno(), [pixels], row.offset)
        if found != row.bytes or not (self._sound[position] or sha256_bytes(pixels) == row.sha256):
            raise UserError(
                f"{self._path}: does not hold the pixels of {row.image_id} that its index names; remove it and its "
                "index to make them again"
            )
        self._sound[position] = True
        dtype = np.dtype(np.uint8 if row.bits == 8 else "<u2")
        return np.frombuffer(pixels, dtype).reshape(row.height, row.width)

    def box_factors(self, position: int) -> np.ndarray:
        """What boxes (n, 4) in pixels of the written image are multiplied by to be in network pixels: shape (4,)."""
        row = self.rows[position]
        return np.array([row.width / row.film_width, row.height / row.film_height] * 2)
