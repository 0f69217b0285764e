"""Films as the network sees them: read, scaled, changed at random, laid into batches."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

import numpy as np
from keras_retinanet.utils.image import (
    TransformParameters,
    adjust_transform_for_image,
    apply_transform,
    preprocess_image,
)
from keras_retinanet.utils.transform import random_transform, transform_aabb

from mammo.detector.network_films import read_film, scale_film
from mammo.settings import AugmentationSettings, SideSettings

STRIDE = 32  # batches are padded to a multiple: fewer shapes, and every backbone's outputs fit its anchors
CACHE_BYTES = 2 * 1024**3  # films kept in memory between epochs
MIN_REMAINDER = (
    0.25  # share of a lesion's box that must stay on the film when it is moved; else it is not a target
)


class FilmCache:
    """Scaled films by path, kept in memory up to a bound: they are read again in every epoch. Safe for threads."""

    def __init__(self, sides: SideSettings, limit_bytes: int = CACHE_BYTES) -> None:
        self._sides, self._limit, self._held = sides, limit_bytes, 0
        self._films: OrderedDict[Path, tuple[np.ndarray, tuple[int, int]]] = OrderedDict()
        self._lock = Lock()

    def get(self, path: Path) -> tuple[np.ndarray, tuple[int, int]]:
        """The scaled film, not to be changed, and its (height, width) before."""
        with self._lock:
            found = self._films.get(path)
        if found is not None:
            return found
        film = read_film(path)
        entry = (scale_film(film, self._sides), film.shape)
        with self._lock:
            if path not in self._films and self._held + entry[0].nbytes <= self._limit:
                self._films[path] = entry
                self._held += entry[0].nbytes
        return entry


def augment(
    film: np.ndarray,
    boxes: np.ndarray,
    labels: np.ndarray,
    settings: AugmentationSettings,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A random change of a film (H, W) and its boxes (n, 4), drawn from `rng`; lesions that leave it are dropped.

    Geometry as keras-retinanet's: rotation, translation, shear, scaling, flips about the centre; the border repeated.
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
    moved = (
        film if np.array_equal(matrix, np.eye(3)) else apply_transform(matrix, film, TransformParameters())
    )
    return _tone(moved, settings, rng), *_move_boxes(boxes, labels, matrix, film.shape)


def _move_boxes(
    boxes: np.ndarray, labels: np.ndarray, matrix: np.ndarray, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    if len(boxes) == 0:
        return boxes, labels
    moved = np.array([transform_aabb(matrix, box) for box in boxes])
    height, width = shape[:2]
    clipped = np.clip(moved, 0, [width, height, width, height])
    keep = _areas(clipped) >= MIN_REMAINDER * _areas(moved)
    return clipped[keep], labels[keep]


def _areas(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def _tone(film: np.ndarray, settings: AugmentationSettings, rng: np.random.Generator) -> np.ndarray:
    contrast, brightness = rng.uniform(*settings.contrast), rng.uniform(*settings.brightness)
    if contrast == 1 and brightness == 0 and settings.noise == 0:
        return film
    mean = float(film.mean())
    changed = (film.astype(np.float32) - mean) * np.float32(contrast) + np.float32(mean + 255 * brightness)
    if settings.noise:
        changed += rng.normal(0.0, 255 * settings.noise, film.shape).astype(np.float32)
    return np.clip(np.rint(changed), 0, 255).astype(np.uint8)


def padded_shape(shapes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The smallest multiple of `STRIDE` on both sides that holds every (height, width)."""
    height, width = (max(shape[side] for shape in shapes) for side in (0, 1))
    return -(-height // STRIDE) * STRIDE, -(-width // STRIDE) * STRIDE


def lay_out(films: Sequence[np.ndarray], mode: str) -> np.ndarray:
    """Grey films (H, W) as one float32 batch (B, H', W', 3), preprocessed as keras-retinanet does for `mode`.

    Each lies in the upper left; the rest is black, as what lies around a breast (the package pads with mean grey).
    """
    batch = np.zeros((len(films), *padded_shape([film.shape for film in films]), 3), np.float32)
    for index, film in enumerate(films):
        batch[index, : film.shape[0], : film.shape[1]] = film[:, :, np.newaxis]
    return preprocess_image(batch, mode=mode)
