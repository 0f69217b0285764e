"""A training table, held against the films at network size and against what can be learned from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mammo.detector.network_films import NetworkFilm, NetworkFilms
from mammo.errors import UserError
from mammo.tables.csvio import read_table
from mammo.tables.records import Image
from mammo.tables.retinanet_csv import LabelledBox, read_annotations, read_classes


@dataclass(frozen=True)
class TrainingFilm:
    """A film of the train set.

    Attributes:
        position: in the index of films at network size.
        path: of the written image, as the tables name it; for messages.
        boxes: (n, 4) float64 x1, y1, x2, y2 in network pixels.
        labels: (n,) class ids.
    """

    position: int
    path: str
    boxes: np.ndarray
    labels: np.ndarray


def read_train_set(
    csv_path: Path, classes_path: Path, films: NetworkFilms, allow_no_lesions: bool = False
) -> tuple[list[TrainingFilm], list[str]]:
    """The films of a training CSV and the class names.

    Args:
        films: those of the CSV at network size, and perhaps more.
        allow_no_lesions: for validation; a train set must have one.

    Raises:
        UserError: where nothing could be learned from the films, a class is unknown, or a film is not in the index, of
            another size there than in the table of images beside the CSV, or too small for a box.
    """
    names = read_classes(classes_path)
    ids = {name: index for index, name in enumerate(names)}
    positions = {row.path: position for position, row in enumerate(films.rows)}
    found = []
    for path, boxes in read_annotations(csv_path).items():
        unknown = sorted({box.class_name for box in boxes} - set(ids))
        if unknown:
            raise UserError(
                f"{csv_path}: {path} has the class '{unknown[0]}', which {classes_path} does not list "
                f"({', '.join(names)})"
            )
        if path not in positions:
            raise UserError(f"{csv_path}: {path} is not in {films.index}; remove that file to make it again")
        corners = _corners(path, boxes, films.rows[positions[path]]) * films.box_factors(positions[path])
        labels = np.array([ids[box.class_name] for box in boxes], int)
        found.append(TrainingFilm(positions[path], path, corners, labels))
    _check_lesions(csv_path, found, allow_no_lesions)
    _check_sizes(csv_path, films, {film.path: film.position for film in found})
    return found, names


def _corners(path: str, boxes: list[LabelledBox], film: NetworkFilm) -> np.ndarray:
    """The boxes (n, 4) in pixels of the written image."""
    corners = np.array([[box.x1, box.y1, box.x2, box.y2] for box in boxes], float).reshape(-1, 4)
    beyond = (corners[:, 2] > film.film_width) | (corners[:, 3] > film.film_height)
    if beyond.any():
        raise UserError(
            f"{path}: the box {corners[beyond][0].tolist()} reaches beyond the image of "
            f"{film.film_width}×{film.film_height} pixels; make the training table again"
        )
    return corners


def _check_lesions(csv_path: Path, films: list[TrainingFilm], allow_no_lesions: bool) -> None:
    if not films:
        raise UserError(f"{csv_path}: lists no films; check train_sets in config.yaml")
    if not allow_no_lesions and not any(len(film.boxes) for film in films):
        raise UserError(
            f"{csv_path}: none of its {len(films)} films has a lesion, so there is nothing to learn; "
            "check labels and train_sets in config.yaml"
        )


def _check_sizes(csv_path: Path, films: NetworkFilms, positions: dict[str, int]) -> None:
    """The images may have been written anew since: their table, where it lies beside the CSV, knows their size."""
    table = csv_path.with_name(f"{csv_path.stem}.images.csv")
    for image in read_table(table, Image) if table.is_file() else []:
        row = films.rows[positions[image.path]] if image.path in positions else None
        if row and (row.film_width, row.film_height) != (image.width, image.height):
            raise UserError(
                f"{films.index}: {row.path} was {row.film_width}×{row.film_height} pixels when it was scaled, {table} "
                f"says {image.width}×{image.height}; remove {films.index} to make it again"
            )
