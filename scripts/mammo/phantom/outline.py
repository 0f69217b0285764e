"""A reader's annotation as the hospital keeps it: a JPEG of the film with the lesion outlined in colour."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "dark red": (160, 0, 0)}


@dataclass(frozen=True)
class Pen:
    """How the annotation was drawn and saved.

    `line` width in pixels of a film 3000 high (1 to 8, scaled to the film, at least 1 pixel); `scale_x`,
    `scale_y` the JPEG's size over the film's; `quality` and `chroma_halved` (4:2:0) of the JPEG.
    """

    colour: str = "green"
    line: int = 4
    scale_x: float = 1.0
    scale_y: float = 1.0
    quality: int = 90
    chroma_halved: bool = True

    def names(self) -> list[str]:
        """The pen's quirks as words, for the table of truth."""
        words = [self.colour.replace(" ", "-") + "-outline"]
        words += ["scaled-jpeg"] if (self.scale_x, self.scale_y) != (1.0, 1.0) else []
        return words + (["chroma-420"] if self.chroma_halved else ["chroma-444"])


def display(pixels: np.ndarray) -> np.ndarray:
    """Brightness 0 to 1 as the 8-bit grey a workstation exports."""
    return np.round(np.clip((pixels - 0.02) / 0.80, 0, 1) * 255).astype(np.uint8)


def outlined_jpeg(pixels: np.ndarray, outlines: list[np.ndarray], pen: Pen) -> bytes:
    """The film as a colour JPEG with closed outlines (each n×2, x and y in the film's pixels)."""
    height, width = pixels.shape
    size = (max(8, round(width * pen.scale_x)), max(8, round(height * pen.scale_y)))
    picture = cv2.cvtColor(display(pixels), cv2.COLOR_GRAY2BGR)
    if size != (width, height):
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    ratio = (size[0] / width, size[1] / height)
    for outline in outlines:
        # Pixel centres lie at halves in continuous coordinates, so that scaling does not shift the outline.
        points = (outline + 0.5) * ratio - 0.5
        # Small films get bolder lines than their scale asks for: readers see screens, not detectors.
        line = max(1, round(pen.line * max(size[1] / 3000, 0.35 if size[1] > 300 else 0.15)))
        fixed = np.round(points * 16).astype(np.int32)[None]
        cv2.polylines(picture, fixed, True, COLOURS[pen.colour][::-1], line, cv2.LINE_AA, 4)
    sampling = (
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420 if pen.chroma_halved else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
    )
    options = [cv2.IMWRITE_JPEG_QUALITY, pen.quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
    done, data = cv2.imencode(".jpg", picture, options)
    assert done
    return data.tobytes()
