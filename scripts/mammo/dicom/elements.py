"""Elements of DICOM objects as items, numbers and text, whatever state they are in: missing, empty, of a wrong kind."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from pydicom import config
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from mammo.dicom.unusable import Unusable

Key = str | tuple[int, int] | BaseTag


@contextmanager
def tolerant() -> Iterator[None]:
    """Accept values that their representation forbids (`UNKNOWN` dates), and say nothing about them.

    pydicom converts elements when they are first looked at, so all looking belongs inside. Its warnings quote
    values, which may be about the patient: they are not shown.
    """
    with warnings.catch_warnings(), config.disable_value_validation():
        warnings.simplefilter("ignore")
        yield


def items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence; none where it is missing, empty or no sequence."""
    value = _value(dataset, keyword)
    if not _is_list(value):
        return []
    try:
        return [item for item in value if isinstance(item, Dataset)]
    except Exception:
        return []


def text(dataset: Dataset, key: Key) -> str:
    """The first value of an element as text without spaces around it; empty where there is none."""
    value = _value(dataset, key)
    if value is None or isinstance(value, bytes):
        return ""
    if not isinstance(value, str):
        try:
            value = next(iter(value), "")
        except TypeError:
            pass
        except Exception:
            return ""
    return "" if isinstance(value, Dataset) else str(value).strip().strip("\0")


def capitals(dataset: Dataset, keyword: str) -> str:
    """The same in capitals."""
    return text(dataset, keyword).upper()


def texts(dataset: Dataset, keyword: str) -> list[str]:
    """All values of an element as texts in capitals without spaces around them."""
    value = _value(dataset, keyword)
    if value is None:
        return []
    return [str(part).strip().upper() for part in (value if _is_list(value) else [value])]


def numbers(dataset: Dataset, key: Key) -> list[float]:
    """All values of an element as numbers; empty where there are none or one of them is no finite number."""
    value = _value(dataset, key)
    if value is None or isinstance(value, bytes | Dataset):
        return []
    try:
        found = [float(part) for part in (value if _is_list(value) else [value])]
    except Exception:
        return []
    return found if all(map(math.isfinite, found)) else []


def number(dataset: Dataset, keyword: str, default: float) -> float:
    """The element's first value, if all of them are numbers."""
    found = numbers(dataset, keyword)
    return found[0] if found else default


def whole(dataset: Dataset, key: Key) -> int | None:
    """The first value of an element as a whole number; none where there is no such thing."""
    with tolerant():
        found = numbers(dataset, key)
    return int(found[0]) if found else None


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


def _value(dataset: Dataset, key: Key) -> Any:
    # pydicom converts when an element is first looked at; a broken one fails only then, in any way.
    try:
        found = dataset.get(key)
        return found if isinstance(key, str) or found is None else found.value
    except Exception:
        return None


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
