"""Coloured lines in a picture that is otherwise grey.

JPEG halves the colour's resolution and blurs it, so no exact colour survives; what does is that the film is grey.
A pixel belongs to a line when it is far enough from grey and its hue is one of those looked for. All of this happens in
the picture's own pixels: resized first, a thin line would be gone.
"""

from __future__ import annotations

from collections.abc import Collection

import cv2
import numpy as np
from numpy.typing import NDArray

from mammo.annotations.lines import Mask, Window, connected_to

# (height, width, 3) uint8, BGR as OpenCV has it.
Picture = NDArray[np.uint8]

# Hue in degrees and how far from it a pixel may lie. Dark red is red of less brightness: JPEG makes the one the other.
HUES = {
    "red": (0, 30), "dark_red": (0, 30), "yellow": (60, 25), "green": (120, 40), "cyan": (180, 25), "blue": (240, 35),
    "magenta": (300, 30),
}  # fmt: skip
# A line's faint edges count as far as they touch its core: this share of min_chroma.
FAINT = 0.6
# A line ends where its colour has fallen to half; its course can be followed through paler places.
HALF, TRACE = 0.5, 0.25
# As far as JPEG smears a line's colour: a block of its grid.
BLOCK = 8
# A line's brightest red value below which it is dark red.
DARK_RED = 205
# Fewer pixels of a hue than this are no line, but crumbs that JPEG left.
LEAST_PIXELS = 30


def chroma_of(picture: Picture) -> NDArray[np.uint8]:
    """Distance from grey of each pixel: largest minus smallest of its three values."""
    blue, green, red = cv2.split(picture)
    return cv2.max(cv2.max(blue, green), red) - cv2.min(cv2.min(blue, green), red)


def coloured_window(chroma: NDArray[np.uint8], min_chroma: int, room: int) -> Window:
    """Left, top, right, bottom of the part with all colour and `room` around it: the rest need not be searched."""
    height, width = chroma.shape
    x, y, across, down = cv2.boundingRect((chroma >= min_chroma).astype(np.uint8))
    if not across:
        return (0, 0, 0, 0)
    return (max(0, x - room), max(0, y - room), min(width, x + across + room), min(height, y + down + room))


def coloured_lines(
    picture: Picture, chroma: NDArray[np.uint8], colours: Collection[str], min_chroma: int
) -> tuple[Mask, Mask]:
    """Pixels of lines in the given colours: the lines as they are, and as far as they can be traced."""
    peak = cv2.dilate(chroma, np.ones((2 * BLOCK + 1, 2 * BLOCK + 1), np.uint8))
    faint = (chroma >= np.maximum(min_chroma * FAINT, peak * TRACE)).astype(np.uint8)
    rows, columns = np.nonzero(faint)
    hues = _hue(picture[rows, columns].astype(np.float32), chroma[rows, columns].astype(np.float32))
    wanted = np.zeros(len(hues), bool)
    for hue, reach in {HUES[colour] for colour in colours}:
        wanted |= _apart(hues, hue) <= reach
    faint[rows[~wanted], columns[~wanted]] = 0
    firm = faint & (chroma >= np.maximum(min_chroma * FAINT, peak * HALF)).astype(np.uint8)
    core = chroma >= min_chroma
    return connected_to(firm, core & (firm > 0)), connected_to(faint, core & (faint > 0))


def _hue(pixels: NDArray[np.float32], chroma: NDArray[np.float32]) -> NDArray[np.float32]:
    """Hue in degrees of (n, 3) BGR pixels that are not grey (the hexagon of HSV)."""
    blue, green, red = pixels.T
    top = pixels.max(axis=1) if len(pixels) else red
    sector = np.where(top == red, (green - blue) / chroma, 0)
    sector = np.where((top == green) & (top != red), (blue - red) / chroma + 2, sector)
    sector = np.where((top == blue) & (top != red) & (top != green), (red - green) / chroma + 4, sector)
    return sector * 60


def _apart(hues: NDArray[np.float32], hue: float) -> NDArray[np.float32]:
    return np.abs((hues - hue + 180) % 360 - 180)


def colour_name(
    picture: Picture, chroma: NDArray[np.uint8], line: NDArray[np.bool_], among: Collection[str]
) -> str:
    """The name of a line's colour, out of those looked for; `line` are its pixels. Empty where there are none."""
    pixels, strengths = picture[line], chroma[line].astype(np.float32)
    strong = strengths >= 0.6 * strengths.max(initial=0)
    pixels, strengths = pixels[strong], strengths[strong]
    if not len(pixels) or not strengths.max():
        return ""
    hues = _hue(pixels.astype(np.float32), strengths)
    name = min(sorted(among), key=lambda colour: float(np.median(_apart(hues, HUES[colour][0]))))
    if HUES[name] == HUES["red"] and {"red", "dark_red"} <= set(among):
        return "dark_red" if np.percentile(pixels[:, 2], 90) < DARK_RED else "red"
    return name


def colours_found(picture: Picture, min_chroma: int = 40) -> dict[str, int]:
    """Colours that occur as lines in a picture, whatever the config says, each with its number of pixels.

    The most frequent one first. For deliveries whose colours nobody wrote down.
    """
    chroma = chroma_of(picture)
    found: dict[str, int] = {}
    for colour in sorted(HUES):
        if colour == "dark_red":
            continue
        lines, _ = coloured_lines(picture, chroma, (colour,), min_chroma)
        count = int(lines.sum())
        if count >= LEAST_PIXELS:
            name = colour_name(picture, chroma, lines > 0, ("red", "dark_red")) if colour == "red" else colour
            found[name] = count
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
