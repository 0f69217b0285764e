"""The mean of snapshots' weights, and batch normalisation measured anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mammo.detector.averaging import average_snapshots, mean_weights, trained_norms
from mammo.detector.keras import tf
from mammo.detector.model import build_model
from mammo.detector.network_films import NetworkFilms
from mammo.detector.preprocess import preprocess
from mammo.detector.weights import load_exactly
from mammo.errors import UserError
from mammo.settings import ExperimentSettings

from .conftest import network_index, tiny_settings


def saved(settings: ExperimentSettings, folder: Path, seeds: tuple[int, ...]) -> list[Path]:
    """Snapshots of the settings' network with random weights."""
    paths = []
    for seed in seeds:
        model = build_model(settings.model, 1, seed)
        paths.append(folder / f"{seed}.h5")
        model.save(paths[-1], include_optimizer=False, save_format="h5")
    return paths


def weights_in(settings: ExperimentSettings, path: Path) -> list[np.ndarray]:
    model = build_model(settings.model, 1)
    load_exactly(model, path)
    return model.get_weights()


def test_every_weight_is_the_mean(films):
    settings = tiny_settings()
    paths = saved(settings, films, (1, 2, 3))
    out = films / "avg.h5"
    average_snapshots(paths, network_index(films, "train", settings), films / "class.csv", settings, out)
    each = [weights_in(settings, path) for path in paths]
    for mean, *parts in zip(weights_in(settings, out), *each, strict=True):
        np.testing.assert_allclose(mean, np.mean(parts, axis=0, dtype=np.float64), atol=1e-7)


def test_keras_retinanet_reads_an_average(films):
    from keras_retinanet.models import load_model

    settings = tiny_settings(model={"backbone": "mobilenet128_0.25"})
    out = films / "avg.h5"
    average_snapshots(
        saved(settings, films, (1, 2)),
        network_index(films, "train", settings),
        films / "class.csv",
        settings,
        out,
    )
    assert [layer.name for layer in load_model(str(out), backbone_name="mobilenet128_0.25").layers]


def test_batch_statistics_are_the_means_over_batches_of_the_training_films(films):
    """The first normalisation: what it is fed can be computed without the code under test."""
    settings = tiny_settings(model={"backbone": "mobilenet128_0.25"}, train={"batch_size": 2})
    paths, out = saved(settings, films, (1, 2)), films / "avg.h5"
    index = network_index(films, "train", settings)
    average_snapshots(paths, index, films / "class.csv", settings, out)
    model = build_model(settings.model, 1)
    load_exactly(model, out)
    first = next(layer for layer in trained_norms(model))
    before = build_model(settings.model, 1)
    before.set_weights(mean_weights(before, paths))
    feeding = type(before)(before.input, before.get_layer(first.name).input)
    read = NetworkFilms(index)
    pixels = np.stack([read.read(position) for position in range(len(read))])
    batches = [
        feeding(preprocess(tf.constant(pixels[start : start + 2]), "tf")).numpy() for start in (0, 2, 4)
    ]
    np.testing.assert_allclose(
        first.moving_mean.numpy(),
        np.mean([batch.mean(axis=(0, 1, 2)) for batch in batches], axis=0),
        atol=1e-5,
    )
    values = batches[0][..., 0].size
    variances = [
        batch.var(axis=(0, 1, 2)) * values / (values - 1) for batch in batches
    ]  # TensorFlow's: unbiased
    np.testing.assert_allclose(first.moving_variance.numpy(), np.mean(variances, axis=0), rtol=1e-4)


def test_what_the_network_keeps_frozen_stays(films):
    settings = tiny_settings(model={"backbone": "mobilenet128_0.25"}, train={"freeze": {"through": "C5"}})
    paths, out = saved(settings, films, (1, 2)), films / "avg.h5"
    average_snapshots(paths, films / "no_such_index.csv", films / "class.csv", settings, out)
    each = [weights_in(settings, path) for path in paths]
    for mean, *parts in zip(weights_in(settings, out), *each, strict=True):
        np.testing.assert_allclose(mean, np.mean(parts, axis=0, dtype=np.float64), atol=1e-7)


def test_a_snapshot_of_another_network_is_refused_and_leaves_nothing(films):
    settings = tiny_settings()
    (other,) = saved(tiny_settings(model={"head_features": 16}), films, (1,))
    (one,) = saved(settings, films, (2,))
    with pytest.raises(UserError, match="not a snapshot of the network"):
        average_snapshots(
            [one, other],
            network_index(films, "train", settings),
            films / "class.csv",
            settings,
            films / "avg.h5",
        )
    assert not (films / "avg.h5").exists()
