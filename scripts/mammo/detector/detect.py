"""A snapshot looks at sets of films, once; everything else is computed from what it found."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mammo.detector.ahead import in_order
from mammo.detector.keras import tf
from mammo.detector.look import Detector, batch_shape
from mammo.detector.model import build_model
from mammo.detector.network_films import NetworkFilm, NetworkFilms
from mammo.detector.weights import load_exactly
from mammo.errors import UserError
from mammo.settings import DetectSettings, ExperimentSettings
from mammo.tables.records import Detection
from mammo.tables.retinanet_csv import read_classes

BATCH_PIXELS = 800 * 1333  # films of one shape that go through the network together
READERS = 2  # threads that read films while the network looks


def detect_sets(
    snapshot: Path, sets: Mapping[str, Path], classes: Path, settings: ExperimentSettings
) -> Iterator[tuple[str, list[Detection]]]:
    """All boxes that a snapshot finds on each set, one set after the other; the network is loaded once.

    Args:
        sets: by name the index of a set's films at network size (`NetworkFilms`).

    Yields:
        a set's name and its boxes in pixels of the written images, in the order of a table of detections: by image_id,
        then from the highest score. They depend on no other set.

    Raises:
        UserError: if the snapshot is of another network than the settings describe, or a set's files do not fit.
    """
    names = read_classes(classes)
    films = {name: films_of(index, settings) for name, index in sets.items()}
    model = build_model(settings.model, len(names), settings.train.seed)
    load_exactly(model, snapshot)
    detector = Detector(model, settings, frozen=not tf.config.list_physical_devices("GPU"))
    for name, one in films.items():
        yield name, detections(detector, one, names, settings.detect, f"{snapshot.stem} on {name}")


def detections(
    detector: Detector, films: NetworkFilms, names: Sequence[str], settings: DetectSettings, title: str = ""
) -> list[Detection]:
    """What a detector finds on a set, in pixels of the written images and in the order of `detect_sets`.

    Args:
        names: of the classes, in the order of their ids.
        title: of the bar that shows how far it is.
    """
    found = [
        row
        for film, boxes in look_at_films(detector, films, settings, title)
        for row in _in_image_pixels(film, boxes, names)
    ]
    return sorted(
        found, key=lambda row: (row.image_id, -row.score, row.x1, row.y1, row.x2, row.y2, row.label)
    )


def films_of(index: Path, settings: ExperimentSettings) -> NetworkFilms:
    """Films at network size for an experiment's network. Raises `UserError` where they have other bits than it sees."""
    films = NetworkFilms(index)
    for row in films.rows:
        if row.bits != settings.bits:
            raise UserError(
                f"{index}: {row.image_id} has {row.bits} bits a pixel and the network sees {settings.bits} "
                "(experiments.*.bits); remove the index and its pixels to make them again"
            )
    return films


def look_at_films(
    detector: Detector, films: NetworkFilms, settings: DetectSettings, title: str
) -> Iterator[tuple[NetworkFilm, np.ndarray]]:
    """Each film's row and its boxes in network pixels (`Detector.look`), batch by batch, so not in the index's order.

    Threads read the next films while the network looks.
    """
    batches = batches_of(films.rows, settings)

    def read(batch: list[int]) -> np.ndarray:
        return detector.lay_out([films.read(position) for position in batch])

    with tqdm(total=len(films), desc=title, mininterval=5, file=sys.stderr) as bar:
        for batch, pixels in zip(batches, in_order(read, batches, READERS), strict=True):
            rows = [films.rows[position] for position in batch]
            yield from zip(
                rows, detector.look_at_batch(pixels, [(row.height, row.width) for row in rows]), strict=True
            )
            bar.update(len(rows))


def batches_of(films: Sequence[NetworkFilm], settings: DetectSettings) -> list[list[int]]:
    """Positions of all films of a set, those that fill one shape together, wherever they stand: batches of at most
    `BATCH_PIXELS`, or of one film."""
    by_shape: dict[tuple[int, int], list[int]] = defaultdict(list)
    for position, film in enumerate(films):
        by_shape[batch_shape([(film.height, film.width)], settings)].append(position)
    batches = []
    for (height, width), positions in sorted(by_shape.items()):
        most = max(1, BATCH_PIXELS // (height * width))
        batches += [positions[start : start + most] for start in range(0, len(positions), most)]
    return batches


def _in_image_pixels(film: NetworkFilm, boxes: np.ndarray, names: Sequence[str]) -> Iterator[Detection]:
    """Boxes (n, 6) in network pixels as detections in pixels of the written image."""
    factor = np.array([film.film_width / film.width, film.film_height / film.height] * 2)
    for box in boxes:
        x1, y1, x2, y2 = (round(float(value), 2) for value in box[:4] * factor)
        if x1 < x2 and y1 < y2:
            yield Detection(
                image_id=film.image_id, x1=x1, y1=y1, x2=x2, y2=y2, score=round(float(box[4]), 6),
                label=names[int(box[5])],
            )  # fmt: skip
