"""Overlay planes of a film (PS3.3 C.9): elements 60xx, as data of their own or in unused high bits of the pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from mammo.annotations.finding import Evidence, Finding
from mammo.annotations.graphics import on_film
from mammo.annotations.rasters import Raster, drawn_boxes
from mammo.dicom.elements import numbers, whole
from mammo.dicom.read import decoded_samples, read_header, read_object, tolerant
from mammo.dicom.unusable import Unusable
from mammo.settings import AnnotationSettings

GROUPS = range(0x6000, 0x6100, 2)
ROWS, COLUMNS, FRAMES, ORIGIN, FIRST_FRAME, BITS, POSITION, DATA = (
    0x0010, 0x0011, 0x0015, 0x0050, 0x0051, 0x0100, 0x0102, 0x3000,
)  # fmt: skip
# Writers round the data's length down instead of up to even, or forget the last word.
SHORT_BYTES = 2
# A plane covers a film; more pixels than this are a broken header.
MAX_PIXELS = 100_000_000


@dataclass(frozen=True)
class Plane:
    """One overlay plane: raster of 0 and 1, and the film's pixel (x, y), 0-based, on which its first one lies."""

    raster: Raster
    at: tuple[int, int]


def find(evidence: Evidence, settings: AnnotationSettings) -> list[Finding]:
    """Lesions drawn into the overlay planes of a film's frame.

    What counts as one is said in `rasters.drawn_boxes`: closed outlines and filled regions, no crosshairs, no text.
    Whether a plane is of type G or R makes no difference, nor does its label. Raises `Unusable` where a plane is
    declared and cannot be read; a plane without data (anonymisers remove it) is no plane.
    """
    header = read_header(evidence.film)
    with tolerant():
        groups = [group for group in GROUPS if (group, ROWS) in header or (group, DATA) in header]
        # The pixels are read only for planes that lie in them.
        if any(_lies_in_pixels(header, group) for group in groups):
            header = read_object(evidence.film)
        planes = [plane for group in groups for plane in _planes(header, group, evidence.frame)]
    boxes = [box for plane in planes for box in lesions_of(plane, evidence.size, settings)]
    return on_film([Finding(box, "overlay") for box in boxes], evidence.size)


def lesions_of(
    plane: Plane, film: tuple[int, int], settings: AnnotationSettings
) -> list[tuple[float, float, float, float]]:
    """Boxes of the lesions drawn into a plane, half-open in the film's pixels; `film` is (width, height)."""
    x, y = plane.at
    height, width = plane.raster.shape
    # Only where the plane ends with the film does an edge cut outlines; what a smaller plane holds is whole.
    room = 2 * (settings.marks.close_gap + settings.marks.min_side)
    ends = (y, film[1] - y - height, x, film[0] - x - width)
    top, bottom, left, right = (0 if abs(end) <= 1 else room for end in ends)
    raster = np.pad(plane.raster, ((top, bottom), (left, right)))
    found = drawn_boxes(raster, settings.marks.close_gap, settings.marks.min_side)
    x, y = x - left, y - top
    return [(x1 + x, y1 + y, x2 + x, y2 + y) for x1, y1, x2, y2 in found]


def planes_of(dataset: Dataset, frame: int = 0) -> list[Plane]:
    """All overlay planes of a dataset that apply to a frame (counted from 0). Raises `Unusable`."""
    return [plane for group in GROUPS for plane in _planes(dataset, group, frame)]


def _lies_in_pixels(dataset: Dataset, group: int) -> bool:
    return (group, DATA) not in dataset and (whole(dataset, (group, BITS)) or 1) > 1


def _planes(dataset: Dataset, group: int, frame: int) -> Iterator[Plane]:
    """The plane of a group, if there is one and it applies to the frame."""
    if (group, ROWS) not in dataset and (group, DATA) not in dataset:
        return
    rows, columns = whole(dataset, (group, ROWS)), whole(dataset, (group, COLUMNS))
    in_pixels = _lies_in_pixels(dataset, group)
    if not in_pixels and not _data(dataset, group):
        return
    if not rows or not columns or rows < 0 or columns < 0:
        raise Unusable("an overlay plane has no size")
    if rows * columns > MAX_PIXELS:
        raise Unusable(f"an overlay plane of {columns}x{rows} pixels is more than any film has")
    origin = numbers(dataset, (group, ORIGIN)) or [1.0, 1.0]
    if len(origin) != 2:
        raise Unusable("an overlay plane's origin is no row and column")
    at = (int(origin[1]) - 1, int(origin[0]) - 1)
    if in_pixels:
        raster = _from_pixels(dataset, group, (rows, columns), frame)
    else:
        place = _place_of_frame(dataset, group, frame)
        raster = None if place is None else _from_data(dataset, group, (rows, columns), place)
    if raster is not None:
        yield Plane(raster, at)


def _place_of_frame(dataset: Dataset, group: int, frame: int) -> int | None:
    """Which frame of the plane lies on a frame of the film (PS3.3 C.9.3); none does: none.

    A plane that does not count frames lies on every one.
    """
    count = whole(dataset, (group, FRAMES))
    if not count:
        return 0
    place = frame - ((whole(dataset, (group, FIRST_FRAME)) or 1) - 1)
    single_film = (whole(dataset, "NumberOfFrames") or 1) == 1
    if count == 1 and single_film:
        return 0
    return place if 0 <= place < count else None


def _data(dataset: Dataset, group: int) -> bytes:
    try:
        element = dataset.get((group, DATA))
        return bytes(element.value or b"") if element is not None else b""
    except Exception as error:
        raise Unusable(f"an overlay plane's data cannot be read ({type(error).__name__})") from error


def _from_data(dataset: Dataset, group: int, shape: tuple[int, int], place: int) -> Raster:
    """The bits of one frame of a plane, first pixel in the lowest bit; frames follow one another bit by bit."""
    data = np.frombuffer(_data(dataset, group), np.uint8)
    if _words_are_swapped(dataset, group):
        data = data[: len(data) // 2 * 2].reshape(-1, 2)[:, ::-1].reshape(-1)
    pixels = shape[0] * shape[1]
    first, last = place * pixels, (place + 1) * pixels
    missing = -(-last // 8) - len(data)
    if missing > SHORT_BYTES:
        raise Unusable(f"an overlay plane is cut off: {len(data)} of {-(-last // 8)} bytes")
    bits = np.unpackbits(data[first // 8 : -(-last // 8)], bitorder="little")[first % 8 :][:pixels]
    return np.pad(bits, (0, pixels - len(bits))).reshape(shape)


def _words_are_swapped(dataset: Dataset, group: int) -> bool:
    """Words of a big-endian file have their high byte first (PS3.5 7.3); the plane's first pixel is in the low one."""
    element = dataset.get((group, DATA))
    encoding = getattr(dataset, "original_encoding", (None, True))
    return encoding[1] is False and element.VR == "OW"


def _from_pixels(dataset: Dataset, group: int, shape: tuple[int, int], frame: int) -> Raster:
    """The plane that lies in a bit of the film's pixel words (retired in 2004; PS3.5 of before)."""
    position = whole(dataset, (group, POSITION))
    allocated, stored = whole(dataset, "BitsAllocated"), whole(dataset, "BitsStored")
    if shape != (whole(dataset, "Rows"), whole(dataset, "Columns")) or allocated != 16 or position is None:
        raise Unusable("an overlay plane in the pixels' bits does not have their size")
    high = whole(dataset, "HighBit")
    high = (stored or 16) - 1 if high is None else high
    if not 0 <= position < 16 or high - (stored or 16) < position <= high:
        raise Unusable("an overlay plane lies in bits that belong to the pixels")
    words = decoded_samples(dataset, frame).words
    if words.shape != shape:
        raise Unusable("an overlay plane lies in the pixels of a colour image")
    return ((words >> position) & 1).astype(np.uint8)
