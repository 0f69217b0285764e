"""What the synthetic deliveries really hold, written beside them for the tests to compare with."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields


@dataclass(frozen=True)
class TruthImage:
    """A film that must come out. `source` is relative to the data folder, NCC films as unpacked into
    `dicom/`.

    `film` is the same for two sources that show one physical film; `quirks` are words joined by `;`.
    """

    source: str
    delivery: str
    patient: str
    laterality: str
    view: str
    width: int
    height: int
    group: str
    letters: str
    lesion_types: str
    film: str
    quirks: str


@dataclass(frozen=True)
class TruthLesion:
    """A lesion as its reader drew it: box half-open in the DICOM's own pixels; `annotation` the file that
    holds it.

    `recoverable` is 0 where the drawing is missing or broken, so that nobody can find the lesion in the raw
    files.
    """

    source: str
    lesion_id: str
    x1: int
    y1: int
    x2: int
    y2: int
    lesion_type: str
    pathology: str
    annotation: str
    recoverable: int


@dataclass(frozen=True)
class TruthReject:
    """A film that must be turned down at `stage` (decode, annotate) because of the file `cause`."""

    source: str
    stage: str
    reason: str
    cause: str


@dataclass(frozen=True)
class Result:
    """What one job made: files by path relative to its part, and the truth about them."""

    files: tuple[tuple[str, bytes], ...]
    images: tuple[TruthImage, ...] = ()
    lesions: tuple[TruthLesion, ...] = ()
    rejects: tuple[TruthReject, ...] = ()


def table_text(row_type: type, rows: Iterable[object]) -> str:
    """Rows of one truth dataclass as CSV text, sorted, LF line ends."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([field.name for field in fields(row_type)])
    writer.writerows(sorted(astuple(row) for row in rows))
    return buffer.getvalue()
