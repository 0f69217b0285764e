"""Synthetic sets of plain pictures with a list of their lesions: COCO JSON, Pascal VOC, keras-retinanet CSV.

PNG, TIFF and PGM are written here byte by byte, so that what reads them is not what wrote them.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from mammo.phantom.film import FilmSpec, make_film
from mammo.phantom.settings import DifficultySettings
from mammo.phantom.truth import Result, TruthImage, TruthLesion

KINDS = ((), ("mass",), ("cluster",), ("mass", "cluster"))


@dataclass(frozen=True)
class PictureFilm:
    """A film, `pixels` uint8 (height, width), and its truth; `name` without suffix; lesions: class, half-open box."""

    name: str
    patient: str
    pixels: np.ndarray
    lesions: tuple[tuple[str, tuple[int, int, int, int]], ...]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.pixels.shape[1], self.pixels.shape[0]


def picture_films(seed: int, count: int = 4, height: int = 192, width: int = 160) -> list[PictureFilm]:
    """Films of two views a patient; the first has no lesion, the next a mass, and so on through `KINDS`."""
    films = []
    for index in range(count):
        patient, view = f"p{index // 2:03d}", ("CC", "MLO")[index % 2]
        key = f"{seed} picture {index}"
        kinds = KINDS[index % len(KINDS)]
        spec = FilmSpec(key, f"{seed} {patient}", height, width, "L", view, kinds, DifficultySettings(), 0.01)
        film = make_film(spec)
        pixels = np.round(film.pixels * 255).astype(np.uint8)
        lesions = tuple((lesion.kind, tuple(map(int, lesion.box))) for lesion in film.lesions)
        films.append(PictureFilm(f"{patient}_L_{view}", patient, pixels, lesions))
    return films


def truth_of(films: Sequence[PictureFilm], sources: Sequence[str], delivery: str) -> Result:
    """The truth about films whose files are `sources` (relative to the data folder), in a part without files."""
    images, lesions = [], []
    for film, source in zip(films, sources, strict=True):
        kinds = ";".join(sorted({kind for kind, _ in film.lesions}))
        group = "abn" if film.lesions else "normal"
        images.append(
            TruthImage(source, delivery, film.patient, "", "", *film.size, group, "", kinds, film.name, "")
        )
        lesions += [
            TruthLesion(source, f"{number:02d}", *box, kind, "", source, 1)
            for number, (kind, box) in enumerate(film.lesions)
        ]
    return Result((), tuple(images), tuple(lesions))


# --- the sets ---------------------------------------------------------------------------------------------------------


def coco_set(films: Sequence[PictureFilm], dataset: str) -> Result:
    """`annotations/instances_train.json`, `images/train/*.png`."""
    files = [(f"images/train/{film.name}.png", png(film.pixels)) for film in films]
    images = [
        {"id": 10 + index, "file_name": f"{film.name}.png", "width": film.size[0], "height": film.size[1]}
        for index, film in enumerate(films)
    ]
    names = sorted({kind for film in films for kind, _ in film.lesions})
    found = [(10 + index, *lesion) for index, film in enumerate(films) for lesion in film.lesions]
    annotations = [
        {
            "id": number,
            "image_id": image,
            "category_id": 3 * names.index(kind) + 1,
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "area": (x2 - x1) * (y2 - y1),
            "iscrowd": 0,
        }
        for number, (image, kind, (x1, y1, x2, y2)) in enumerate(found, 100)
    ]
    categories = [{"id": 3 * number + 1, "name": name} for number, name in enumerate(names)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    listed = ("annotations/instances_train.json", json.dumps(content).encode())
    return _with_files([*files, listed], films, dataset, "train")


def pascal_set(films: Sequence[PictureFilm], dataset: str) -> Result:
    """`Annotations/*.xml`, `JPEGImages/*.jpg`, `ImageSets/Main/train.txt`."""
    pictures = [(f"JPEGImages/{film.name}.jpg", jpeg(film.pixels)) for film in films]
    xmls = [(f"Annotations/{film.name}.xml", _voc_xml(film).encode()) for film in films]
    listed = ("ImageSets/Main/train.txt", "".join(f"{film.name}\n" for film in films).encode())
    return _with_files([*pictures, *xmls, listed], films, dataset, "train")


def _voc_xml(film: PictureFilm) -> str:
    objects = "".join(
        f"<object><name>{kind}</name><truncated>0</truncated><difficult>0</difficult><bndbox>"
        f"<xmin>{x1 + 1}</xmin><ymin>{y1 + 1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>\n"
        for kind, (x1, y1, x2, y2) in film.lesions
    )
    size = f"<size><width>{film.size[0]}</width><height>{film.size[1]}</height><depth>1</depth></size>"
    return f"<annotation>\n<filename>{film.name}.jpg</filename>\n{size}\n{objects}</annotation>\n"


def retinanet_set(films: Sequence[PictureFilm], dataset: str) -> Result:
    """`train.csv`, `class.csv`, `films/*.pgm`."""
    files = [(f"films/{film.name}.pgm", pgm(film.pixels)) for film in films]
    rows = []
    for film in films:
        path = f"films/{film.name}.pgm"
        rows += [f"{path},{','.join(map(str, box))},{kind}" for kind, box in film.lesions]
        rows += [] if film.lesions else [f"{path},,,,,"]
    names = sorted({kind for film in films for kind, _ in film.lesions})
    classes = "".join(f"{name},{number}\n" for number, name in enumerate(names))
    lists = [("train.csv", "\n".join(rows).encode()), ("class.csv", classes.encode())]
    return _with_files([*files, *lists], films, dataset, "train")


def _with_files(
    files: Sequence[tuple[str, bytes]], films: Sequence[PictureFilm], dataset: str, delivery: str
) -> Result:
    """The part of these files; the first of them are the films', in their order."""
    sources = [f"{dataset}/raw_files/{name}" for name, _ in files[: len(films)]]
    return replace(truth_of(films, sources, delivery), files=tuple(files))


# --- pictures ---------------------------------------------------------------------------------------------------------


def png(pixels: np.ndarray) -> bytes:
    """Grey (height, width) or RGB (height, width, 3), uint8 or uint16, as PNG with filter 0 (W3C PNG, 5 and 9)."""
    height, width = pixels.shape[:2]
    colour = 2 if pixels.ndim == 3 else 0
    head = struct.pack(">IIBBBBB", width, height, 8 * pixels.itemsize, colour, 0, 0, 0)
    rows = pixels.astype(pixels.dtype.newbyteorder(">")).reshape(height, -1)
    body = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows), 6)
    chunks = ((b"IHDR", head), (b"IDAT", body), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def pgm(pixels: np.ndarray, white: int = 0) -> bytes:
    """Grey (height, width) uint8 or uint16 as binary PGM with a comment; `white` is the largest value (netpbm)."""
    height, width = pixels.shape
    white = white or np.iinfo(pixels.dtype).max
    data = pixels.astype(">u2" if white > 255 else "u1").tobytes()
    return f"P5\n# synthetic\n{width} {height}\n{white}\n".encode() + data


def tiff(pixels: np.ndarray, order: str = "<", white_is_zero: bool = False, orientation: int = 1) -> bytes:
    """Grey (height, width) uint8 or uint16 as a TIFF of one strip without compression (TIFF 6.0, section 3)."""
    height, width = pixels.shape
    data = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    values = {
        256: width, 257: height, 258: 8 * pixels.itemsize, 259: 1, 262: 0 if white_is_zero else 1, 273: 8,
        274: orientation, 277: 1, 278: height, 279: len(data),
    }  # fmt: skip
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8 + len(data) + len(data) % 2)
    entries = b"".join(struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in values.items())
    return head + data + b"\0" * (len(data) % 2) + struct.pack(order + "H", len(values)) + entries + bytes(4)


def jpeg(pixels: np.ndarray, quality: int = 95) -> bytes:
    """Grey (height, width) or BGR (height, width, 3) uint8 as JPEG."""
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
