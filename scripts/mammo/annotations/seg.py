"""Lesions as DICOM segmentations (PS3.3 A.51, C.8.20): one raster for each segment and source image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from mammo.annotations.codes import (
    NO_LESION_CATEGORIES,
    NO_LESIONS,
    TYPE_OF_CODE,
    code_in,
    label_means_no_lesion,
    type_of_label,
)
from mammo.annotations.elements import film_uid, refers_to
from mammo.annotations.finding import Evidence, Finding
from mammo.annotations.frames import check_proportions
from mammo.annotations.graphics import on_film
from mammo.annotations.rasters import parts_of_mask
from mammo.annotations.references import references
from mammo.dicom.elements import bits, items, numbers, text, whole
from mammo.dicom.read import MAX_PIXELS, read_object, size, stored_pixels, tolerant
from mammo.dicom.unusable import Unusable
from mammo.settings import AnnotationSettings

# Pixels to look at in all frames of a film together: a hundred segments on the largest film.
MAX_WORK = 5_000_000_000


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
        found = []
        for segment, raster in _rasters(segmentation, uid, evidence.frame, segments):
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
) -> Iterator[tuple[Segment, NDArray[np.uint8]]]:
    """Segment by segment, the raster (0 or 1) of each that lies on a film; frames of one segment are put together."""
    rows, columns = size(segmentation)
    lesions = {segment.number: segment for segment in segments if segment.is_lesion}
    places = _frames_of_film(segmentation, uid, frame)
    is_map = text(segmentation, "SegmentationType").upper() == "LABELMAP"
    if (
        rows * columns > MAX_PIXELS
        or rows * columns * len(places) * (len(lesions) if is_map else 1) > MAX_WORK
    ):
        raise Unusable(
            f"a segmentation of {len(places)} frames of {columns}x{rows} pixels is more than any film has"
        )
    if is_map:
        for place, _ in places:
            values = _stored(segmentation, place)
            for number in sorted({int(value) for value in np.unique(values)} & lesions.keys()):
                yield lesions[number], (values == number).astype(np.uint8)
        return
    by_segment: dict[int, list[int]] = {}
    for place, number in places:
        by_segment.setdefault(number, []).append(place)
    for number in sorted(by_segment.keys() & lesions.keys()):
        first, *others = by_segment[number]
        raster = _segment_raster(segmentation, first)
        for place in others:
            raster |= _segment_raster(segmentation, place)
        yield lesions[number], raster


def _frames_of_film(segmentation: Dataset, uid: str, frame: int) -> list[tuple[int, int]]:
    """(frame of the segmentation from 0, its segment) of the frames that were drawn on this frame of the film.

    A frame that does not say on what it was drawn belongs to the only image that the segmentation refers to. Raises
    `Unusable` where there are several.
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
        if not sources and not only:
            raise Unusable("a segmentation of several films does not say on which a frame was drawn")
        if not sources or any(refers_to(source, uid, frame) for source in sources):
            found.append((place, _segment_number(both)))
    return found


def _segment_number(groups: list[Dataset]) -> int:
    for group in groups:
        for item in items(group, "SegmentIdentificationSequence"):
            number = whole(item, "ReferencedSegmentNumber")
            if number is not None:
                return number
    return 1


def _segment_raster(segmentation: Dataset, place: int) -> NDArray[np.uint8]:
    """One frame as 0 and 1; of a fractional one what is at least half (probable, or covered)."""
    values = _stored(segmentation, place)
    if text(segmentation, "SegmentationType").upper() == "FRACTIONAL" and bits(segmentation)[0] > 1:
        most = numbers(segmentation, "MaximumFractionalValue")
        return (values * 2.0 >= (most[0] if most and most[0] > 0 else 255)).astype(np.uint8)
    return (values > 0).astype(np.uint8)


def _stored(segmentation: Dataset, place: int) -> NDArray[np.integer]:
    """A frame of 1, 8 or 16 bits a pixel, as stored; frames of 1 bit follow one another without padding."""
    values = stored_pixels(segmentation, place)
    if values.ndim != 2:
        raise Unusable("a segmentation in colour")
    return values
