"""The losses are keras-retinanet's."""

from __future__ import annotations

import numpy as np
import pytest

from mammo.detector.keras import tf  # isort: skip
from keras_retinanet import losses as package

from mammo.detector.losses import focal_loss, smooth_l1_loss


def targets(values: int, states: tuple[int, ...], seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [
            rng.integers(0, 2, (2, 50, values)).astype("float32"),
            rng.choice(states, (2, 50, 1)).astype("float32"),
        ],
        axis=2,
    )


@pytest.mark.parametrize(
    "states", [(-1, 0, 1), (-1, 0), (-1,)], ids=["lesions", "normals only", "all ignored"]
)
def test_focal_loss_is_the_packages(states):
    truth = targets(2, states)
    truth[..., :2] *= truth[..., 2:] == 1
    scores = np.random.default_rng(1).uniform(0.001, 0.999, (2, 50, 2)).astype("float32")
    expected = package.focal(alpha=0.3, gamma=1.5)(tf.constant(truth), tf.constant(scores))
    assert focal_loss(tf.constant(truth), tf.constant(scores), 0.3, 1.5).numpy() == pytest.approx(
        float(expected), rel=1e-6
    )


@pytest.mark.parametrize("states", [(-1, 0, 1), (-1, 0)], ids=["lesions", "normals only"])
def test_smooth_l1_loss_is_the_packages(states):
    truth = targets(4, states)
    offsets = np.random.default_rng(1).normal(0, 1, (2, 50, 4)).astype("float32")
    expected = package.smooth_l1(sigma=2.5)(tf.constant(truth), tf.constant(offsets))
    assert smooth_l1_loss(tf.constant(truth), tf.constant(offsets), 2.5).numpy() == pytest.approx(
        float(expected), rel=1e-6
    )


def test_films_without_lesions_teach():
    truth = np.zeros((1, 50, 2), "float32")
    scores = tf.Variable(np.full((1, 50, 1), 0.3, "float32"))
    with tf.GradientTape() as tape:
        loss = focal_loss(tf.constant(truth), scores, 0.25, 2.0)
    assert float(loss) > 0
    assert (tape.gradient(loss, scores).numpy() > 0).all()
