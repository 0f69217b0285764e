"""Elements of a header as numbers and text, whatever state they are in."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from pydicom import config
from pydicom.dataset import Dataset

from mammo.dicom.unusable import Unusable


@contextmanager
def tolerant() -> Iterator[None]:
    """Accept values that their representation forbids (`UNKNOWN` dates), and say nothing about them.

    pydicom converts elements when they are first looked at, so all looking belongs inside. Its warnings quote
    values, which may be about the patient: they are not shown.
    """
    with warnings.catch_warnings(), config.disable_value_validation():
        warnings.simplefilter("ignore")
        yield


def text(dataset: Dataset, keyword: str) -> str:
    """The element as text in capitals without blanks around it; empty where there is none that can be read."""
    try:
        value = dataset.get(keyword)
    except Exception:
        return ""
    return "" if value is None else str(value).strip().upper()


def texts(dataset: Dataset, keyword: str) -> list[str]:
    """The element's values as `text` gives one."""
    try:
        value = dataset.get(keyword)
    except Exception:
        return []
    if value is None:
        return []
    return [str(part).strip().upper() for part in (value if _is_list(value) else [value])]


def whole(dataset: Dataset, keyword: str) -> int | None:
    """The element as a whole number; none where there is none."""
    try:
        with tolerant():
            return int(dataset.get(keyword))
    except Exception:
        return None


def number(dataset: Dataset, keyword: str, default: float) -> float:
    """The element's first value, if it is a finite number."""
    found = numbers(dataset, keyword)
    return found[0] if found and math.isfinite(found[0]) else default


def numbers(dataset: Dataset, keyword: str) -> list[float]:
    """The element's values; none where one of them is no number."""
    try:
        value = dataset.get(keyword)
        if value is None or value == "":
            return []
        return [float(part) for part in value] if _is_list(value) else [float(value)]
    except Exception:
        return []


def words(dataset: Dataset, keyword: str) -> list[int]:
    """Values of an element that is US, SS or OW by circumstances (PS3.6), also where it stayed bytes.

    A value may come in the wrong sign. Raises `ValueError` where there is none.
    """
    try:
        value = dataset.get(keyword)
        if isinstance(value, bytes):
            order = "<u2" if _is_little_endian(dataset, keyword) else ">u2"
            return np.frombuffer(value[: len(value) // 2 * 2], order).tolist()
        return [int(part) for part in (value if _is_list(value) else [value])]
    except Exception as error:
        raise ValueError(f"no {keyword}") from error


def _is_little_endian(dataset: Dataset, keyword: str) -> bool:
    little = dataset.original_encoding[1]
    return little is not False


def _is_list(value: object) -> bool:
    return hasattr(value, "__iter__") and not isinstance(value, str | bytes)


def size(dataset: Dataset) -> tuple[int, int]:
    """Rows and columns. Raises `Unusable` where there are none."""
    rows, columns = whole(dataset, "Rows"), whole(dataset, "Columns")
    if not rows or not columns or rows < 0 or columns < 0:
        raise Unusable("broken DICOM header (no image size)")
    return rows, columns


def frames(dataset: Dataset) -> int:
    """Number of frames; 1 where the file does not say."""
    return max(whole(dataset, "NumberOfFrames") or 1, 1)


def is_signed(dataset: Dataset) -> bool:
    """Whether stored values are two's complement."""
    return whole(dataset, "PixelRepresentation") == 1


def bits(dataset: Dataset) -> tuple[int, int]:
    """Bits allocated and bits stored of a sample. Raises `Unusable` where they contradict each other."""
    allocated = whole(dataset, "BitsAllocated") or 16
    stored = whole(dataset, "BitsStored") or allocated
    if allocated > 16:
        raise Unusable(f"{allocated} bits a pixel: films have 16 at most")
    if not 0 < stored <= allocated:
        raise Unusable("broken DICOM header (bits stored)")
    if allocated not in (1, 8, 16):
        raise Unusable(f"{allocated} bits allocated a pixel: 1, 8 or 16 can be read")
    return allocated, stored
