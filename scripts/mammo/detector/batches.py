"""The order of training films and their batches: any batch of any epoch can be made by itself, the same each time.

Every random number comes from a generator keyed by (seed, batch, place in the batch), so that a training that was
killed goes on exactly as it would have, and threads that prepare batches ahead change nothing. Films are read anew each
time, from the file of films at network size, and nothing is kept: memory does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mammo.detector.ahead import in_order, processors
from mammo.detector.anchors import Anchors
from mammo.detector.films import augment, pad
from mammo.detector.network_films import NetworkFilms
from mammo.detector.targets import BACKGROUND, IGNORED
from mammo.detector.train_set import TrainingFilm, read_train_set
from mammo.settings import ExperimentSettings

__all__ = ["BACKGROUND", "IGNORED", "Batch", "BatchMaker", "TrainingFilm", "read_train_set"]

ORDER, CHANGE = 1, 2  # keys of the two streams of random numbers
WORKERS = 8  # threads that prepare batches, at most
AHEAD = 32  # films in batches that are ready or being made, beyond two batches: some 150 MB at 800×1333


@dataclass(frozen=True)
class Batch:
    """The films of a step and what the network should say of them.

    Attributes:
        images: (B, H, W) uint8 or uint16, grey, black right of and below each film; sides are multiples of `STRIDE`.
        shapes: (B, 2) int32 height and width of each film.
        regression: (B, A, 4) float32 box offsets of anchors that stand for a lesion, elsewhere 0.
        assignment: (B, A) int16 class id of the lesion that an anchor stands for, `BACKGROUND` or `IGNORED`.
        lesion_anchors: anchors that stand for a lesion, in the whole batch.
        paths: of the films, for messages.
    """

    images: np.ndarray
    shapes: np.ndarray
    regression: np.ndarray
    assignment: np.ndarray
    lesion_anchors: int
    paths: tuple[str, ...]


class BatchMaker:
    """Makes batch number k of a training, counted through all epochs; safe for threads.

    A batch holds the films of a whole step: `batch_size × accumulate × devices`, padded to one shape.
    """

    def __init__(
        self,
        films: NetworkFilms,
        train_films: list[TrainingFilm],
        anchors: Anchors,
        settings: ExperimentSettings,
        augment: bool = True,
    ) -> None:
        """`augment=False`: films as they are, for validation."""
        self._films, self._train_films, self._anchors = films, train_films, anchors
        self._settings, self._augment = settings, augment
        self._order = self._fixed_order()
        self._turn = lru_cache(maxsize=4)(self._made_turn)
        train = settings.train
        self.size = train.batch_size * train.accumulate * train.devices
        self.round_length = -(-len(self._order) // self.size)
        self.steps = self.round_length if train.steps == "auto" else train.steps

    def _fixed_order(self) -> np.ndarray:
        """Numbers of the films of a round, before chance: by shape if asked for, one with lesions as often as asked."""
        train = self._settings.train
        again = [train.oversample_lesions if len(film.boxes) else 1 for film in self._train_films]
        entries = [(copy, index) for index, count in enumerate(again) for copy in range(count)]
        # Copies of one film stand apart, as far as the order leaves it open: a batch should see it once.
        entries.sort(key=lambda entry: (self._ratio(entry[1]) if train.group_by == "ratio" else 0, *entry))
        return np.array([index for _, index in entries], int)

    def _ratio(self, index: int) -> float:
        row = self._films.rows[self._train_films[index].position]
        return row.width / row.height

    def _made_turn(self, turn: int) -> np.ndarray:
        """Numbers of the films of round `turn`, batch by batch: (round_length, size)."""
        count, train = len(self._order), self._settings.train
        rng = np.random.default_rng([train.seed, ORDER, turn])
        order = rng.permutation(self._order) if train.group_by == "random" else self._order
        # The last batch is filled up from the beginning.
        batches = order[np.arange(self.round_length * self.size) % count].reshape(-1, self.size)
        return rng.permutation(batches) if train.group_by == "ratio" else batches

    def members(self, number: int) -> list[int]:
        """Which films make up batch `number`; the last batch of a round is filled up from the round's beginning."""
        turn, place = divmod(number, self.round_length)
        return self._turn(turn)[place].tolist()

    def make(self, number: int) -> Batch:
        """Batch `number`, from 0. Raises `UserError` if a film's pixels are not those of the index."""
        chosen = [self._train_films[index] for index in self.members(number)]
        films, boxes, labels = zip(
            *(self._changed(film, number, place) for place, film in enumerate(chosen)), strict=True
        )
        images, shapes = pad(films), [film.shape for film in films]
        return Batch(
            images,
            np.array(shapes, np.int32),
            *self._anchors.targets(images.shape[1:], shapes, boxes, labels),
            tuple(film.path for film in chosen),
        )

    def _changed(
        self, film: TrainingFilm, number: int, place: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        pixels = self._films.read(film.position)
        if not self._augment:
            return pixels, film.boxes, film.labels
        rng = np.random.default_rng([self._settings.train.seed, CHANGE, number, place])
        return augment(pixels, film.boxes, film.labels, self._settings.augmentation, rng)

    def batches(self, first: int, last: int) -> Iterator[Batch]:
        """Batches first..last-1 in order, prepared ahead by threads."""
        workers = min(WORKERS, processors())
        ahead = max(2, min(2 * workers, AHEAD // self.size))
        return in_order(self.make, range(first, last), workers, ahead)
