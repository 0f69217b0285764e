"""Vector graphics of presentation states and reports: what region each encloses, and its box.

Points are (n, 2) arrays of x, y in a film's continuous coordinates: 0, 0 is the outer corner of its first pixel, whose
centre is 0.5, 0.5. The extent of a region in these is its half-open box as it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mammo.annotations.finding import Finding
from mammo.annotations.frames import Box

Points = NDArray[np.float64]

# Hands end an outline near where it began: the gap as a share of the line's length.
OPEN_SHARE = 0.1
# Lines of fewer points were not drawn by hand: they close within a pixel or not at all.
BY_HAND, SAME_PLACE = 8, 1.0
# A curve that runs to and fro (a ruler, a pointer) encloses less than this share of its box.
THIN_SHARE = 0.05
# Points of a spline between two given ones; beyond so many given ones the polygon is as good as the curve.
SPLINE_STEPS, SPLINE_POINTS = 16, 2000
# Two graphics are the same lesion drawn twice from this overlap on.
SAME_IOU = 0.8
# Coordinates beyond this are no place on a film (and would overflow what is computed from them).
FAR = 1e6


def as_points(values: Sequence[float]) -> Points:
    """x, y, x, y, … → points; none where a value is missing or lies nowhere near a film."""
    if not values or len(values) % 2 or max(map(abs, values)) > FAR:
        return np.zeros((0, 2))
    return np.asarray(values, np.float64).reshape(-1, 2)


def region_box(kind: str, points: Points, filled: bool = False) -> Box | None:
    """Half-open box of the region that a graphic of PS3.3 C.10.5 or C.18.6 encloses; none where it encloses none.

    POINT has no extent. POLYLINE and INTERPOLATED are regions when they close, or nearly, or are filled. CIRCLE is
    centre and a point on it, ELLIPSE the ends of its two axes (any conjugate diameters). MULTIPOINT (reports: the
    grains of a cluster) is the region that the points span, three at least. Lines without an area are no region.
    """
    if kind == "CIRCLE" and len(points) == 2:
        radius = float(np.hypot(*(points[1] - points[0])))
        return _around(points[0], radius, radius)
    if kind == "ELLIPSE" and len(points) == 4:
        first, second = points[1] - points[0], points[3] - points[2]
        return _around(points.mean(axis=0), *(np.hypot(first, second) / 2))
    if kind == "MULTIPOINT":
        return _extent(points)
    if kind in ("POLYLINE", "INTERPOLATED") and len(points) >= 3 and (filled or is_closed(points)):
        return _extent(spline(points) if kind == "INTERPOLATED" else points)
    return None


def is_closed(points: Points) -> bool:
    """Whether a line ends where it began, as far as hands do that; an angle's two arms may end near each other."""
    steps = np.hypot(*np.diff(points, axis=0).T)
    reach = OPEN_SHARE * steps.sum() if len(points) >= BY_HAND else SAME_PLACE
    return bool(np.hypot(*(points[-1] - points[0])) <= reach)


def spline(points: Points) -> Points:
    """A smooth closed curve through all points (Catmull-Rom), as a dense polygon.

    PS3.3 leaves the curve to the implementation and asks only that it run through the points.
    """
    ring = points[:-1] if np.allclose(points[0], points[-1]) else points
    if not 3 <= len(ring) <= SPLINE_POINTS:
        return points
    before, after, beyond = (np.roll(ring, shift, axis=0) for shift in (1, -1, -2))
    t = np.linspace(0, 1, SPLINE_STEPS, endpoint=False)[:, None, None]
    curve = (
        2 * ring
        + (after - before) * t
        + (2 * before - 5 * ring + 4 * after - beyond) * t**2
        + (3 * ring - before - 3 * after + beyond) * t**3
    ) / 2
    return curve.transpose(1, 0, 2).reshape(-1, 2)


def _around(centre: Points, across: float, down: float) -> Box | None:
    x, y = map(float, centre)
    return (x - across, y - down, x + across, y + down) if across > 0 and down > 0 else None


def _extent(points: Points) -> Box | None:
    """Box of the points; none where they lie on a line."""
    if len(points) < 3:
        return None
    (x1, y1), (x2, y2) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    if not (x1 < x2 and y1 < y2):
        return None
    hull = cv2.contourArea(cv2.convexHull((points - (x1, y1)).astype(np.float32)))
    return (x1, y1, x2, y2) if hull >= THIN_SHARE * (x2 - x1) * (y2 - y1) else None


def on_film(findings: Sequence[Finding], size: tuple[int, int]) -> list[Finding]:
    """Findings that lie on the film, at least in part, each lesion once; `size` is (width, height).

    Drawn twice, a lesion keeps its first box, and the first label that either has.
    """
    if not findings:
        return []
    boxes = np.array([finding.box for finding in findings], np.float64)
    inside = (boxes[:, :2] < size).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1)
    kept: list[int] = []
    labels = [finding.label for finding in findings]
    for index in np.flatnonzero(inside).tolist():
        same = [kept[place] for place in np.flatnonzero(_ious(boxes[kept], boxes[index]) >= SAME_IOU)]
        if same:
            labels[same[0]] = labels[same[0]] or labels[index]
        else:
            kept.append(index)
    return [replace(findings[index], label=labels[index]) for index in kept]


def _ious(boxes: NDArray[np.float64], box: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of (n, 4) boxes with one."""
    sides = np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])
    common = np.clip(sides, 0, None).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod()
    return common / np.maximum(areas - common, 1e-9)
