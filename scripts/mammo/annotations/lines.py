"""The lines of a drawing as a mask: the part of the picture they are in, what is connected, how wide they are."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

# 0 or 1, (height, width).
Mask = NDArray[np.uint8]
Window = tuple[int, int, int, int]

# A box of which both sides are nearly the picture's is a frame round it.
FRAME_SHARE = 0.9


@dataclass(frozen=True)
class Part:
    """A part of the picture that holds one drawing: its lines, firm and traced, and which sides are the picture's."""

    window: Window
    lines: Mask = field(repr=False)
    trace: Mask = field(repr=False)
    edges: tuple[bool, bool, bool, bool]


def components(mask: Mask) -> NDArray[np.int32]:
    """Half-open boxes (n, 4) of a mask's connected parts, 8-neighbourhood."""
    _, _, statistics, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    boxes = statistics[1:, :4].copy()
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def connected_to(mask: Mask, cores: NDArray[np.bool_]) -> Mask:
    """The connected parts of a mask (8-neighbourhood) that hold a core pixel."""
    _, labels = cv2.connectedComponents(mask, connectivity=8)
    kept = np.zeros(int(labels.max(initial=0)) + 1, np.uint8)
    kept[labels[cores]] = 1
    kept[0] = 0
    return kept[labels]


def line_width(lines: Mask) -> float:
    """Mean width in pixels of the lines of a mask, at least 1.

    Area over half the length of the edge.
    """
    length = rim_length(lines)
    return max(1.0, 2 * int(lines.sum()) / length) if length else 1.0


def rim_length(region: Mask) -> float:
    """Length of a region's edge by its crossings with lines in four directions (Cauchy-Crofton), within 5 %."""
    framed = cv2.copyMakeBorder(region, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    straight = np.count_nonzero(framed[1:] != framed[:-1]) + np.count_nonzero(framed[:, 1:] != framed[:, :-1])
    slanting = np.count_nonzero(framed[1:, 1:] != framed[:-1, :-1])
    slanting += np.count_nonzero(framed[1:, :-1] != framed[:-1, 1:])
    return np.pi / 8 * (straight + slanting / np.sqrt(2))


def is_frame(across: int, down: int, shape: tuple[int, ...]) -> bool:
    """Whether what is so wide and high is a frame round a picture of shape (height, width)."""
    return across > FRAME_SHARE * shape[1] and down > FRAME_SHARE * shape[0]


def disc_of(diameter: int) -> Mask:
    """A disc to grow or shrink masks with; its diameter in pixels."""
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter))
