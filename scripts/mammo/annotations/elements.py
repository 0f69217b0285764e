"""What objects that annotate films say of the films that they mean."""

from __future__ import annotations

from pathlib import Path

from pydicom.dataset import Dataset

from mammo.dicom.elements import numbers, text, tolerant
from mammo.dicom.read import read_header
from mammo.dicom.unusable import Unusable

# Reports nest about ten deep. Each level of a hostile file holds the bytes of all below it once more.
MAX_DEPTH = 100


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
