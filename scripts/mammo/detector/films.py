"""Films as the network sees them: changed at random, laid into batches. All at network size, grey."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from keras_retinanet.utils.image import adjust_transform_for_image
from keras_retinanet.utils.transform import random_transform

from mammo.settings import AugmentationSettings

STRIDE = 32  # batches are padded to a multiple: fewer shapes, and every backbone's outputs fit its anchors
MIN_REMAINDER = (
    0.25  # share of a lesion's box that must stay on the film when it is moved; else it is not a target
)


def augment(
    film: np.ndarray,
    boxes: np.ndarray,
    labels: np.ndarray,
    settings: AugmentationSettings,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A random change of a film (H, W), uint8 or uint16, and its boxes (n, 4), drawn from `rng`.

    Geometry as keras-retinanet's: rotation, translation, shear, scaling, flips about the centre; the border repeated.
    Lesions of which too little stays on the film are dropped.
    """
    matrix = random_transform(
        *settings.rotation,
        *((share, share) for share in settings.translation),
        *settings.shear,
        *((factor, factor) for factor in settings.scaling),
        settings.flip_x,
        settings.flip_y,
        prng=rng,
    )
    matrix = adjust_transform_for_image(matrix, film[:, :, np.newaxis], relative_translation=True)
    if np.array_equal(matrix, np.eye(3)):
        return _tone(film, settings, rng), boxes, labels
    moved = cv2.warpAffine(
        film, matrix[:2], film.shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return _tone(moved, settings, rng), *_move_boxes(boxes, labels, matrix, film.shape)


def _move_boxes(
    boxes: np.ndarray, labels: np.ndarray, matrix: np.ndarray, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """The boxes around the moved boxes, as keras_retinanet.utils.transform.transform_aabb, cut at the film's border."""
    if len(boxes) == 0:
        return boxes, labels
    corners = boxes[:, [0, 1, 2, 3, 0, 3, 2, 1]].reshape(-1, 4, 2) @ matrix[:2, :2].T + matrix[:2, 2]
    moved = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    height, width = shape
    clipped = np.clip(moved, 0, [width, height, width, height])
    keep = _areas(clipped) >= MIN_REMAINDER * _areas(moved)
    return clipped[keep], labels[keep]


def _areas(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def _tone(film: np.ndarray, settings: AugmentationSettings, rng: np.random.Generator) -> np.ndarray:
    """Contrast about the film's mean, and brightness: a table of all grey levels, unless each pixel has its noise."""
    contrast, brightness = rng.uniform(*settings.contrast), rng.uniform(*settings.brightness)
    if contrast == 1 and brightness == 0 and settings.noise == 0:
        return film
    top = np.iinfo(film.dtype).max
    levels = film if settings.noise else np.arange(top + 1)
    mean = cv2.mean(film)[0]
    changed = (levels.astype(np.float32) - mean) * np.float32(contrast) + np.float32(mean + top * brightness)
    if settings.noise:
        changed += rng.normal(0.0, top * settings.noise, film.shape).astype(np.float32)
    changed = np.clip(np.rint(changed), 0, top).astype(film.dtype)
    return changed if settings.noise else cv2.LUT(film, changed)


def padded_shape(shapes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The smallest multiple of `STRIDE` on both sides that holds every (height, width)."""
    height, width = (max(shape[side] for shape in shapes) for side in (0, 1))
    return -(-height // STRIDE) * STRIDE, -(-width // STRIDE) * STRIDE


def pad(films: Sequence[np.ndarray]) -> np.ndarray:
    """Grey films (H, W) of one kind as one batch (B, H', W'), each in the upper left; the rest is black.

    Black is what lies around a breast; keras-retinanet pads with its mean grey.
    """
    batch = np.zeros((len(films), *padded_shape([film.shape for film in films])), films[0].dtype)
    for place, film in zip(batch, films, strict=True):
        place[: film.shape[0], : film.shape[1]] = film
    return batch
