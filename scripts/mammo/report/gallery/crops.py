"""The pictures of a gallery: a film with a place marked, and the place at native resolution, plain and with boxes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mammo.errors import UserError

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]  # blue, green, red
BLACK: Colour = (0, 0, 0)
SEAM = 1  # pixels of black on both sides of a line, which set it off from bright tissue and from other lines


@dataclass(frozen=True)
class Line:
    """How a box is drawn: colour, width in pixels, and lengths of dashes and gaps in turn (none: solid).

    `air`: pixels between the box and the line's seam.
    """

    colour: Colour
    width: int
    dashes: tuple[int, ...] = ()
    air: int = 0

    @property
    def css(self) -> str:
        """The colour for a page."""
        blue, green, red = self.colour
        return f"#{red:02x}{green:02x}{blue:02x}"

    @property
    def seam_dashes(self) -> tuple[int, ...]:
        """Dashes of the black beneath, `SEAM` longer at both ends; they begin `SEAM` before the line's."""
        return tuple(
            length + 2 * SEAM if turn % 2 == 0 else length - 2 * SEAM
            for turn, length in enumerate(self.dashes)
        )


# Okabe and Ito's colours on grey films: by colour, and for the colour-blind and in print by dashes and widths.
LESION = Line((0, 159, 230), 2)
CROP = Line((200, 200, 200), 1, (3, 5))  # on the film
OVERVIEW_AIR = 3  # pixels between a place and its line on the film
FALSE_POSITIVE = Line((255, 255, 255), 3)
ENSEMBLE = Line((255, 255, 255), 2, (14, 10))
MEMBER_WIDTH = 2
MEMBER_COLOURS: tuple[Colour, ...] = (
    (233, 180, 86),
    (66, 228, 240),
    (167, 121, 204),
    (115, 158, 0),
    (0, 94, 213),
    (178, 114, 0),
)
MEMBER_DASHES = ((8, 8), (2, 6), (16, 6, 2, 6), (24, 8), (2, 14), (8, 6, 2, 6, 2, 6))


def member_line(index: int) -> Line:
    """Of a member's boxes: colours and dashes go round together, and are shifted against each other after a round."""
    turn, place = divmod(index, len(MEMBER_COLOURS))
    dashes = MEMBER_DASHES[(place + turn) % len(MEMBER_DASHES)]
    return Line(MEMBER_COLOURS[place], MEMBER_WIDTH, dashes)


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


def draw_boxes(picture: Picture, area: Area, layers: Sequence[tuple[NDArray[np.float64], Line]]) -> None:
    """Draw layers of boxes (n, 4), given in the film's pixels, into the crop of an area, the last layer on top.

    What lies outside is cut off. Lines run around their box, so that they hide none of what is inside; those around
    the same place run around each other, the last layer's innermost. All seams are drawn before all colours: no line is
    covered by another one's seam.
    """
    frames = _frames(area, layers)
    for seam in (True, False):
        for inner, line in frames:
            _frame(picture, inner, line, seam=seam)


def _frames(area: Area, layers: Sequence[tuple[NDArray[np.float64], Line]]) -> list[tuple[Area, Line]]:
    """The pixels of the crop that each line runs around, the lowest line first."""
    frames: list[tuple[Area, Line]] = []
    for boxes, line in reversed(layers):
        for x1, y1, x2, y2 in boxes.tolist():
            box = Area(
                int(np.floor(x1)) - area.x1, int(np.floor(y1)) - area.y1,
                int(np.ceil(x2)) - area.x1, int(np.ceil(y2)) - area.y1,
            )  # fmt: skip
            inner = _wider(box, line.air)
            while any(_on_each_other(inner, other, lower.width) for other, lower in frames):
                inner = _wider(inner, 1)
            frames.append((inner, line))
    return frames[::-1]


def _wider(area: Area, by: int) -> Area:
    return Area(area.x1 - by, area.y1 - by, area.x2 + by, area.y2 + by)


def _on_each_other(one: Area, other: Area, width: int) -> bool:
    """Whether the line around one would cover a line of a width around the other on all four sides."""
    sides = zip(astuple(one), astuple(other), strict=True)
    return all(abs(side - same) < width + 2 * SEAM for side, same in sides)


def _frame(picture: Picture, inner: Area, line: Line, *, seam: bool) -> None:
    """Draw a line, or the seam beneath it, around the pixels of `inner`."""
    near, width = (0, line.width + 2 * SEAM) if seam else (SEAM, line.width)
    colour, dashes = (BLACK, line.seam_dashes) if seam else (line.colour, line.dashes)
    far = near + width
    for first, last in _dashes(inner.x1 - far, inner.x2 + far, dashes):
        _fill(picture, Area(first, inner.y1 - far, last, inner.y1 - near), colour)
        _fill(picture, Area(first, inner.y2 + near, last, inner.y2 + far), colour)
    for first, last in _dashes(inner.y1 - far, inner.y2 + far, dashes):
        _fill(picture, Area(inner.x1 - far, first, inner.x1 - near, last), colour)
        _fill(picture, Area(inner.x2 + near, first, inner.x2 + far, last), colour)


def _dashes(start: int, end: int, dashes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Where the dashes of a line from `start` to `end` begin and end."""
    if not dashes:
        yield start, end
        return
    at, turn = start, 0
    while at < end:
        until = min(end, at + dashes[turn % len(dashes)])
        if turn % 2 == 0:
            yield at, until
        at, turn = until, turn + 1


def _fill(picture: Picture, area: Area, colour: Colour) -> None:
    """Set the pixels of an area, as far as the picture has them."""
    picture[max(0, area.y1) : max(0, area.y2), max(0, area.x1) : max(0, area.x2)] = colour


def overview(pixels: Picture, area: Area, box: NDArray[np.float64], line: Line, height: int) -> Picture:
    """The whole film at a height in pixels, in colour, the place in its line and the crop's area dotted around it."""
    scale = height / pixels.shape[0]
    size = (max(1, round(pixels.shape[1] * scale)), height)
    grey = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    picture = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    whole = Area(0, 0, size[0], size[1])
    frame = np.array([[area.x1, area.y1, area.x2, area.y2]], np.float64) * scale
    # Reduced, a finding is a few pixels: its line keeps away from it.
    draw_boxes(picture, whole, [(frame, CROP)])
    draw_boxes(picture, whole, [(box[None, :] * scale, replace(line, air=OVERVIEW_AIR))])
    return picture


def png_bytes(picture: Picture, name: str) -> bytes:
    """A picture as PNG; the same bytes for the same pixels. Raises `UserError`."""
    done, data = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 6])
    if not done:
        raise UserError(
            f"{name}: the picture of {picture.shape[1]}×{picture.shape[0]} pixels cannot be written as PNG"
        )
    return data.tobytes()
