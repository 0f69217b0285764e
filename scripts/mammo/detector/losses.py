"""keras-retinanet's two losses as sums, so that parts of a batch, side by side or one after the other, add up.

Both are divided by the number of anchors on lesions of the whole batch, at least 1 (`normaliser`): films without
lesions teach too. Masks stand in place of keras-retinanet's gather: the same numbers, and XLA can compile them.

What an anchor stands for is one number, its assignment (mammo/detector/anchors.py): a class id, background or ignored.
Focal loss: Lin et al. 2017, https://arxiv.org/abs/1708.02002.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mammo.detector.keras import keras, tf
from mammo.detector.targets import IGNORED
from mammo.settings import LossSettings


def class_factors(settings: LossSettings, names: Sequence[str]) -> list[float]:
    """What each class's part of the losses is multiplied by, in the order of the class ids."""
    return [settings.class_weights.get(name, 1.0) for name in names]


def normaliser(lesion_anchors: int) -> float:
    """What the sums of a batch are divided by."""
    return float(max(1, lesion_anchors))


def focal_sum(assignment: Any, scores: Any, settings: LossSettings, factors: Sequence[float]) -> Any:
    """Focal loss summed over anchors and classes: assignment (B, A) integers, scores (B, A, classes) float32 in 0..1.

    Ignored anchors count nothing. A score within Keras's epsilon of 0 or 1 has no gradient, as in keras-retinanet.
    """
    epsilon = keras.backend.epsilon()
    classes = scores.shape[-1] or len(factors)
    lesion = tf.equal(tf.cast(assignment, tf.int32)[:, :, tf.newaxis], tf.range(classes))
    counted = tf.cast(tf.not_equal(assignment, IGNORED), scores.dtype)[:, :, tf.newaxis]
    alpha = tf.where(lesion, settings.focal_alpha, 1.0 - settings.focal_alpha)
    missing = tf.where(lesion, 1.0 - scores, scores)
    clipped = tf.clip_by_value(scores, epsilon, 1.0 - epsilon)
    # Keras's binary cross-entropy for a truth of 0 or 1; it adds epsilon once more, and so do we.
    surprise = -tf.math.log(tf.where(lesion, clipped, 1.0 - clipped) + epsilon)
    loss = alpha * _power(missing, settings.focal_gamma) * surprise * counted
    return tf.reduce_sum(loss * tf.constant(factors, scores.dtype) if any(f != 1 for f in factors) else loss)


def smooth_l1_sum(
    assignment: Any, regression: Any, offsets: Any, settings: LossSettings, factors: Sequence[float]
) -> Any:
    """Smooth L1 summed over the anchors on lesions: regression (B, A, 4) wanted, offsets (B, A, 4) given, float32."""
    on_lesion = tf.greater_equal(assignment, 0)[:, :, tf.newaxis]
    # The masked difference is set to 0 before the arithmetic, so that no odd target elsewhere can reach the gradient.
    difference = tf.abs(tf.where(on_lesion, offsets - regression, 0.0))
    turn = 1.0 / settings.smooth_l1_sigma**2
    loss = tf.where(difference < turn, 0.5 / turn * difference**2, difference - 0.5 * turn)
    loss = tf.where(on_lesion, loss, 0.0)
    if any(factor != 1 for factor in factors):
        by_anchor = tf.gather(tf.constant(factors, loss.dtype), tf.maximum(tf.cast(assignment, tf.int32), 0))
        loss *= by_anchor[:, :, tf.newaxis]
    return tf.reduce_sum(loss)


def _power(base: Any, exponent: float) -> Any:
    """x², the usual one, without the general power, which takes ten times as long on a CPU."""
    return tf.square(base) if exponent == 2 else base**exponent
