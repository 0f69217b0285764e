"""Looking into DICOM objects of which no element can be trusted: missing, empty, of a wrong kind, nested for ever."""

from __future__ import annotations

import math
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from mammo.dicom.read import read_header, tolerant
from mammo.dicom.unusable import Unusable

Key = str | tuple[int, int] | BaseTag
# Reports nest about ten deep. Each level of a hostile file holds the bytes of all below it once more.
MAX_DEPTH = 100


def items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence; none where it is missing, empty or no sequence."""
    value = _value(dataset, keyword)
    if value is None or isinstance(value, (str, bytes, int, float)):
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
    return str(value).strip().strip("\0")


def numbers(dataset: Dataset, key: Key) -> list[float]:
    """All values of an element as numbers; empty where there are none or one of them is no finite number."""
    value = _value(dataset, key)
    if value is None or isinstance(value, (bytes, Dataset)):
        return []
    try:
        some = [value] if isinstance(value, (str, int, float)) else list(value)
        found = [float(one) for one in some]
    except Exception:
        return []
    return found if all(map(math.isfinite, found)) else []


def whole(dataset: Dataset, key: Key) -> int | None:
    """The first value of an element as a whole number; none where there is no such thing."""
    found = numbers(dataset, key)
    return int(found[0]) if found else None


def _value(dataset: Dataset, key: Key) -> object:
    # pydicom converts when an element is first looked at; a broken one fails only then, in any way.
    try:
        found = dataset.get(key)
        return found if isinstance(key, str) or found is None else found.value
    except Exception:
        return None


def film_uid(path: Path | str) -> str:
    """SOPInstanceUID of a film; empty where it has none or is no DICOM file."""
    try:
        header = read_header(path, ["SOPInstanceUID"])
    except Unusable:
        return ""
    with tolerant():
        return text(header, "SOPInstanceUID")


def refers_to(reference: Dataset, uid: str, frame: int) -> bool:
    """Whether an item of an image reference means a film and its frame (counted from 0).

    Without ReferencedFrameNumber (counted from 1) all frames are meant (PS3.3 10.3).
    """
    if not uid or text(reference, "ReferencedSOPInstanceUID") != uid:
        return False
    frames = numbers(reference, "ReferencedFrameNumber")
    return not frames or frame + 1 in frames
