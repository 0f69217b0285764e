"""The losses are keras-retinanet's, as sums over assignments."""

from __future__ import annotations

import numpy as np
import pytest

from mammo.detector.keras import tf  # isort: skip
from keras_retinanet import losses as package

from mammo.detector.losses import class_factors, focal_sum, normaliser, smooth_l1_sum
from mammo.detector.targets import BACKGROUND, IGNORED
from mammo.settings import LossSettings

KINDS = pytest.mark.parametrize(
    "kinds",
    [(0, 1, BACKGROUND, IGNORED), (BACKGROUND, IGNORED), (IGNORED,)],
    ids=["lesions", "normals only", "all ignored"],
)
ALIKE = (1.0, 1.0)


def assignments(kinds) -> np.ndarray:
    return np.random.default_rng(0).choice(kinds, (2, 50)).astype("int16")


def states(assignment) -> np.ndarray:
    """keras-retinanet's last column."""
    return np.where(assignment >= 0, 1, np.where(assignment == BACKGROUND, 0, -1)).astype("float32")[
        ..., None
    ]


def mean(total, assignment) -> float:
    return float(total) / normaliser(int((assignment >= 0).sum()))


@KINDS
@pytest.mark.parametrize("gamma", [1.5, 2.0])
def test_focal_loss_is_the_packages(kinds, gamma):
    assignment = assignments(kinds)
    labels = (assignment[..., None] == np.arange(2)).astype("float32")
    scores = np.random.default_rng(1).uniform(0.001, 0.999, (2, 50, 2)).astype("float32")
    scores[0, :4, 0] = [0, 1, 1e-9, 1 - 1e-9]
    truth = np.concatenate([labels, states(assignment)], axis=2)
    expected = package.focal(alpha=0.3, gamma=gamma)(tf.constant(truth), tf.constant(scores))
    settings = LossSettings(focal_alpha=0.3, focal_gamma=gamma)
    found = focal_sum(tf.constant(assignment), tf.constant(scores), settings, ALIKE)
    assert mean(found, assignment) == pytest.approx(float(expected), rel=1e-5)


@KINDS
def test_smooth_l1_loss_is_the_packages(kinds):
    assignment, rng = assignments(kinds), np.random.default_rng(1)
    regression, offsets = (rng.normal(0, 1, (2, 50, 4)).astype("float32") for _ in range(2))
    truth = np.concatenate([regression, states(assignment)], axis=2)
    expected = package.smooth_l1(sigma=2.5)(tf.constant(truth), tf.constant(offsets))
    found = smooth_l1_sum(
        tf.constant(assignment), tf.constant(regression), tf.constant(offsets), LossSettings(smooth_l1_sigma=2.5), ALIKE
    )  # fmt: skip
    assert mean(found, assignment) == pytest.approx(float(expected), rel=1e-5)


def test_a_batch_is_the_sum_of_its_films():
    assignment = tf.constant(assignments((0, 1, BACKGROUND, IGNORED)))
    scores = tf.constant(np.random.default_rng(1).uniform(0.1, 0.9, (2, 50, 2)).astype("float32"))
    whole = focal_sum(assignment, scores, LossSettings(), ALIKE)
    parts = [
        focal_sum(assignment[one : one + 1], scores[one : one + 1], LossSettings(), ALIKE) for one in (0, 1)
    ]
    assert float(whole) == pytest.approx(float(sum(parts)), rel=1e-6)


def test_a_factor_multiplies_what_belongs_to_its_class():
    assignment = tf.constant(np.array([[0, 1, BACKGROUND]], "int16"))
    regression, offsets = tf.zeros((1, 3, 4)), tf.ones((1, 3, 4))
    plain = smooth_l1_sum(assignment, regression, offsets, LossSettings(), ALIKE)
    weighted = smooth_l1_sum(assignment, regression, offsets, LossSettings(), (1.0, 3.0))
    assert float(weighted) == pytest.approx(2 * float(plain))
    scores = tf.constant(np.full((1, 3, 2), 0.5, "float32"))
    first, second = (
        focal_sum(assignment, scores, LossSettings(), each) for each in ((1.0, 1e-9), (1e-9, 1.0))
    )
    both = focal_sum(assignment, scores, LossSettings(), (2.0, 3.0))
    assert float(both) == pytest.approx(2 * float(first) + 3 * float(second), rel=1e-5)


def test_classes_without_a_factor_have_one():
    assert class_factors(LossSettings(class_weights={"b": 2.0}), ["a", "b"]) == [1.0, 2.0]


def test_films_without_lesions_teach():
    assignment = tf.constant(np.full((1, 50), BACKGROUND, "int16"))
    scores = tf.Variable(np.full((1, 50, 1), 0.3, "float32"))
    with tf.GradientTape() as tape:
        loss = focal_sum(assignment, scores, LossSettings(), (1.0,))
    assert float(loss) > 0
    assert (tape.gradient(loss, scores).numpy() > 0).all()
