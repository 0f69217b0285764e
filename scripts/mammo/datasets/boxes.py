"""Boxes of annotations → rows of lesions.csv."""

from __future__ import annotations

from mammo.annotations.frames import Box
from mammo.dicom.unusable import Unusable
from mammo.tables.records import Lesion


def lesion_in_film(
    image_id: str,
    lesion_id: str,
    box: Box,
    size: tuple[int, int],
    *,
    lesion_type: str,
    pathology: str,
    annotation_form: str,
) -> Lesion:
    """A lesion cut to the film of `size` (width, height). Raises `Unusable` where it lies outside."""
    x1, y1, x2, y2 = clipped(box, size)
    if x2 <= x1 or y2 <= y1:
        raise Unusable(f"lesion {lesion_id} lies outside of the film")
    return Lesion(
        image_id=image_id,
        lesion_id=lesion_id,
        x1=x1,
        y1=y1,
        x2=x2,
        y2=y2,
        lesion_type=lesion_type,
        pathology=pathology,
        annotation_form=annotation_form,
    )


def clipped(box: Box, size: tuple[int, int]) -> Box:
    """A half-open box cut to (width, height), to a hundredth of a pixel."""
    width, height = size
    x1, y1, x2, y2 = (round(value, 2) for value in box)
    return (
        min(max(x1, 0.0), width),
        min(max(y1, 0.0), height),
        min(max(x2, 0.0), width),
        min(max(y2, 0.0), height),
    )
