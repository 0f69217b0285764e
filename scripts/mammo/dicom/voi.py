"""Stored values → modality values → 0 to 1: look-up tables, rescale and windows of a header (PS3.3 C.11)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from mammo.dicom.elements import capitals, is_signed, items, number, numbers, texts, words
from mammo.settings import DisplaySettings

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Lut:
    """`entries` for the inputs from `first` on, each at most `top`; inputs beyond take the ends."""

    first: int
    entries: Values
    top: float

    def __call__(self, values: Values | NDArray[np.integer]) -> Values:
        """Entries of inputs of any shape."""
        index = np.floor(np.asarray(values) + 0.5).astype(np.int64) - self.first
        return self.entries[np.clip(index, 0, len(self.entries) - 1)]


def modality_values(film: Dataset, stored: NDArray[np.integer]) -> Values:
    """Stored values → modality values by LUT or rescale (PS3.3 C.11.1)."""
    luts = items(film, "ModalityLUTSequence")
    lut = read_lut(luts[0], is_signed(film)) if luts else None
    if lut is not None:
        return lut(stored)
    slope, intercept = number(film, "RescaleSlope", 1.0), number(film, "RescaleIntercept", 0.0)
    return stored * (slope if slope else 1.0) + intercept


def presentation_values(film: Dataset, values: Values, settings: DisplaySettings) -> Values | None:
    """Values in 0..1 by the file's own VOI; none where it has none or the settings do not want it.

    The LUT or window that the settings name by its explanation; else by number, LUTs before windows.
    """
    if settings.window != "voi":
        return None
    luts = items(film, "VOILUTSequence")
    has_negative = bool(values.min() < 0)
    wanted = settings.window_explanation.strip().upper()
    if wanted:
        for item in luts:
            if (
                capitals(item, "LUTExplanation") == wanted
                and (lut := read_lut(item, has_negative)) is not None
            ):
                return np.clip(lut(values) / lut.top, 0, 1)
        explanations = texts(film, "WindowCenterWidthExplanation")
        if wanted in explanations:
            window = file_window(film, explanations.index(wanted))
            return None if window is None else apply_window(values, *window)
    lut = read_lut(luts[min(settings.window_index, len(luts) - 1)], has_negative) if luts else None
    if lut is not None:
        return np.clip(lut(values) / lut.top, 0, 1)
    window = file_window(film, settings.window_index)
    return None if window is None else apply_window(values, *window)


def file_window(film: Dataset, index: int) -> tuple[float, float, str] | None:
    """Centre, width and function of the file's window number `index` (the last if there are fewer)."""
    centres, widths = numbers(film, "WindowCenter"), numbers(film, "WindowWidth")
    count = min(len(centres), len(widths))
    if not count:
        return None
    function = capitals(film, "VOILUTFunction") or "LINEAR"
    centre, width = centres[min(index, count - 1)], widths[min(index, count - 1)]
    least = 1.0 if function == "LINEAR" else 0.0
    return (centre, width, function) if width >= least and width > 0 else None


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


# --- tables -------------------------------------------------------------------------------------------------------


def read_lut(item: Dataset, has_negative_input: bool) -> Lut | None:
    """A Modality or VOI LUT of a sequence (PS3.3 C.11.1.1.1, C.11.2.1.1); none if it makes no sense.

    The first input is a signed number where inputs can be negative, whatever representation it was written in.
    """
    try:
        count, first, bits = words(item, "LUTDescriptor")[:3]
        entries = _entries(item, (count % 65536) or 65536, bits)
    except (ValueError, OverflowError):
        return None
    if not len(entries) or not 0 < bits <= 16:
        return None
    first %= 65536
    if first > 32767 and has_negative_input:
        first -= 65536
    # Some say fewer bits than their entries have; a film that is white all over helps nobody.
    return Lut(first, entries, max(float(2**bits - 1), float(entries.max())))


def _entries(item: Dataset, count: int, bits: int) -> Values:
    data = np.array(words(item, "LUTData"), np.int64).astype(np.uint16)
    # Tables of 8 bits and less are written one entry a byte by some, one entry a word by most.
    if len(data) < count <= 2 * len(data) + 1 and bits <= 8:
        return data.astype("<u2").view(np.uint8)[:count].astype(np.float64)
    return data[:count].astype(np.float64)
