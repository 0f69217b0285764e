"""The breast of a synthetic film: outline, thickness, fat and gland, pectoral muscle, vessels.

Everything is drawn with the chest wall at the left edge (a left breast); `film` mirrors right breasts.
Lengths are given for a film 512 pixels high and multiplied by `unit` = height / 512.
Values are display brightness, 0 (air) to 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy import fft
from scipy.interpolate import PchipInterpolator


@dataclass(frozen=True)
class Anatomy:
    """One breast without findings. Arrays have the film's shape (height, width).

    `tissue` is brightness before noise; `inside` the breast; `depth` the distance to the skin in pixels (0 in
    air); `thickness` 0 to 1, how much of the full compressed thickness the beam crosses; `muscle` 0 to 1;
    `texture` the fine structure of the tissue, mean 0, deviation 1.
    """

    tissue: np.ndarray
    inside: np.ndarray
    depth: np.ndarray
    thickness: np.ndarray
    muscle: np.ndarray
    texture: np.ndarray


def power_law_noise(rng: np.random.Generator, height: int, width: int, beta: float) -> np.ndarray:
    """Noise whose power falls as 1/f**beta (mammograms: about 3, Burgess 2001), mean 0, deviation 1,
    float32.
    """
    rows, columns = fft.next_fast_len(height, real=True), fft.next_fast_len(width, real=True)
    spectrum = fft.rfft2(rng.standard_normal((rows, columns), dtype=np.float32))
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None, :])
    # Waves longer than the film would tilt it as a whole: they are held at the power of the film's own
    # length.
    frequency = np.maximum(frequency, 1.0 / rows)
    weight = (frequency ** (-beta / 2)).astype(np.float32)
    weight[0, 0] = 0
    noise = fft.irfft2(spectrum * weight, s=(rows, columns))[:height, :width]
    return ((noise - noise.mean()) / noise.std()).astype(np.float32)


def _edge_of_rows(rng: np.random.Generator, height: int, width: int, view: str) -> np.ndarray:
    """Where the skin lies in each row, in pixels from the chest wall; 0 where the row holds no breast."""
    depth = width * rng.uniform(0.62, 0.86)
    rows = np.arange(height, dtype=np.float64)
    if view == "CC":
        middle, half = height * rng.uniform(0.47, 0.53), height * rng.uniform(0.40, 0.475)
        t = np.clip(np.abs(rows - middle) / half, 0, 1)
        return depth * (1 - t ** rng.uniform(2.0, 2.5)) ** rng.uniform(0.52, 0.62)
    nipple, fold = rng.uniform(0.56, 0.66), rng.uniform(0.88, 0.94)
    knots = [0.0, 0.18, 0.38, nipple, (nipple + fold) / 2 + 0.02, fold, fold + 0.03, 1.0]
    armpit = rng.uniform(0.50, 0.62)
    belly = rng.uniform(0.16, 0.28)
    values = [armpit, armpit + 0.08, 0.87, 1.0, rng.uniform(0.80, 0.88), belly + 0.12, belly, belly * 0.9]
    return depth * PchipInterpolator(np.array(knots) * (height - 1), values)(rows)


def _outline(
    rng: np.random.Generator, height: int, width: int, view: str, unit: float
) -> tuple[np.ndarray, int]:
    edge = _edge_of_rows(rng, height, width, view)
    sway = np.interp(np.arange(height), np.linspace(0, height, 9), rng.normal(0, 2.5 * unit, 9))
    edge = np.where(edge > 6 * unit, edge + sway, edge)
    nipple = int(np.argmax(edge))
    bump = 7 * unit * np.exp(-(((np.arange(height) - nipple) / (6 * unit)) ** 2))
    return np.clip(edge + bump, 0, width - 8 * unit), nipple


def _distance_to_skin(inside: np.ndarray) -> np.ndarray:
    """Distance of each pixel to the nearest air; the film's own borders are no skin."""
    height, width = inside.shape
    pad = max(height, width) // 4
    padded = cv2.copyMakeBorder(inside.astype(np.uint8), pad, pad, pad, 0, cv2.BORDER_REPLICATE)
    return cv2.distanceTransform(padded, cv2.DIST_L2, 5)[pad : pad + height, pad:]


def _smooth_step(value: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(value, -30, 30)))


def _gland(
    rng: np.random.Generator, edge: np.ndarray, nipple: int, density: float, unit: float
) -> np.ndarray:
    """Fibroglandular tissue, 0 to 1: a cone behind the nipple whose border and inside follow power-law
    noise.
    """
    height, width = edge
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    centre = (width * rng.uniform(0.30, 0.42), nipple + height * rng.uniform(-0.08, 0.02))
    spread = (width * rng.uniform(0.27, 0.36), height * rng.uniform(0.19, 0.27))
    cone = np.exp(-(((x - centre[0]) / spread[0]) ** 2) - ((y - centre[1]) / spread[1]) ** 2)
    field = power_law_noise(rng, height, width, 2.8)
    return _smooth_step(4.0 * (1.9 * cone - 1.15 + 0.9 * density + 0.55 * field))


def _muscle(rng: np.random.Generator, height: int, width: int, unit: float) -> np.ndarray:
    """Pectoral muscle of an oblique view, 0 to 1: a triangle at the chest wall's upper end, slightly
    convex.
    """
    top, bottom = width * rng.uniform(0.28, 0.44), height * rng.uniform(0.50, 0.72)
    bulge = width * rng.uniform(-0.01, 0.05)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    t = np.clip(y / bottom, 0, 1)
    border = top * (1 - t) + bulge * np.sin(np.pi * t)
    return np.where(y < bottom, _smooth_step((border - x) / (2.2 * unit)), 0).astype(np.float32)


def _threads(
    rng: np.random.Generator, shape: tuple[int, int], count: int, widths: tuple[float, float], unit: float
) -> np.ndarray:
    """Vessels or ligaments: `count` wandering lines from the chest towards the nipple, each of brightness up
    to 1.
    """
    canvas = np.zeros(shape, np.float32)
    height, width = shape
    for _ in range(count):
        steps = 48
        heading = rng.uniform(-0.5, 0.5) + np.cumsum(rng.normal(0, 0.10, steps))
        step = width * rng.uniform(0.5, 0.9) / steps
        x = width * rng.uniform(0.0, 0.35) + np.cumsum(np.cos(heading)) * step
        y = height * rng.uniform(0.15, 0.85) + np.cumsum(np.sin(heading)) * step
        points = np.round(np.stack([x, y], 1) * 16).astype(np.int32)[None]
        thick = max(1, round(rng.uniform(*widths) * unit))
        cv2.polylines(canvas, points, False, float(rng.uniform(0.5, 1.0)), thick, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(canvas, (0, 0), max(0.5, 0.8 * unit))


def make_anatomy(rng: np.random.Generator, height: int, width: int, view: str, density: float) -> Anatomy:
    """One breast with the chest wall at the left, `view` CC or (anything else) oblique, `density` 0 to 1."""
    unit = height / 512
    edge, nipple = _outline(rng, height, width, view, unit)
    inside = np.arange(width)[None, :] < edge[:, None]
    depth = _distance_to_skin(inside)
    roll_off = rng.uniform(48, 70) * unit
    thickness = np.sqrt(1 - (1 - np.clip(depth / roll_off, 0, 1)) ** 2).astype(np.float32)
    gland = _gland(rng, (height, width), nipple, density, unit)
    parenchyma = power_law_noise(rng, height, width, 3.0)
    tissue = 0.24 + gland * (0.13 + 0.12 * density) + (0.025 + 0.028 * gland) * parenchyma
    tissue += 0.045 * _threads(rng, (height, width), int(rng.integers(3, 7)), (2.0, 4.5), unit)
    tissue += 0.025 * _threads(rng, (height, width), int(rng.integers(8, 16)), (1.0, 2.0), unit)
    muscle = np.zeros((height, width), np.float32) if view == "CC" else _muscle(rng, height, width, unit)
    strands = power_law_noise(rng, height, width, 2.5)
    tissue = tissue * (1 - 0.6 * muscle) + muscle * (0.36 + 0.02 * strands)
    tissue = tissue * thickness
    tissue += 0.10 * np.exp(-(((depth - 2.2 * unit) / (1.6 * unit)) ** 2)) * inside
    return Anatomy(tissue.astype(np.float32) * inside, inside, depth, thickness, muscle, parenchyma)
