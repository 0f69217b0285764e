"""Lesions as DICOM segmentations (PS3.3 A.51, C.8.20): one raster for each segment and source image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels import pixel_array

from mammo.annotations.codes import (
    NO_LESION_CATEGORIES,
    NO_LESIONS,
    TYPE_OF_CODE,
    code_in,
    label_means_no_lesion,
    type_of_label,
)
from mammo.annotations.elements import film_uid, items, numbers, read_object, refers_to, text, whole
from mammo.annotations.finding import Evidence, Finding
from mammo.annotations.frames import check_proportions
from mammo.annotations.graphics import on_film
from mammo.annotations.rasters import parts_of_mask
from mammo.annotations.references import references
from mammo.dicom.read import MAX_PIXELS, size, tolerant
from mammo.dicom.unusable import Unusable
from mammo.settings import AnnotationSettings


@dataclass(frozen=True)
class Segment:
    """A segment's number, the lesion type that it names (or empty), and whether it can be a lesion at all."""

    number: int
    label: str
    is_lesion: bool


def find(evidence: Evidence, settings: AnnotationSettings) -> list[Finding]:
    """The connected parts of each segment on the film's frame, scaled to the film.

    Segments of anatomy, implants and markers are left out (`codes`). Crumbs of a segment are dropped beside a larger
    part. Raises `Unusable` where a segmentation is broken.
    """
    paths = evidence.of("seg")
    uid = film_uid(evidence.film) if paths else ""
    return on_film([one for path in paths for one in _findings(path, uid, evidence, settings)], evidence.size)


def _findings(path: Path, uid: str, evidence: Evidence, settings: AnnotationSettings) -> list[Finding]:
    segmentation = read_object(path)
    with tolerant():
        if not uid or uid not in references(segmentation):
            return []
        segments = [_segment(item) for item in items(segmentation, "SegmentSequence")]
        if not segments:
            raise Unusable("a segmentation has no segments")
        rasters = _rasters(segmentation, uid, evidence.frame, segments)
    found = []
    for segment in segments:
        if segment.is_lesion and segment.number in rasters:
            raster = rasters[segment.number]
            check_proportions("the segmentation", (raster.shape[1], raster.shape[0]), evidence.size)
            boxes = parts_of_mask(raster, evidence.size, settings.marks.min_side)
            found += [Finding(box, "seg", segment.label) for box in boxes]
    return found


def _segment(item: Dataset) -> Segment:
    number = whole(item, "SegmentNumber")
    if number is None:
        raise Unusable("a segmentation has a segment without a number")
    code, category = (
        code_in(item, f"SegmentedProperty{kind}CodeSequence") for kind in ("Type", "Category")
    )  # fmt: skip
    label = text(item, "SegmentLabel")
    kind = TYPE_OF_CODE.get(code) or type_of_label(label)
    unlike = code in NO_LESIONS or category in NO_LESION_CATEGORIES or label_means_no_lesion(label)
    return Segment(number, kind, bool(kind) or not unlike)


def _rasters(
    segmentation: Dataset, uid: str, frame: int, segments: list[Segment]
) -> dict[int, NDArray[np.uint8]]:
    """The rasters (0 or 1) of each segment on a film, by segment number; frames of one segment are put together."""
    rows, columns = size(segmentation)
    if rows * columns > MAX_PIXELS:
        raise Unusable(f"a segmentation of {columns}x{rows} pixels is more than any film has")
    is_map = text(segmentation, "SegmentationType").upper() == "LABELMAP"
    wanted = {segment.number for segment in segments if segment.is_lesion}
    rasters: dict[int, NDArray[np.uint8]] = {}
    for place, number in _frames_of_film(segmentation, uid, frame):
        if is_map:
            values = _stored(segmentation, place, (rows, columns))
            present = {int(value) for value in np.unique(values)} & wanted
            some = {value: (values == value).astype(np.uint8) for value in sorted(present)}
        elif number in wanted:
            some = {number: _segment_raster(segmentation, place, (rows, columns))}
        else:
            some = {}
        for key, raster in some.items():
            rasters[key] = np.maximum(rasters[key], raster) if key in rasters else raster
    return rasters


def _frames_of_film(segmentation: Dataset, uid: str, frame: int) -> list[tuple[int, int]]:
    """(frame of the segmentation from 0, its segment) of the frames that were drawn on this frame of the film.

    A frame that does not say on what it was drawn belongs to the only image that the segmentation refers to.
    """
    shared = items(segmentation, "SharedFunctionalGroupsSequence")[:1]
    groups = items(segmentation, "PerFrameFunctionalGroupsSequence")
    count = whole(segmentation, "NumberOfFrames") or 1
    if count == 1 and not groups:
        groups = [Dataset()]
    # A frame more or less was cut off or forgotten: nobody knows which raster is whose.
    if len(groups) != count:
        raise Unusable(f"a segmentation of {count} frames describes {len(groups)}")
    only = references(segmentation) == {uid}
    found = []
    for place, group in enumerate(groups):
        both = [group, *shared]
        sources = [
            source
            for one in both
            for derivation in items(one, "DerivationImageSequence")
            for source in items(derivation, "SourceImageSequence")
        ]
        if any(refers_to(source, uid, frame) for source in sources) or (not sources and only):
            found.append((place, _segment_number(both)))
    return found


def _segment_number(groups: list[Dataset]) -> int:
    for group in groups:
        for item in items(group, "SegmentIdentificationSequence"):
            number = whole(item, "ReferencedSegmentNumber")
            if number is not None:
                return number
    return 1


def _segment_raster(segmentation: Dataset, place: int, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """One frame as 0 and 1; of a fractional one what is at least half (probable, or covered)."""
    if whole(segmentation, "BitsAllocated") == 1:
        return _bits(segmentation, place, shape)
    values = _stored(segmentation, place, shape)
    if text(segmentation, "SegmentationType").upper() == "FRACTIONAL":
        most = numbers(segmentation, "MaximumFractionalValue")
        return (values * 2.0 >= (most[0] if most and most[0] > 0 else 255)).astype(np.uint8)
    return (values > 0).astype(np.uint8)


def _is_compressed(segmentation: Dataset) -> bool:
    try:
        return bool(segmentation.file_meta.TransferSyntaxUID.is_compressed)
    except Exception:
        return False


def _bits(segmentation: Dataset, place: int, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """A frame of one bit a pixel: frames follow without padding, the first pixel in the lowest bit (PS3.5 8.1)."""
    if _is_compressed(segmentation):
        return (_decoded(segmentation, place, shape) > 0).astype(np.uint8)
    pixels = shape[0] * shape[1]
    data = _pixel_data(segmentation, (pixels * (place + 1) + 7) // 8)
    first, last = pixels * place, pixels * (place + 1)
    bits = np.unpackbits(data[first // 8 : -(-last // 8)], bitorder="little")
    return bits[first % 8 :][:pixels].reshape(shape)


def _stored(segmentation: Dataset, place: int, shape: tuple[int, int]) -> NDArray[np.integer]:
    """A frame of 8 or 16 bits a pixel, as stored."""
    if _is_compressed(segmentation):
        return _decoded(segmentation, place, shape)
    allocated = whole(segmentation, "BitsAllocated")
    if allocated not in (8, 16):
        raise Unusable("a segmentation has neither 1, 8 nor 16 bits a pixel")
    pixels, width = shape[0] * shape[1], allocated // 8
    data = _pixel_data(segmentation, pixels * (place + 1) * width)
    big = getattr(segmentation, "original_encoding", (None, True))[1] is False
    kind = "u1" if width == 1 else (">u2" if big else "<u2")
    return np.frombuffer(data, kind, pixels, pixels * place * width).reshape(shape)


def _pixel_data(segmentation: Dataset, needed: int) -> NDArray[np.uint8]:
    try:
        data = segmentation.PixelData or b""
    except Exception as error:
        raise Unusable("a segmentation has no pixels") from error
    if len(data) < needed:
        raise Unusable(f"a segmentation is cut off: {len(data)} of {needed} bytes of pixels")
    return np.frombuffer(data, np.uint8)


def _decoded(segmentation: Dataset, place: int, shape: tuple[int, int]) -> NDArray[np.integer]:
    try:
        return pixel_array(segmentation, index=place, raw=True).reshape(shape)
    except Exception as error:
        raise Unusable(f"a segmentation's pixels cannot be decoded ({type(error).__name__})") from error
