"""The pictures of a gallery: a film with a place marked, and the place at native resolution, plain and with boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from mammo.errors import UserError

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]  # blue, green, red
BLACK: Colour = (0, 0, 0)


@dataclass(frozen=True)
class Line:
    """How a box is drawn: colour, width in pixels, and lengths of dashes and gaps in turn (none: solid)."""

    colour: Colour
    width: int
    dashes: tuple[int, ...] = ()

    @property
    def css(self) -> str:
        """The colour for a page."""
        blue, green, red = self.colour
        return f"#{red:02x}{green:02x}{blue:02x}"


# Okabe and Ito's colours on grey films: by colour, and for the colour-blind and in print by dashes and widths.
LESION = Line((0, 159, 230), 2)
FALSE_POSITIVE = Line((255, 255, 255), 3)
ENSEMBLE = Line((255, 255, 255), 2, (14, 10))
MEMBERS = (
    Line((233, 180, 86), 1, (8, 7)),
    Line((66, 228, 240), 1, (1, 6)),
    Line((167, 121, 204), 1, (14, 6, 1, 6)),
    Line((115, 158, 0), 1, (22, 8)),
    Line((0, 94, 213), 1, (1, 12)),
    Line((178, 114, 0), 1, (8, 6, 1, 6, 1, 6)),
)


@dataclass(frozen=True)
class Area:
    """A rectangle of whole pixels of a film, half-open."""

    x1: int
    y1: int
    x2: int
    y2: int


def area_around(box: NDArray[np.float64], size: tuple[int, int], side: int) -> Area:
    """The square of a film of `size` (width, height) around a box: `side` pixels, more where the box needs it.

    Half the box's longest side is left around it. At a film's edge the square is moved inside; a film that is smaller
    is taken whole.
    """
    wanted = max(side, int(np.ceil(2 * float((box[2:] - box[:2]).max()))))
    spans = []
    for axis, length in enumerate(size):
        middle = (box[axis] + box[axis + 2]) / 2
        first = min(max(0, round(float(middle) - wanted / 2)), max(0, length - wanted))
        spans.append((first, min(length, first + wanted)))
    (x1, x2), (y1, y2) = spans
    return Area(x1, y1, x2, y2)


def plain_crop(pixels: Picture, area: Area) -> Picture:
    """The area of a grey film (height, width), pixel by pixel, in colour (B, G, R)."""
    return cv2.cvtColor(pixels[area.y1 : area.y2, area.x1 : area.x2], cv2.COLOR_GRAY2BGR)


def draw_boxes(picture: Picture, area: Area, boxes: NDArray[np.float64], line: Line) -> None:
    """Draw boxes (n, 4), given in the film's pixels, into the crop of an area; what lies outside is cut off."""
    for x1, y1, x2, y2 in boxes.tolist():
        # The line runs around the box, so that it hides none of what is inside.
        out = (line.width + 1) // 2
        left, top = round(x1) - area.x1 - out, round(y1) - area.y1 - out
        right, bottom = round(x2) - 1 - area.x1 + out, round(y2) - 1 - area.y1 + out
        corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
        # A dark seam sets the line off from bright tissue.
        for colour, width in ((BLACK, line.width + 2), (line.colour, line.width)):
            for start, end in pairwise(corners):
                _dashed(picture, start, end, colour, width, line.dashes)


def _dashed(
    picture: Picture,
    start: tuple[int, int],
    end: tuple[int, int],
    colour: Colour,
    width: int,
    dashes: Sequence[int],
) -> None:
    length = abs(end[0] - start[0]) + abs(end[1] - start[1])
    if not dashes or not length:
        cv2.line(picture, start, end, colour, width)
        return
    at, turn = 0, 0
    while at < length:
        until = min(length, at + dashes[turn % len(dashes)])
        if turn % 2 == 0:
            cv2.line(
                picture,
                _between(start, end, at / length),
                _between(start, end, until / length),
                colour,
                width,
            )
        at, turn = until, turn + 1


def _between(start: tuple[int, int], end: tuple[int, int], share: float) -> tuple[int, int]:
    return round(start[0] + (end[0] - start[0]) * share), round(start[1] + (end[1] - start[1]) * share)


def overview(pixels: Picture, area: Area, box: NDArray[np.float64], line: Line, height: int) -> Picture:
    """The whole film at a height in pixels, in colour, the place in its line and the crop's area dotted around it."""
    scale = height / pixels.shape[0]
    size = (max(1, round(pixels.shape[1] * scale)), height)
    grey = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    picture = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    whole = Area(0, 0, size[0], size[1])
    draw_boxes(picture, whole, box[None, :] * scale, line)
    frame = np.array([[area.x1, area.y1, area.x2, area.y2]], np.float64) * scale
    draw_boxes(picture, whole, frame, Line((200, 200, 200), 1, (3, 5)))
    return picture


def png_bytes(picture: Picture, name: str) -> bytes:
    """A picture as PNG; the same bytes for the same pixels. Raises `UserError`."""
    done, data = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 6])
    if not done:
        raise UserError(
            f"{name}: the picture of {picture.shape[1]}×{picture.shape[0]} pixels cannot be written as PNG"
        )
    return data.tobytes()
