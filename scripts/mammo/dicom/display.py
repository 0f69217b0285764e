"""Stored DICOM values → the 8-bit image that readers see (PS3.3 C.11, PS3.14).

modality LUT or rescale → VOI LUT or window → one inversion → padding to black → 8 bit. Every step is a function of
the stored value alone, so the chain is worked out once for each value that can occur and looked up for each pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from mammo.dicom.facts import Facts, film_facts
from mammo.dicom.read import grey_from_rgb, is_signed, read_film, stored_pixels, tolerant
from mammo.dicom.unusable import Unusable
from mammo.settings import DisplaySettings

Values = NDArray[np.float64]


@dataclass(frozen=True)
class DisplayImage:
    """`pixels` uint8 (height, width), bright is dense; `facts` of the header."""

    pixels: NDArray[np.uint8]
    facts: Facts


def display_film(path: Path | str, settings: DisplaySettings) -> DisplayImage:
    """Read a DICOM file as its readers saw it. Raises `Unusable` with the reason for rejects.csv."""
    film = read_film(path)
    stored = stored_pixels(film)
    with tolerant():
        if stored.ndim == 3:
            bits = int(film.get("BitsStored", 8))
            pixels = grey_from_rgb(stored, bits if stored.dtype != np.uint8 else 8)
        else:
            pixels = display_pixels(film, stored, settings)
    if pixels.min() == pixels.max():
        raise Unusable("shows nothing: all pixels have one brightness")
    return DisplayImage(pixels, film_facts(film))


def display_pixels(
    film: Dataset, stored: NDArray[np.integer], settings: DisplaySettings
) -> NDArray[np.uint8]:
    """Grey stored values (height, width) → uint8 display values of the same shape."""
    low, high = int(stored.min()), int(stored.max())
    possible = np.arange(low, high + 1)
    padding = is_padding(film, possible)
    inverted = is_inverted(film)
    values = modality_values(film, possible)
    shown = _presentation_values(film, values, settings)
    if shown is None:
        first, last = _own_window(stored, values, padding, low, inverted, settings)
        shown = np.clip((values - first) / max(last - first, 1e-9), 0, 1)
    if inverted:
        shown = 1 - shown
    table = np.floor(shown * 255 + 0.5).astype(np.uint8)
    table[padding] = 0
    return table[stored - low]


# --- the steps ----------------------------------------------------------------------------------------------------


def modality_values(film: Dataset, stored: NDArray[np.integer]) -> Values:
    """Stored values → modality values by LUT or rescale (PS3.3 C.11.1)."""
    lut = _lut(film, "ModalityLUTSequence", 0)
    if lut is not None:
        first, entries, _ = lut
        return entries[np.clip(stored - first, 0, len(entries) - 1)]
    slope, intercept = _number(film, "RescaleSlope", 1.0), _number(film, "RescaleIntercept", 0.0)
    return stored * (slope if slope else 1.0) + intercept


def _presentation_values(film: Dataset, values: Values, settings: DisplaySettings) -> Values | None:
    """Values in 0..1 by the file's own VOI; none where it has none or the settings do not want it."""
    if settings.window != "voi":
        return None
    lut = _lut(film, "VOILUTSequence", settings.window_index)
    if lut is not None:
        first, entries, top = lut
        index = np.clip(np.floor(values + 0.5).astype(np.int64) - first, 0, len(entries) - 1)
        return np.clip(entries[index] / top, 0, 1)
    window = file_window(film, settings.window_index)
    return None if window is None else apply_window(values, *window)


def file_window(film: Dataset, index: int) -> tuple[float, float, str] | None:
    """Centre, width and function of the file's window number `index` (the last if there are fewer)."""
    centres, widths = _numbers(film, "WindowCenter"), _numbers(film, "WindowWidth")
    count = min(len(centres), len(widths))
    if not count:
        return None
    function = str(film.get("VOILUTFunction") or "LINEAR").strip().upper()
    centre, width = centres[min(index, count - 1)], widths[min(index, count - 1)]
    least = 1.0 if function == "LINEAR" else 0.0
    usable = np.isfinite([centre, width]).all() and (width >= least and width > 0)
    return (centre, width, function) if usable else None


def apply_window(values: Values, centre: float, width: float, function: str) -> Values:
    """Modality values → 0..1 (PS3.3 C.11.2.1.2 and C.11.2.1.3); an unknown function counts as LINEAR."""
    if function == "SIGMOID":
        # exp overflows beyond 709; at 60 the result is 0 to the last bit that matters.
        return 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -60, 60)))
    if function == "LINEAR_EXACT":
        return np.clip((values - centre) / width + 0.5, 0, 1)
    if width == 1:
        return (values > centre - 0.5).astype(np.float64)
    return np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)


def is_inverted(film: Dataset) -> bool:
    """Whether low values are bright: said by one element or by both, it is one inversion."""
    photometric = str(film.get("PhotometricInterpretation", "")).strip().upper()
    shape = str(film.get("PresentationLUTShape", "")).strip().upper()
    return photometric == "MONOCHROME1" or shape == "INVERSE"


def is_padding(film: Dataset, stored: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Which stored values stand for no image at all (PS3.3 C.7.5.1.1.2): a value, or a range in either direction."""
    value = _stored_value(film, "PixelPaddingValue")
    if value is None:
        return np.zeros(stored.shape, bool)
    limit = _stored_value(film, "PixelPaddingRangeLimit")
    ends = sorted((value, value if limit is None else limit))
    return (stored >= ends[0]) & (stored <= ends[1])


# --- the window of a film that brings none ------------------------------------------------------------------------


def _own_window(
    stored: NDArray[np.integer],
    values: Values,
    padding: NDArray[np.bool_],
    low: int,
    inverted: bool,
    settings: DisplaySettings,
) -> tuple[float, float]:
    """First and last modality value to show: the range of the stored values, or percentiles of the breast's."""
    # Every n-th pixel gives the same percentiles at a fraction of the cost.
    step = max(1, max(stored.shape) // 1024)
    index = stored[::step, ::step] - low
    image = ~padding[index]
    if not image.any():
        raise Unusable("shows nothing: all pixels are padding")
    if settings.window == "minmax":
        present = np.bincount((stored - low).ravel(), minlength=len(values)) > 0
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


# --- elements -----------------------------------------------------------------------------------------------------


def _number(film: Dataset, keyword: str, default: float) -> float:
    numbers = _numbers(film, keyword)
    return numbers[0] if numbers and np.isfinite(numbers[0]) else default


def _numbers(film: Dataset, keyword: str) -> list[float]:
    try:
        value = film.get(keyword)
        if value is None or value == "":
            return []
        return [float(part) for part in value] if _is_list(value) else [float(value)]
    except (TypeError, ValueError):
        return []


def _is_list(value: object) -> bool:
    return hasattr(value, "__iter__") and not isinstance(value, str)


def _stored_value(film: Dataset, keyword: str) -> int | None:
    """A value in the sign of the pixels, also where the file wrote it in the other one."""
    numbers = _numbers(film, keyword)
    if not numbers:
        return None
    value = int(numbers[0])
    if is_signed(film):
        return value - 65536 if value > 32767 else value
    return value % 65536


def _lut(film: Dataset, keyword: str, index: int) -> tuple[int, Values, float] | None:
    """First input value, entries and largest possible entry of a LUT; none where there is none that makes sense."""
    try:
        items = film.get(keyword) or []
        item = items[min(index, len(items) - 1)]
        count, first, bits = (int(value) for value in item.LUTDescriptor)
        data = item.LUTData
    except (IndexError, AttributeError, TypeError, ValueError):
        return None
    count = count or 65536
    if isinstance(data, bytes):
        # Eight-bit tables are written one entry a byte by some, one entry a word by most.
        data = np.frombuffer(data[: len(data) // 2 * 2], "<u2") if len(data) >= 2 * count else list(data)
    entries = np.asarray(data, dtype=np.float64).ravel()[:count]
    if not len(entries) or not 0 < bits <= 16:
        return None
    if first > 32767 and (is_signed(film) or _number(film, "RescaleIntercept", 0) < 0):
        first -= 65536
    return first, entries, float(2**bits - 1)
