"""A snapshot looks at the films of a test set, once; everything else is computed from what it stored."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from mammo.detector.anchors import Anchors, decode_boxes
from mammo.detector.films import lay_out, padded_shape
from mammo.detector.keras import tf
from mammo.detector.model import build_model, preprocessing_mode
from mammo.detector.network_films import read_film, scale_film
from mammo.detector.weights import load_exactly
from mammo.errors import UserError
from mammo.settings import DetectSettings, ExperimentSettings
from mammo.tables.csvio import read_table
from mammo.tables.records import Detection, Image
from mammo.tables.retinanet_csv import read_classes

BATCH_PIXELS = 800 * 1333  # films of one shape that go through the network together


def detect(snapshot: Path, images: Path, classes: Path, settings: ExperimentSettings) -> list[Detection]:
    """All boxes that a snapshot finds, in pixels of the written images, in the order of detections.csv.

    Args:
        images: table of `Image` rows; paths relative to its folder.

    Raises:
        UserError: if the snapshot is of another network than the settings describe, or an image is not as its row says.
    """
    names = read_classes(classes)
    films = sorted(read_table(images, Image), key=lambda image: image.image_id)
    model = build_model(settings.model, len(names), settings.train.seed)
    load_exactly(model, snapshot)
    detector = Detector(model, settings)
    found: list[Detection] = []
    bar = tqdm(films, snapshot.stem, mininterval=5, file=sys.stderr)
    for batch, scaled in _batches(bar, images.parent, settings):
        for image, film, rows in zip(batch, scaled, detector.look(scaled), strict=True):
            found += _in_image_pixels(image, film.shape, rows, names)
    return sorted(
        found, key=lambda row: (row.image_id, -row.score, row.x1, row.y1, row.x2, row.y2, row.label)
    )


class Detector:
    """A model with its anchors, made ready to look at films of any size."""

    def __init__(self, model: Any, settings: ExperimentSettings) -> None:
        self._settings = settings.detect
        self._mode = preprocessing_mode(settings.model.backbone)
        self._anchors = Anchors(model, settings.model.anchors)
        self._network = tf.function(
            lambda batch: model(batch, training=False),
            input_signature=[tf.TensorSpec((None, None, None, 3), tf.float32)],
        )

    def look(self, films: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Boxes in network pixels of each grey film (H, W): arrays (n, 6) of x1, y1, x2, y2, score, class id."""
        batch = lay_out(films, self._mode)
        regression, scores = (output.numpy() for output in self._network(batch))
        anchors = self._anchors.for_shape(*batch.shape[1:3])
        return [
            select_boxes(decode_boxes(anchors, offsets), film_scores, film.shape, self._settings)
            for film, offsets, film_scores in zip(films, regression, scores, strict=True)
        ]


def select_boxes(
    boxes: np.ndarray, scores: np.ndarray, shape: tuple[int, ...], settings: DetectSettings
) -> np.ndarray:
    """The boxes worth keeping: clipped to the film, from the score floor on, without weaker doubles of one class.

    Args:
        boxes: (A, 4); scores: (A, classes); shape: height and width of the film.

    Returns:
        (n, 6) float64 of x1, y1, x2, y2, score, class id, strongest first, at most `max_detections`.
    """
    clipped = np.clip(boxes, 0, [shape[1], shape[0], shape[1], shape[0]])
    sound = (clipped[:, 2] > clipped[:, 0]) & (clipped[:, 3] > clipped[:, 1])
    chosen = []
    for label in range(scores.shape[1]):
        index = np.flatnonzero(sound & (scores[:, label] >= settings.score_floor))
        kept = tf.image.non_max_suppression(
            clipped[index].astype(np.float32),
            scores[index, label],
            settings.max_detections,
            settings.nms_threshold,
        )
        index = index[kept.numpy()]
        chosen.append(np.column_stack([clipped[index], scores[index, label], np.full(len(index), label)]))
    rows = np.concatenate(chosen)
    return rows[np.argsort(-rows[:, 4], kind="stable")][: settings.max_detections]


def _batches(
    films: Sequence[Image], folder: Path, settings: ExperimentSettings
) -> Iterator[tuple[list[Image], list[np.ndarray]]]:
    """Films in order, those of one padded shape that follow each other together."""
    held: list[tuple[Image, np.ndarray]] = []
    for image in films:
        film = read_film(folder / image.path)
        if film.shape != (image.height, image.width):
            raise UserError(
                f"{folder / image.path}: is {film.shape[1]}×{film.shape[0]} pixels, its row in the images table says "
                f"{image.width}×{image.height}; make the images again"
            )
        scaled = scale_film(film, settings.sides)
        shape = padded_shape([scaled.shape])
        if held and (
            padded_shape([held[0][1].shape]) != shape or (len(held) + 1) * shape[0] * shape[1] > BATCH_PIXELS
        ):
            yield [row for row, _ in held], [pixels for _, pixels in held]
            held = []
        held.append((image, scaled))
    if held:
        yield [row for row, _ in held], [pixels for _, pixels in held]


def _in_image_pixels(
    image: Image, shape: tuple[int, ...], rows: np.ndarray, names: Sequence[str]
) -> list[Detection]:
    """Rows (n, 6) in network pixels of a film of `shape`, as detections in pixels of the written image."""
    factor = np.array([image.width / shape[1], image.height / shape[0]] * 2)
    found = []
    for row in rows:
        x1, y1, x2, y2 = (round(float(value), 2) for value in row[:4] * factor)
        if x1 < x2 and y1 < y2:
            score = round(float(row[4]), 6)
            found.append(
                Detection(
                    image_id=image.image_id, x1=x1, y1=y1, x2=x2, y2=y2, score=score, label=names[int(row[5])]
                )
            )
    return found
