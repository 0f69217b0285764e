"""keras-retinanet's two losses, with masks as weights in place of a gather: the same numbers, and XLA can compile them.

Focal loss: Lin et al. 2017, https://arxiv.org/abs/1708.02002.
"""

from __future__ import annotations

from typing import Any

from mammo.detector.keras import keras, tf


def focal_loss(truth: Any, scores: Any, alpha: float, gamma: float) -> Any:
    """Focal loss of a batch: truth (B, A, classes + 1), last column the anchor's state; scores (B, A, classes) in 0..1.

    Divided by the number of anchors on lesions, at least 1: films without lesions teach too.
    """
    labels, state = truth[:, :, :-1], truth[:, :, -1]
    counted = tf.cast(tf.not_equal(state, -1.0), scores.dtype)
    lesion = labels > 0.5
    weight = tf.where(lesion, alpha, 1.0 - alpha) * tf.where(lesion, 1.0 - scores, scores) ** gamma
    loss = weight * keras.backend.binary_crossentropy(labels, scores) * counted[:, :, tf.newaxis]
    return tf.reduce_sum(loss) / _lesion_anchors(state)


def smooth_l1_loss(truth: Any, offsets: Any, sigma: float) -> Any:
    """Smooth L1 of a batch over the anchors on lesions: truth (B, A, 5), last column the state; offsets (B, A, 4)."""
    target, state = truth[:, :, :-1], truth[:, :, -1]
    on_lesion = tf.equal(state, 1.0)[:, :, tf.newaxis]
    # The masked difference is set to 0 before the arithmetic, so that no odd target elsewhere can reach the gradient.
    difference = tf.abs(tf.where(on_lesion, offsets - target, 0.0))
    square = 0.5 * sigma**2 * difference**2
    loss = tf.where(difference < 1.0 / sigma**2, square, difference - 0.5 / sigma**2)
    return tf.reduce_sum(tf.where(on_lesion, loss, 0.0)) / _lesion_anchors(state)


def _lesion_anchors(state: Any) -> Any:
    return tf.maximum(1.0, tf.reduce_sum(tf.cast(tf.equal(state, 1.0), tf.float32)))
