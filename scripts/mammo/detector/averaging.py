"""The mean of the weights of several epochs as one more snapshot.

Source: Izmailov, Podoprikhin, Garipov, Vetrov, Wilson, "Averaging weights leads to wider optima and better
generalization", UAI 2018 (stochastic weight averaging): the mean of weights along one training lies in a flatter place
than each of them. The mean of networks has not the mean of their features, so statistics of batch normalisation that
training moved are taken anew (section 3.2 there). What a network keeps frozen is the same in each of them, and stays.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from tqdm import tqdm

from mammo.detector.detect import batches_of, films_of
from mammo.detector.films import pad
from mammo.detector.freezing import Freezer
from mammo.detector.keras import keras, tf
from mammo.detector.model import build_model, preprocessing_mode
from mammo.detector.network_films import NetworkFilms
from mammo.detector.preprocess import preprocess
from mammo.detector.weights import load_exactly
from mammo.errors import UserError
from mammo.files import atomic_path
from mammo.settings import DetectSettings, ExperimentSettings
from mammo.tables.retinanet_csv import read_classes


def average_snapshots(
    snapshots: Sequence[Path], films: Path, classes: Path, settings: ExperimentSettings, out: Path
) -> None:
    """Write the mean of snapshots of one training to `out`, as keras-retinanet reads it; whole or not at all.

    Args:
        films: index of the training films at network size; read only where a batch normalisation is trained.
        classes: class table.
        settings: of which `model`, `bits`, `train.batch_size` and `train.freeze` count.

    Raises:
        UserError: for a snapshot of another network, and for films that do not fit.
    """
    model = build_model(settings.model, len(read_classes(classes)), settings.train.seed)
    model.set_weights(mean_weights(model, snapshots))
    Freezer(model, settings.train.freeze).apply(settings.train.freeze.thaw_epoch or 1)  # as the training ends
    norms = trained_norms(model)
    if norms:
        take_statistics_anew(model, norms, films_of(films, settings), settings)
    print(
        f"mean of {len(snapshots)} snapshots; statistics of {len(norms)} layers taken anew", file=sys.stderr
    )
    with atomic_path(out) as temporary, h5py.File(temporary, "w") as file:
        model.save(file, include_optimizer=False, save_format="h5")


def mean_weights(model: Any, snapshots: Sequence[Path]) -> list[np.ndarray]:
    """The mean of each weight over snapshots of the model's network, summed in float64; one in memory at a time."""
    sums: list[np.ndarray] = []
    for snapshot in snapshots:
        load_exactly(model, snapshot)
        weights = [weight.astype(np.float64) for weight in model.get_weights()]
        sums = [total + weight for total, weight in zip(sums, weights, strict=True)] if sums else weights
    return [(total / len(snapshots)).astype(np.float32) for total in sums]


def trained_norms(model: Any) -> list[Any]:
    """Layers of batch normalisation whose statistics training moves."""
    return [
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]


def take_statistics_anew(
    model: Any, norms: Sequence[Any], films: NetworkFilms, settings: ExperimentSettings
) -> None:
    """Set each layer's mean and variance to the means over batches of all films of those in the batch, by films.

    Films go through the network as in training, in batches of `train.batch_size` of one shape, but unchanged and each
    once, so that the same films give the same statistics.
    """
    usual = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0.0  # one batch's statistics then take the place of those before
    mode = preprocessing_mode(settings.model.backbone)

    @tf.function(reduce_retracing=True)
    def feed(batch: Any) -> None:
        model(preprocess(batch, mode), training=True)

    moving = [weight for layer in norms for weight in (layer.moving_mean, layer.moving_variance)]
    sums = [np.zeros(weight.shape, np.float64) for weight in moving]
    for batch in tqdm(list(_batches(films, settings)), "batch normalisation", mininterval=5, file=sys.stderr):
        feed(tf.constant(pad([films.read(position) for position in batch])))
        for total, weight in zip(sums, moving, strict=True):
            total += len(batch) * weight.numpy().astype(np.float64)
    for total, weight in zip(sums, moving, strict=True):
        weight.assign((total / len(films)).astype(np.float32))
    for layer, momentum in zip(norms, usual, strict=True):
        layer.momentum = momentum


def _batches(films: NetworkFilms, settings: ExperimentSettings) -> Iterator[list[int]]:
    """Positions of all films, in batches of those that fill one shape."""
    if not len(films):
        raise UserError(f"{films.index}: lists no films, and batch normalisation needs some")
    for positions in batches_of(films.rows, DetectSettings()):
        left = iter(positions)
        while batch := list(islice(left, settings.train.batch_size)):
            yield batch
