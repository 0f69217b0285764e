"""What lies in a breast: lesions, and the things that are none but look bright.

Each function draws on a square patch around its centre (the middle pixel), brightness about 0 to 1, and gives
the outline that a reader would draw (n×2, x and y relative to the centre, pixels; None where nobody would
draw one).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

ANGLES = np.linspace(0, 2 * np.pi, 72, endpoint=False)


@dataclass(frozen=True)
class Shape:
    """A drawn patch (odd side, float32), its outline, and single points of note (calcifications), all
    centred.
    """

    patch: np.ndarray
    outline: np.ndarray | None
    points: np.ndarray


_NO_POINTS = np.zeros((0, 2))


def _grid(extent: int) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[-extent : extent + 1, -extent : extent + 1].astype(np.float32)
    return x, y


def _wobble(
    rng: np.random.Generator, orders: range, size: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    k = np.array(list(orders), dtype=np.float64)
    return k, rng.normal(0, size / np.sqrt(k), len(k)), rng.uniform(0, 2 * np.pi, len(k))


def _radius_at(angle: np.ndarray, wobble: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
    """A closed curve around 1: one plus a few harmonics of the angle."""
    k, size, phase = wobble
    waves = size * np.cos(k * angle[..., None] + phase)
    return np.clip(1 + waves.sum(-1), 0.6, 1.5).astype(np.float32)


def _polygon(radii: np.ndarray) -> np.ndarray:
    return np.stack([np.cos(ANGLES) * radii, np.sin(ANGLES) * radii], 1)


def _soft_disc(distance: np.ndarray, softness: float) -> np.ndarray:
    return 1 / (1 + np.exp(np.clip((distance - 1) / softness, -30, 30)))


def _bump(x: np.ndarray, y: np.ndarray, at: tuple[float, float], sigma: float) -> np.ndarray:
    return np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * sigma**2))


def _horns(rng: np.random.Generator) -> np.ndarray:
    """A few blunt horns at uneven angles: (angle, width, height) of each."""
    count = int(rng.integers(6, 9))
    angles = 2 * np.pi * (np.arange(count) + rng.uniform(-0.35, 0.35, count)) / count
    return np.stack([angles, rng.uniform(0.16, 0.30, count), rng.uniform(0.15, 0.62, count)], 1)


def _drawn_out(angle: np.ndarray, horns: np.ndarray) -> np.ndarray:
    """The radius of a closed curve around 1 with these horns."""
    radii = np.full(angle.shape, 0.78, np.float32)
    for at, width, height in horns:
        away = (angle - at + np.pi) % (2 * np.pi) - np.pi
        radii = np.maximum(radii, 0.78 + height * np.exp(-((away / width) ** 2)))
    return radii.astype(np.float32)


def irregular_mass(rng: np.random.Generator, radius: float, unit: float) -> Shape:
    """An ill-defined mass: blurred border drawn out into uneven horns, knotty inside (nodules grown together)."""
    extent = int(np.ceil(radius * 1.9))
    x, y = _grid(extent)
    horns = _horns(rng)
    distance = np.hypot(x, y) / (radius * 0.80 * _drawn_out(np.arctan2(y, x), horns))
    body = _soft_disc(distance, rng.uniform(0.08, 0.13))
    knots = np.zeros_like(body)
    for _ in range(int(rng.integers(5, 9))):
        angle, reach = rng.uniform(0, 2 * np.pi), radius * 0.6 * np.sqrt(rng.uniform(0.02, 1))
        at = (np.cos(angle) * reach, np.sin(angle) * reach)
        knots = np.maximum(knots, rng.uniform(0.7, 1.0) * _bump(x, y, at, radius * rng.uniform(0.11, 0.17)))
    patch = body * (0.75 + 0.35 * knots)
    outline = _polygon(radius * (0.52 + 0.42 * _drawn_out(ANGLES, horns)))
    return Shape(patch.astype(np.float32), outline, _NO_POINTS)


def _spicules(
    rng: np.random.Generator, x: np.ndarray, y: np.ndarray, radius: float, unit: float
) -> np.ndarray:
    """Rays from the centre, tapering and slightly bent, the brightest at each pixel."""
    rays = np.zeros_like(x)
    count = int(rng.integers(10, 16))
    reach_of = np.hypot(x, y)
    angle_of = np.arctan2(y, x)
    for n in range(count):
        angle = 2 * np.pi * (n + rng.uniform(-0.3, 0.3)) / count
        length = radius * (rng.uniform(0.65, 0.95) if n % 3 else rng.uniform(0.95, 1.15))
        bend = rng.normal(0, 0.25)
        away = np.abs((angle_of - angle - bend * reach_of / radius + np.pi) % (2 * np.pi) - np.pi) * reach_of
        width = np.maximum(1.6 * unit, 3.4 * unit * (1 - 0.5 * reach_of / length))
        fade = np.clip((length - reach_of) / (0.5 * length), 0, 1)
        rays = np.maximum(rays, np.exp(-((away / width) ** 2)) * fade * rng.uniform(0.75, 1.0))
    return rays


def spiculated_mass(rng: np.random.Generator, radius: float, unit: float, core: float = 0.62) -> Shape:
    """A mass with rays: small irregular core, spicules as far as `radius`. A weak `core` is a distortion."""
    extent = int(np.ceil(radius * 1.3))
    x, y = _grid(extent)
    wobble = _wobble(rng, range(2, 7), 0.14)
    distance = np.hypot(x, y) / (radius * 0.42 * _radius_at(np.arctan2(y, x), wobble))
    rays = _spicules(rng, x, y, radius, unit)
    patch = np.maximum(core * _soft_disc(distance, 0.22), 0.85 * rays) + 0.12 * _bump(
        x, y, (0, 0), radius * 0.5
    )
    outline = _polygon(radius * (0.96 + 0.4 * (_radius_at(ANGLES, _wobble(rng, range(2, 6), 0.08)) - 1)))
    return Shape(patch.astype(np.float32), outline, _NO_POINTS)


def distortion(rng: np.random.Generator, radius: float, unit: float) -> Shape:
    """An architectural distortion: rays drawn to a point, hardly a core."""
    return spiculated_mass(rng, radius, unit, core=0.40)


def _spread_points(rng: np.random.Generator, count: int, radius: float, apart: float) -> np.ndarray:
    points: list[tuple[float, float]] = []
    for _ in range(count * 12):
        angle, reach = rng.uniform(0, 2 * np.pi), radius * np.sqrt(rng.uniform(0, 1))
        at = (np.cos(angle) * reach, np.sin(angle) * reach * 0.8)
        if all(np.hypot(at[0] - p[0], at[1] - p[1]) > apart for p in points):
            points.append(at)
        if len(points) == count:
            break
    return np.array(points)


def calcification_cluster(rng: np.random.Generator, radius: float, unit: float) -> Shape:
    """A cluster of micro-calcifications: many fine bright grains close together, on a faint haze."""
    extent = int(np.ceil(radius * 1.4))
    x, y = _grid(extent)
    grains = _spread_points(rng, int(rng.integers(11, 20)), radius * 0.85, 6.5 * unit)
    turn = rng.uniform(0, np.pi)
    grains = grains @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    patch, haze = np.zeros_like(x), np.zeros_like(x)
    for at in grains:
        haze = np.maximum(haze, _bump(x, y, at, 4.5 * unit))
        patch = np.maximum(
            patch, rng.uniform(0.55, 1.0) * _bump(x, y, at, max(0.6, unit * rng.uniform(1.3, 2.0)))
        )
    patch += 0.08 * haze
    hull = cv2.convexHull(np.round(grains * 16).astype(np.int32))[:, 0, :] / 16
    reach = np.maximum(np.hypot(hull[:, 0], hull[:, 1]), 1e-6)[:, None]
    return Shape(patch.astype(np.float32), hull * (1 + 6 * unit / reach), grains)


def round_blob(rng: np.random.Generator, radius: float, unit: float) -> Shape:
    """A smooth round or oval density with an even inside: a cyst, a fat lobule seen end on. No lesion."""
    extent = int(np.ceil(radius * 2.2))
    x, y = _grid(extent)
    turn, ratio = rng.uniform(0, np.pi), rng.uniform(0.8, 1.0)
    u, v = x * np.cos(turn) + y * np.sin(turn), -x * np.sin(turn) + y * np.cos(turn)
    patch = _soft_disc(np.hypot(u, v / ratio) / radius, rng.uniform(0.12, 0.22))
    return Shape(patch.astype(np.float32), None, _NO_POINTS)


def lymph_node(rng: np.random.Generator, radius: float, unit: float) -> Shape:
    """A smooth kidney with a dark notch: a lymph node with its fatty hilum. No lesion."""
    extent = int(np.ceil(radius * 2.2))
    x, y = _grid(extent)
    turn, ratio = rng.uniform(0, 2 * np.pi), rng.uniform(0.65, 0.8)
    u, v = x * np.cos(turn) + y * np.sin(turn), -x * np.sin(turn) + y * np.cos(turn)
    body = _soft_disc(np.hypot(u, v / ratio) / radius, 0.14)
    hilum = _soft_disc(np.hypot(u, (v - 0.25 * radius) / ratio) / (0.5 * radius), 0.3)
    return Shape(np.clip(body - 0.85 * hilum * body, 0, None).astype(np.float32), None, _NO_POINTS)


def single_calcification(rng: np.random.Generator, radius: float, unit: float) -> Shape:
    """One coarse bright grain, as every older breast has some. No lesion."""
    extent = int(np.ceil(6 * unit)) + 1
    x, y = _grid(extent)
    patch = _bump(x, y, (0, 0), max(0.6, unit * rng.uniform(1.4, 2.4)))
    return Shape(patch.astype(np.float32), None, np.zeros((1, 2)))


def eggshell_calcification(rng: np.random.Generator, radius: float, unit: float) -> Shape:
    """A fine bright ring with a clear centre, harmless (an old cyst's wall). No lesion."""
    extent = int(np.ceil(11 * unit)) + 1
    x, y = _grid(extent)
    size = rng.uniform(3.5, 6.0) * unit
    patch = np.exp(-(((np.hypot(x, y) - size) / max(0.6, 1.4 * unit)) ** 2))
    wall = 0.75 + 0.25 * np.cos(np.arctan2(y, x) - rng.uniform(0, 2 * np.pi))
    return Shape((0.7 * wall * patch).astype(np.float32), None, np.zeros((1, 2)))


def fat_lobule(rng: np.random.Generator, radius: float, unit: float) -> Shape:
    """A dark round gap in the tissue, thinly walled: a lobule of fat, an oil cyst. No lesion (negative brightness)."""
    extent = int(np.ceil(radius * 1.8)) + 2
    x, y = _grid(extent)
    turn, ratio = rng.uniform(0, np.pi), rng.uniform(0.7, 1.0)
    u, v = x * np.cos(turn) + y * np.sin(turn), -x * np.sin(turn) + y * np.cos(turn)
    distance = np.hypot(u, v / ratio) / radius
    wall = np.exp(-(((distance - 1.05) / 0.16) ** 2))
    return Shape((0.3 * wall - _soft_disc(distance, 0.2)).astype(np.float32), None, _NO_POINTS)


LESIONS = {
    "mass": irregular_mass,
    # What a reader calls an asymmetry is drawn as a mass is; it is the name that differs.
    "asymmetry": irregular_mass,
    "spiculated": spiculated_mass,
    "distortion": distortion,
    "cluster": calcification_cluster,
}
DISTRACTORS = {
    "blob": round_blob,
    "node": lymph_node,
    "lobule": fat_lobule,
    "grain": single_calcification,
    "eggshell": eggshell_calcification,
}
