"""A look at the validation set after each epoch: losses as in training, and what the boxes found are worth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mammo.detector.anchors import Anchors
from mammo.detector.batches import Batch, BatchMaker, TrainingFilm
from mammo.detector.keras import tf
from mammo.detector.look import Detector
from mammo.detector.losses import focal_sum, normaliser, smooth_l1_sum
from mammo.detector.network_films import NetworkFilms
from mammo.settings import ExperimentSettings


@dataclass(frozen=True)
class Looked:
    """A film of the validation set, all in its network pixels.

    Attributes:
        position: in the index of films.
        lesions: (n, 4).
        boxes: (m, 4), by falling score; scores: (m,).
    """

    image_id: str
    position: int
    lesions: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray


# What boxes on films are worth, by name; given from outside, since metrics come after the detector.
Figures = Callable[[Sequence[Looked]], dict[str, float | None]]


class Validator:
    """The validation set, made ready to be looked at after every epoch; it may hold no lesion.

    Args:
        films, members: the set.
        factors: weight of each class in the losses.
        figures: what is told of the boxes found, e.g. `mammo.metrics.epoch.epoch_figures`.
    """

    def __init__(
        self,
        films: NetworkFilms,
        members: Sequence[TrainingFilm],
        model: Any,
        anchors: Anchors,
        settings: ExperimentSettings,
        factors: Sequence[float],
        figures: Figures,
    ) -> None:
        self._films, self._members, self._figures = films, list(members), figures
        self._detector = Detector(model, settings)
        one_by_one = {"accumulate": 1, "devices": 1, "oversample_lesions": 1}
        settings = settings.model_copy(update={"train": settings.train.model_copy(update=one_by_one)})
        self._maker = BatchMaker(films, self._members, anchors, settings, augment=False)
        self._losses = tf.function(
            lambda assignment, regression, offsets, scores: (
                smooth_l1_sum(assignment, regression, offsets, settings.losses, factors),
                focal_sum(assignment, scores, settings.losses, factors),
            ),
            reduce_retracing=True,
        )

    def run(self) -> tuple[dict[str, float | None], list[Looked]]:
        """Figures by the names of the history's columns (`val_…`), and the films behind them.

        Each film counts as a batch of its own, so that the losses do not depend on how the films are batched.
        """
        looked: dict[int, Looked] = {}
        losses: list[tuple[float, float]] = []
        for number, batch in enumerate(self._maker.batches(0, self._maker.round_length)):
            outputs = self._detector.outputs(batch.images)
            shapes = [tuple(shape) for shape in batch.shapes]
            boxes = self._detector.boxes(outputs, batch.images.shape[1:3], shapes)
            for place, film in enumerate(self._maker.members(number)):
                if film not in looked:  # the last batch is filled up with films that were there already
                    looked[film] = self._looked(self._members[film], boxes[place])
                    losses.append(self._film_losses(batch, place, *outputs))
        regression, classification = (float(value) for value in np.mean(losses, axis=0))
        found = {
            "val_loss": regression + classification,
            "val_regression_loss": regression,
            "val_classification_loss": classification,
        }
        films = list(looked.values())
        return found | {f"val_{name}": value for name, value in self._figures(films).items()}, films

    def _looked(self, member: TrainingFilm, rows: np.ndarray) -> Looked:
        name = self._films.rows[member.position].image_id
        return Looked(name, member.position, member.boxes, rows[:, :4], rows[:, 4])

    def _film_losses(self, batch: Batch, place: int, offsets: Any, scores: Any) -> tuple[float, float]:
        one = slice(place, place + 1)
        assignment = batch.assignment[one]
        sums = self._losses(assignment, batch.regression[one], offsets[one], scores[one])
        divisor = normaliser(int((assignment >= 0).sum()))
        return float(sums[0]) / divisor, float(sums[1]) / divisor

    def pictures(
        self, looked: Sequence[Looked], most: int
    ) -> Iterator[tuple[str, tuple[np.ndarray, np.ndarray, np.ndarray]]]:
        """Name, and film, lesions and boxes with scores (m, 5), of a few films; those with lesions before others."""
        for film in sorted(looked, key=lambda film: (not len(film.lesions), film.image_id))[:most]:
            found = np.column_stack([film.boxes, film.scores])
            yield film.image_id, (self._films.read(film.position), film.lesions, found)
