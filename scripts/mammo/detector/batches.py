"""The order of training films and their batches: any batch of any epoch can be made by itself, the same each time.

Every random number comes from a generator keyed by (seed, batch, place in the batch), so that a training that was
killed goes on exactly as it would have, and threads that prepare batches ahead change nothing.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mammo.detector.anchors import Anchors
from mammo.detector.films import FilmCache, augment, lay_out, padded_shape
from mammo.errors import UserError
from mammo.settings import ExperimentSettings
from mammo.tables.retinanet_csv import read_annotations, read_classes

ORDER, CHANGE = 1, 2  # keys of the two streams of random numbers


@dataclass(frozen=True)
class TrainingFilm:
    """A film of the train set: boxes (n, 4) float64 in its own pixels, labels (n,) class ids."""

    path: Path
    boxes: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Batch:
    """A step's input (B, H, W, 3), the targets of both heads, and the films for messages."""

    images: np.ndarray
    regression: np.ndarray
    classification: np.ndarray
    paths: tuple[Path, ...]


def read_train_set(csv_path: Path, classes_path: Path) -> tuple[list[TrainingFilm], list[str]]:
    """The films of a training CSV and the class names. Raises `UserError` where nothing could be learned from them."""
    names = read_classes(classes_path)
    ids = {name: index for index, name in enumerate(names)}
    films = []
    for relative, boxes in read_annotations(csv_path).items():
        unknown = sorted({box.class_name for box in boxes} - set(ids))
        if unknown:
            raise UserError(
                f"{csv_path}: {relative} has the class '{unknown[0]}', which {classes_path} does not list "
                f"({', '.join(names)})"
            )
        corners = np.array([[box.x1, box.y1, box.x2, box.y2] for box in boxes], float).reshape(-1, 4)
        labels = np.array([ids[box.class_name] for box in boxes], int)
        films.append(TrainingFilm(csv_path.parent / relative, corners, labels))
    if not films:
        raise UserError(f"{csv_path}: lists no films; check train_sets in config.yaml")
    if not any(len(film.boxes) for film in films):
        raise UserError(
            f"{csv_path}: none of its {len(films)} films has a lesion, so there is nothing to learn; "
            "check labels and train_sets in config.yaml"
        )
    missing = [film.path for film in films if not film.path.is_file()]
    if missing:
        raise UserError(
            f"{csv_path}: {len(missing)} of its {len(films)} images are missing, the first is {missing[0]}"
        )
    return films, names


def _workers() -> int:
    return min(8, len(os.sched_getaffinity(0)))


class BatchMaker:
    """Makes batch number k of a training, counted through all epochs."""

    def __init__(
        self,
        films: list[TrainingFilm],
        classes: int,
        anchors: Anchors,
        settings: ExperimentSettings,
        mode: str,
    ) -> None:
        self._films, self._classes, self._anchors, self._settings, self._mode = (
            films,
            classes,
            anchors,
            settings,
            mode,
        )
        self._cache = FilmCache(settings.sides)
        size = settings.train.batch_size
        self.round_length = -(-len(films) // size)
        self.steps = self.round_length if settings.train.steps == "auto" else settings.train.steps
        self._by_ratio: list[int] = []
        if settings.train.group_by == "ratio":
            with ThreadPoolExecutor(_workers()) as pool:  # reads every film once, which fills the cache
                ratios = list(pool.map(self._ratio, range(len(films))))
            self._by_ratio = sorted(range(len(films)), key=lambda index: (ratios[index], index))

    def _ratio(self, index: int) -> float:
        film, _ = self._cache.get(self._films[index].path)
        return film.shape[1] / film.shape[0]

    def members(self, number: int) -> list[int]:
        """Which films make up batch `number`; the last batch of a round is filled up from the round's beginning."""
        size, count = self._settings.train.batch_size, len(self._films)
        turn, place = divmod(number, self.round_length)
        order = list(range(count))
        rng = np.random.default_rng([self._settings.train.seed, ORDER, turn])
        if self._settings.train.group_by == "random":
            order = rng.permutation(count).tolist()
        elif self._settings.train.group_by == "ratio":
            order, place = self._by_ratio, int(rng.permutation(self.round_length)[place])
        return [order[position % count] for position in range(place * size, (place + 1) * size)]

    def make(self, number: int) -> Batch:
        """Batch `number`, from 0."""
        chosen = [self._films[index] for index in self.members(number)]
        entries = [self._changed(film, number, place) for place, film in enumerate(chosen)]
        images = [image for image, _, _ in entries]
        shapes = [image.shape for image in images]
        regression, classification = self._anchors.targets(
            padded_shape(shapes),
            shapes,
            [boxes for _, boxes, _ in entries],
            [labels for *_, labels in entries],
            self._classes,
        )
        return Batch(
            lay_out(images, self._mode), regression, classification, tuple(film.path for film in chosen)
        )

    def _changed(
        self, film: TrainingFilm, number: int, place: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        image, (height, width) = self._cache.get(film.path)
        beyond = (film.boxes[:, 2] > width) | (film.boxes[:, 3] > height)
        if beyond.any():
            raise UserError(
                f"{film.path}: the box {film.boxes[beyond][0].tolist()} reaches beyond the image of "
                f"{width}×{height} pixels; make the training table again"
            )
        factor = np.array([image.shape[1] / width, image.shape[0] / height] * 2)
        rng = np.random.default_rng([self._settings.train.seed, CHANGE, number, place])
        return augment(image, film.boxes * factor, film.labels, self._settings.augmentation, rng)

    def batches(self, first: int, last: int) -> Iterator[Batch]:
        """Batches first..last-1 in order, prepared ahead by threads."""
        workers = _workers()
        waiting: deque[Future[Batch]] = deque()
        with ThreadPoolExecutor(workers, thread_name_prefix="batches") as pool:
            try:
                for number in range(first, last):
                    waiting.append(pool.submit(self.make, number))
                    if len(waiting) > 2 * workers:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()
