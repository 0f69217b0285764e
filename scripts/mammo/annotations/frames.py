"""Boxes between pictures of one film that differ in size."""

from __future__ import annotations

from mammo.dicom.unusable import Unusable

Box = tuple[float, float, float, float]

# Paired pictures are resized by a few per cent more in one direction than in the other, never by a quarter; a larger
# difference means a picture of something else, or a turned one.
MAX_STRETCH = 1.25


def scale_to_film(box: Box, picture: tuple[int, int], film: tuple[int, int]) -> Box:
    """A half-open box in pixels of a picture → in pixels of the film; sizes are (width, height).

    x and y are scaled by themselves. Edges of half-open boxes lie between pixels, so nothing is added or taken away.
    """
    across, down = film[0] / picture[0], film[1] / picture[1]
    x1, y1, x2, y2 = box
    return (x1 * across, y1 * down, x2 * across, y2 * down)


def check_proportions(what: str, picture: tuple[int, int], film: tuple[int, int]) -> None:
    """Refuse a picture whose proportions are not the film's; sizes are (width, height). Raises `Unusable`."""
    stretch = (picture[0] * film[1]) / (picture[1] * film[0])
    if not 1 / MAX_STRETCH <= stretch <= MAX_STRETCH:
        raise Unusable(f"{what} has other proportions ({_text(picture)}) than the film ({_text(film)})")


def _text(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
