"""A plain blob detector, honestly tuned: how far one gets on the synthetic films without learning what a lesion is.

Multi-scale Laplacian of Gaussian on the film (optionally divided by its local contrast), local maxima inside the
breast, scored by FROC with the hit rule "detection centre in the lesion's box". Everything that can be chosen
(scales, sign, normalisation, margin to the skin, distance between detections) is chosen on the training films.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy import ndimage

from mammo.phantom import Film

# Gaussian widths in pixels of a film 512 high: from the grain of a cluster to the largest mass.
SIGMAS = (1.2, 2.0, 3.5, 6.0, 10.0, 14.0, 20.0, 28.0)


@dataclass(frozen=True)
class Choice:
    """One way to run the detector: lengths in pixels of a film 512 high; `sign` 1 for bright blobs, -1 dark, 0 both."""

    scales: tuple[int, ...]
    sign: int
    normalised: bool
    margin: float
    apart: float


@dataclass(frozen=True)
class Responses:
    """What the detector needs of one film: a response per scale, local contrast, distance to the skin, the boxes."""

    by_scale: np.ndarray
    contrast: np.ndarray
    depth: np.ndarray
    unit: float
    boxes: np.ndarray


def _blobness(image: np.ndarray, sigma: float) -> np.ndarray:
    """Minus the Laplacian of Gaussian, times sigma squared (Lindeberg 1998), so that scales can be compared."""
    blurred = cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
    return -(sigma**2) * cv2.Laplacian(blurred, cv2.CV_32F, borderType=cv2.BORDER_REFLECT)


def respond(film: Film) -> Responses:
    """Scale-normalised LoG responses (positive on bright blobs) of one film."""
    unit = film.pixels.shape[0] / 512
    inside = ~film.air & (film.pixels < 0.85)
    inside = ndimage.binary_opening(inside, iterations=3)
    # Air at the breast's own brightness, or the skin line would be the strongest blob of every film.
    level = np.median(film.pixels[inside])
    filled = np.where(inside, film.pixels, level).astype(np.float32)
    by_scale = np.stack([_blobness(filled, sigma * unit) for sigma in SIGMAS])
    mean = cv2.GaussianBlur(filled, (0, 0), 40 * unit)
    spread = cv2.GaussianBlur((filled - mean) ** 2, (0, 0), 40 * unit)
    depth = ndimage.distance_transform_edt(np.pad(inside, ((1, 1), (1, 1)), mode="edge"))[1:-1, 1:-1]
    boxes = np.array([lesion.box for lesion in film.lesions], dtype=float).reshape(-1, 4)
    return Responses(by_scale, np.sqrt(spread) + 1e-3, depth, unit, boxes)


def detect(film: Responses, choice: Choice, most: int = 40) -> np.ndarray:
    """Detections (n, 3): x, y, score, best first."""
    response = film.by_scale[list(choice.scales)]
    response = np.abs(response).max(0) if choice.sign == 0 else (choice.sign * response).max(0)
    if choice.normalised:
        response = response / film.contrast
    response = np.where(film.depth > choice.margin * film.unit, response, -np.inf)
    side = 2 * max(1, round(choice.apart * film.unit)) + 1
    highest = cv2.dilate(response.astype(np.float32), np.ones((side, side), np.uint8))
    peaks = (response == highest) & np.isfinite(response) & (response > 0)
    y, x = np.nonzero(peaks)
    order = np.argsort(-response[y, x], kind="stable")[:most]
    return np.stack([x[order], y[order], response[y, x][order]], 1).astype(float)


def sensitivity_at(detections: list[np.ndarray], boxes: list[np.ndarray], fppi: float) -> float:
    """The best sensitivity of any score threshold that keeps false positives per image at or under `fppi`.

    A lesion is hit when a detection's centre lies in its box; more hits on one lesion count neither way.
    """
    hits, misses = [], []
    for found, lesions in zip(detections, boxes, strict=True):
        x, y, score = found[:, :1], found[:, 1:2], found[:, 2]
        inside = (x >= lesions[:, 0]) & (x < lesions[:, 2]) & (y >= lesions[:, 1]) & (y < lesions[:, 3])
        misses.append(score[~inside.any(axis=1)])
        hits += [score[column].max() if column.any() else -np.inf for column in inside.T]
    false = np.sort(np.concatenate(misses))[::-1]
    allowed = int(np.floor(fppi * len(detections)))
    threshold = false[allowed] if len(false) > allowed else -np.inf
    return float(np.mean(np.array(hits) > threshold))


def tune(films: list[Responses], fppi: float = 1.0) -> tuple[Choice, float]:
    """The choice with the highest sensitivity on `films`, and that sensitivity.

    First every single scale and run of neighbouring scales, of either sign or both, with and without normalisation;
    then every margin and distance for the best dozen of these.
    """
    boxes = [film.boxes for film in films]

    def score(choice: Choice) -> float:
        return sensitivity_at([detect(film, choice) for film in films], boxes, fppi)

    runs = [tuple(range(a, b)) for a in range(len(SIGMAS)) for b in range(a + 1, min(a + 3, len(SIGMAS)) + 1)]
    first = [Choice(*knobs, 6.0, 12.0) for knobs in itertools.product(runs, (1, -1, 0), (False, True))]
    best = sorted(first, key=score, reverse=True)[:12]
    second = [
        replace(choice, margin=margin, apart=apart)
        for choice, margin, apart in itertools.product(best, (6.0, 20.0, 30.0), (12.0, 30.0))
    ]
    scored = [(score(choice), choice) for choice in second]
    sensitivity, choice = max(scored, key=lambda pair: pair[0])
    return choice, sensitivity
