"""Stored DICOM values → the image that readers see, 8 or 16 bit (PS3.3 C.11, PS3.14).

modality LUT or rescale → VOI LUT or window → one inversion → padding to black → 8 or 16 bit. Every step is a function
of the stored value alone, so the chain is worked out once for each value that can occur and looked up for each pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from mammo.dicom.elements import bits, capitals, is_signed, tolerant, words
from mammo.dicom.facts import Facts, film_facts
from mammo.dicom.groups import frame_header
from mammo.dicom.read import decoded_samples, grey_from_rgb, read_film
from mammo.dicom.samples import Samples
from mammo.dicom.unusable import Unusable
from mammo.dicom.voi import Values, modality_values, presentation_values
from mammo.settings import DisplaySettings

Pixels = NDArray[np.unsignedinteger]


@dataclass(frozen=True)
class DisplayImage:
    """`pixels` uint8, or uint16 for 16-bit PNG, (height, width), bright is dense; `facts` of the header."""

    pixels: Pixels
    facts: Facts


def display_film(path: Path | str, settings: DisplaySettings, frame: int = 0) -> DisplayImage:
    """Read a frame (from 0) of a DICOM file as its readers saw it. Raises `Unusable`, a reason for rejects.csv."""
    film = read_film(path, frame)
    with tolerant():
        samples = decoded_samples(film, frame)
        header = frame_header(film, frame)
        if samples.values is None:
            pixels = grey_from_rgb(samples.words, samples.bits, _top(settings))
        else:
            pixels = _shown(header, samples, settings)
    if pixels.min() == pixels.max():
        raise Unusable("shows nothing: all pixels have one brightness")
    return DisplayImage(pixels, film_facts(film, frame))


def display_pixels(film: Dataset, stored: NDArray[np.integer], settings: DisplaySettings) -> Pixels:
    """Grey stored values (height, width) → display values of the same shape, uint8 or uint16."""
    every = np.arange(65536, dtype=np.int32)
    values = np.where(every > 32767, every - 65536, every) if stored.min() < 0 else every
    return _shown(film, Samples(stored.astype(np.uint16), values, 16), settings)


def _shown(film: Dataset, samples: Samples, settings: DisplaySettings) -> Pixels:
    stored = samples.values
    padding = is_padding(film, stored)
    inverted = is_inverted(film)
    values = modality_values(film, stored)
    shown = presentation_values(film, values, settings)
    if shown is None:
        first, last = _own_window(samples.words, values, padding, inverted, settings)
        shown = np.clip((values - first) / max(last - first, 1e-9), 0, 1)
    if inverted:
        shown = 1 - shown
    top = _top(settings)
    table = np.floor(shown * top + 0.5).astype(np.uint8 if top == 255 else np.uint16)
    table[padding] = 0
    # OpenCV looks 16-bit words up since its version 5, four times as fast as NumPy.
    return cv2.LUT(np.ascontiguousarray(samples.words), table)


def _top(settings: DisplaySettings) -> int:
    return 65535 if settings.image_format == "png16" else 255


# --- the steps ----------------------------------------------------------------------------------------------------


def is_inverted(film: Dataset) -> bool:
    """Whether low values are bright: said by one element or by both, it is one inversion."""
    return (
        capitals(film, "PhotometricInterpretation") == "MONOCHROME1"
        or capitals(film, "PresentationLUTShape") == "INVERSE"
    )


def is_padding(film: Dataset, stored: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Which stored values stand for no image at all (PS3.3 C.7.5.1.1.2): a value, or a range in either direction."""
    value = _stored_value(film, "PixelPaddingValue")
    if value is None:
        return np.zeros(stored.shape, bool)
    limit = _stored_value(film, "PixelPaddingRangeLimit")
    ends = sorted((value, value if limit is None else limit))
    return (stored >= ends[0]) & (stored <= ends[1])


def _stored_value(film: Dataset, keyword: str) -> int | None:
    """A value in the sign of the pixels, also where the file wrote it in the other one or in BitsStored bits."""
    try:
        value = words(film, keyword)[0] % 65536
    except (ValueError, IndexError):
        return None
    if not is_signed(film):
        return value
    half = 1 << (bits(film)[1] - 1)
    if value > 32767:
        return value - 65536
    return value - 2 * half if half <= value < 2 * half else value


# --- the window of a film that brings none ------------------------------------------------------------------------


def _own_window(
    stored: Pixels, values: Values, padding: NDArray[np.bool_], inverted: bool, settings: DisplaySettings
) -> tuple[float, float]:
    """First and last modality value to show: the range of the values that occur, or percentiles of the breast's.

    `stored` words (height, width); `values` and `padding` are those of each possible word.
    """
    # Every n-th pixel gives the same percentiles at a fraction of the cost.
    step = max(1, max(stored.shape) // 1024)
    index = stored[::step, ::step]
    image = ~padding[index]
    if not image.any():
        raise Unusable("shows nothing: all pixels are padding")
    if settings.window == "minmax":
        present = cv2.calcHist([stored], [0], None, [len(values)], [0, len(values)]).ravel() > 0
        shown = values[present & ~padding]
        return float(shown.min()), float(shown.max())
    sample = values[index]
    breast = breast_region(-sample if inverted else sample, image)
    first, last = np.percentile(sample[breast], _percentiles(settings, inverted))
    return float(first), float(last)


def _percentiles(settings: DisplaySettings, inverted: bool) -> tuple[float, float]:
    """The settings speak of what is seen, dark to bright; in an inverted film the brightest value is the lowest."""
    dark, bright = settings.percentiles
    return (100 - bright, 100 - dark) if inverted else (dark, bright)


def breast_region(brightness: Values, image: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest connected part that is brighter than the air; both arrays (height, width).

    Air is the peak at the dark end of the histogram. Where padding already covers the air, nothing is cut off.
    """
    region = image
    if image.mean() > 0.9:
        low, high = np.percentile(brightness[image], (0, 99.5))
        grey = np.clip((brightness - low) / max(high - low, 1e-9) * 255, 0, 255).astype(np.uint8)
        level, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_TRIANGLE)
        # A film that fills its frame has its peak elsewhere: then the whole film is the breast.
        region = image & (grey > level) if level < 128 else image
    opened = cv2.morphologyEx(region.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(opened, connectivity=8)
    if count < 2:
        return image
    return labels == 1 + int(np.argmax(statistics[1:, cv2.CC_STAT_AREA]))
