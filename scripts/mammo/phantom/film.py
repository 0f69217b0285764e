"""One synthetic film: a breast, its lesions and what distracts from them, marker and noise, with the
truth.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from mammo.phantom.anatomy import Anatomy, make_anatomy
from mammo.phantom.seeds import generator
from mammo.phantom.settings import DifficultySettings, PhantomSettings
from mammo.phantom.shapes import DISTRACTORS, LESIONS, Shape

AIR = 0.012
MARKER = 0.93


@dataclass(frozen=True)
class FilmSpec:
    """What to draw. `key` names the film for the random generator; `lesions` are kinds (keys of
    `shapes.LESIONS`).

    `patient_key` is what the films of one patient share (density). `height` and `width` in pixels.
    """

    key: str
    patient_key: str
    height: int
    width: int
    laterality: str
    view: str
    lesions: tuple[str, ...]
    difficulty: DifficultySettings
    detector_noise: float


def film_spec(
    settings: PhantomSettings,
    key: str,
    patient: str,
    side_and_view: tuple[str, str],
    lesions: tuple[str, ...],
) -> FilmSpec:
    """The spec of a film of the settings' size. `key` and `patient` are made the seed's own here."""
    laterality, view = side_and_view
    return FilmSpec(
        key=f"{settings.seed} {key}",
        patient_key=f"{settings.seed} {patient}",
        height=settings.film.height,
        width=settings.film.width,
        laterality=laterality,
        view=view,
        lesions=lesions,
        difficulty=settings.difficulty,
        detector_noise=settings.film.detector_noise,
    )


@dataclass(frozen=True)
class DrawnLesion:
    """One lesion of a film, in the film's pixels: outline (n×2, x, y), `box` half-open, single
    calcifications.
    """

    kind: str
    outline: np.ndarray
    box: tuple[int, int, int, int]
    points: np.ndarray

    def mask(self, height: int, width: int) -> np.ndarray:
        """The region inside the outline as a boolean (height, width) array; its extent is `box`."""
        return _fill(self.outline, height, width).astype(bool)


@dataclass(frozen=True)
class Film:
    """Brightness (height, width) float32 in 0 to 1, bright is dense; `air` is true outside breast and
    marker.
    """

    pixels: np.ndarray
    air: np.ndarray
    lesions: tuple[DrawnLesion, ...]
    grains: np.ndarray


@dataclass
class _Placed:
    """Circles already taken, so that findings do not cover one another."""

    circles: list[tuple[float, float, float]]

    def clearance(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        free = np.full(len(x), np.inf)
        for cx, cy, radius in self.circles:
            free = np.minimum(free, np.hypot(x - cx, y - cy) - radius)
        return free


def _fill(outline: np.ndarray, height: int, width: int) -> np.ndarray:
    canvas = np.zeros((height, width), np.uint8)
    cv2.fillPoly(canvas, [np.round(outline).astype(np.int32)], 1)
    return canvas


def _place(
    rng: np.random.Generator, anatomy: Anatomy, placed: _Placed, radius: float, unit: float
) -> tuple[int, int, float] | None:
    """A random centre for something of `radius`: in the breast, off the muscle, clear of what is there
    already.
    """
    height, width = anatomy.inside.shape
    margin = int(radius + 3 * unit) + 2
    if height <= 2 * margin or width <= 2 * margin:
        return None
    x = rng.integers(margin, width - margin, 160)
    y = rng.integers(margin, height - margin, 160)
    good = (anatomy.depth[y, x] > 0.75 * radius + 8 * unit) & (anatomy.muscle[y, x] < 0.05)
    good &= placed.clearance(x, y) > radius + 5 * unit
    if not good.any():
        return None
    first = int(np.argmax(good))
    return int(x[first]), int(y[first]), radius


def _place_lesion(
    rng: np.random.Generator, anatomy: Anatomy, placed: _Placed, radius: float, unit: float
) -> tuple[int, int, float]:
    """As `_place`, but a lesion always finds room: it shrinks until it fits."""
    for _ in range(40):
        found = _place(rng, anatomy, placed, radius, unit)
        if found is not None:
            return found
        radius = max(radius * 0.93, 6 * unit)
    raise RuntimeError("no room for a lesion: the breast is too small for the lesions asked for")


def _stamp(canvas: np.ndarray, patch: np.ndarray, x: int, y: int, amount: float) -> None:
    """Add `patch` times `amount` to `canvas` with the patch's middle at (x, y); what sticks out is cut
    off.
    """
    extent = patch.shape[0] // 2
    height, width = canvas.shape
    top, bottom, left, right = (
        max(0, y - extent),
        min(height, y + extent + 1),
        max(0, x - extent),
        min(width, x + extent + 1),
    )
    part = patch[top - y + extent : bottom - y + extent, left - x + extent : right - x + extent]
    canvas[top:bottom, left:right] += amount * part


def _drawn(kind: str, shape: Shape, x: int, y: int, height: int, width: int) -> DrawnLesion:
    outline = np.clip(shape.outline + (x, y), (1, 1), (width - 2, height - 2))
    rows = np.flatnonzero(_fill(outline, height, width).any(axis=1))
    columns = np.flatnonzero(_fill(outline, height, width).any(axis=0))
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    return DrawnLesion(kind, outline, box, shape.points + (x, y))


def _add_lesions(spec: FilmSpec, anatomy: Anatomy, placed: _Placed) -> tuple[np.ndarray, list[DrawnLesion]]:
    hard, unit = spec.difficulty, spec.height / 512
    layer, drawn = np.zeros(anatomy.inside.shape, np.float32), []
    crowd = 1.0 if len(spec.lesions) <= 2 else (2 / len(spec.lesions)) ** 0.5
    for number, kind in enumerate(spec.lesions):
        rng = generator(spec.key, "lesion", number, kind)
        radius = rng.uniform(*hard.lesion_radius) * unit * crowd
        x, y, radius = _place_lesion(rng, anatomy, placed, radius, unit)
        placed.circles.append((x, y, radius * 1.15))
        shape = LESIONS[kind](rng, radius, unit)
        base = hard.calcification_contrast if kind == "cluster" else hard.lesion_contrast
        _stamp(layer, shape.patch, x, y, base * (1 + hard.contrast_spread * rng.uniform(-1, 1)))
        drawn.append(_drawn(kind, shape, x, y, spec.height, spec.width))
    return layer, drawn


def _distractor_kinds(rng: np.random.Generator, hard: DifficultySettings) -> list[str]:
    def some(counts: tuple[int, int], usual: str, rarer: str, share: float) -> list[str]:
        return [rarer if rng.random() < share else usual for _ in range(rng.integers(*counts, endpoint=True))]

    kinds = some(hard.distractors, "blob", "node", 0.35) + some(hard.fat_lobules, "lobule", "lobule", 0)
    return kinds + some(hard.grains, "grain", "eggshell", 0.3)


def _add_distractors(spec: FilmSpec, anatomy: Anatomy, placed: _Placed) -> tuple[np.ndarray, np.ndarray]:
    """What is bright (or dark) and no lesion; gives its brightness and the places of single calcifications."""
    hard, unit = spec.difficulty, spec.height / 512
    rng = generator(spec.key, "distractors")
    layer, grains = np.zeros(anatomy.inside.shape, np.float32), []
    blob, grain = (hard.distractor_radius, hard.distractor_contrast), ((6.0, 6.0), hard.grain_contrast)
    sizes = {"grain": grain, "eggshell": grain, "lobule": ((5.0, 16.0), hard.fat_lobule_contrast)}
    for kind in _distractor_kinds(rng, hard):
        radii, contrast = sizes.get(kind, blob)
        radius = rng.uniform(*radii) * unit
        found = _place(rng, anatomy, placed, radius, unit)
        shape = DISTRACTORS[kind](rng, radius, unit)
        amount = contrast * (1 + hard.contrast_spread * rng.uniform(-1, 1))
        if found is None:
            continue
        x, y, radius = found
        placed.circles.append((x, y, radius))
        # A gap takes away a share of the tissue there, or it would punch a hole into thin fat.
        amount *= anatomy.tissue[y, x] / 0.4 if kind == "lobule" else 1
        _stamp(layer, shape.patch, x, y, amount)
        grains += [(x, y)] * len(shape.points)
    return layer, np.array(grains, dtype=float).reshape(-1, 2)


def _add_marker(
    pixels: np.ndarray, spec: FilmSpec, inside: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Burn in side and view as lead letters, in the air at the far upper corner; gives the letters'
    pixels.
    """
    unit = spec.height / 512
    letters = np.zeros(pixels.shape, np.uint8)
    size, thick = 0.8 * unit, max(1, round(2 * unit))
    text = f"{spec.laterality} {spec.view}"
    (text_width, text_height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, thick)
    right = spec.width - int(rng.uniform(6, 14) * unit) - 1
    left, base = right - text_width, int(rng.uniform(12, 26) * unit) + text_height
    at = (left if spec.laterality == "L" else spec.width - 1 - right, base)
    cv2.putText(letters, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, 255, thick, cv2.LINE_AA)
    share = letters.astype(np.float32) / 255
    pixels += (MARKER - pixels) * share
    return letters > 0


def _shoulder(pixels: np.ndarray, knee: float = 0.52, room: float = 0.34) -> np.ndarray:
    """Brightness above `knee` levels off towards `knee + room`, as a film's curve does, instead of burning out."""
    return np.where(pixels > knee, knee + room * np.tanh((pixels - knee) / room), pixels)


def make_film(spec: FilmSpec, with_lesions: bool = True) -> Film:
    """Draw the film of `spec`, the same for the same spec.

    `with_lesions=False` leaves the lesions' brightness out and everything else as it is (their places stay
    free), so that the difference of two films is the lesions alone.
    """
    density = float(generator(spec.patient_key, "density").beta(2.0, 2.2))
    anatomy = make_anatomy(generator(spec.key, "anatomy"), spec.height, spec.width, spec.view, density)
    placed = _Placed([])
    lesion_layer, lesions = _add_lesions(spec, anatomy, placed)
    distractor_layer, grains = _add_distractors(spec, anatomy, placed)
    layer = distractor_layer + lesion_layer if with_lesions else distractor_layer
    # Whatever lies in the breast shares its fine structure: findings cut out of clean grey would look pasted in.
    pixels = anatomy.tissue + layer * anatomy.thickness * (1 + 0.08 * anatomy.texture)
    pixels = _shoulder(pixels)
    pixels = np.where(anatomy.inside, np.maximum(pixels, AIR * 2), AIR).astype(np.float32)
    inside = anatomy.inside
    if spec.laterality == "R":
        pixels, inside = pixels[:, ::-1].copy(), inside[:, ::-1].copy()
        lesions = [_mirrored(lesion, spec.width) for lesion in lesions]
        grains = np.stack([spec.width - 1 - grains[:, 0], grains[:, 1]], 1)
    letters = _add_marker(pixels, spec, inside, generator(spec.key, "marker"))
    noise = generator(spec.key, "noise").standard_normal(pixels.shape, dtype=np.float32)
    pixels += noise * np.where(inside, spec.detector_noise * (0.6 + pixels), 0.25 * spec.detector_noise)
    return Film(np.clip(pixels, 0, 1), ~inside & ~letters, tuple(lesions), grains)


def _mirrored(lesion: DrawnLesion, width: int) -> DrawnLesion:
    def flip(points: np.ndarray) -> np.ndarray:
        return np.stack([width - 1 - points[:, 0], points[:, 1]], 1)

    x1, y1, x2, y2 = lesion.box
    return DrawnLesion(
        lesion.kind, np.round(flip(lesion.outline), 6), (width - x2, y1, width - x1, y2), flip(lesion.points)
    )
