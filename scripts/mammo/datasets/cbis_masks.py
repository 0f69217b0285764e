"""The lesions of CBIS-DDSM from their masks, told from crops by their pixels."""

from __future__ import annotations

from pathlib import Path

from mammo.annotations.frames import Box, check_proportions, scale_to_film
from mammo.annotations.mask import LEAST_SIZE, MOST_SIZE, largest_part
from mammo.datasets.base import Item, LabelledLesion
from mammo.datasets.boxes import lesion_in_film
from mammo.dicom.read import read_film, read_header, size, stored_pixels
from mammo.dicom.unusable import Unusable
from mammo.settings import DatasetSettings
from mammo.tables.records import Lesion


def masked_lesions(item: Item, data: Path, size: tuple[int, int], settings: DatasetSettings) -> list[Lesion]:
    """The lesions of a film from their masks, in its pixels.

    Raises `Unusable`, naming the mask, if any of them is missing, empty or broken: the film would otherwise show a
    lesion that counts as background.
    """
    return [_masked(item, lesion, data, size) for lesion in item.lesions]


def _masked(item: Item, lesion: LabelledLesion, data: Path, size: tuple[int, int]) -> Lesion:
    path, box = _mask(lesion, data, size)
    try:
        return lesion_in_film(
            item.image_id,
            lesion.lesion_id,
            box,
            size,
            lesion_type=lesion.lesion_type,
            pathology=lesion.pathology,
            annotation_form="mask",
        )
    except Unusable as error:
        raise Unusable(f"{lesion.lesion_id}: {path}: {error}") from error


def _mask(lesion: LabelledLesion, data: Path, size: tuple[int, int]) -> tuple[str, Box]:
    """The mask among the files of a lesion, by pixels, and its box. Raises `Unusable` with what is wrong with each."""
    boxes: dict[Box, str] = {}
    faults = []
    for path in lesion.companions:
        try:
            box = mask_box(data / path, size)
        except Unusable as error:
            faults.append(f"{path}: {error}")
        else:
            if box is not None:
                boxes.setdefault(box, path)
    if len(boxes) > 1:
        raise Unusable(f"{lesion.lesion_id}: its series holds different masks: {', '.join(boxes.values())}")
    for box, path in boxes.items():
        return path, box
    if faults:
        raise Unusable(f"{lesion.lesion_id}: no mask: {'; '.join(faults)}")
    raise Unusable(f"{lesion.lesion_id}: no mask among the {len(lesion.companions)} file(s) of its series")


def mask_box(path: Path | str, film: tuple[int, int]) -> Box | None:
    """Box of the lesion in a file, half-open in the film's pixels; none where the file is no mask of the film.

    `film` is (width, height). A mask has 8 bits, two values at most and about the film's size. Pixels are decoded
    once, and only where the header leaves it open. Raises `Unusable` where a mask is empty, broken or of another film.
    """
    header = read_header(path, ["BitsAllocated", "Rows", "Columns", "SamplesPerPixel"])
    rows, columns = size(header)
    shares = (columns / film[0], rows / film[1])
    if header.get("BitsAllocated") != 8 or not all(LEAST_SIZE <= share <= MOST_SIZE for share in shares):
        return None
    pixels = stored_pixels(read_film(path))
    if pixels.ndim != 2 or not ((pixels == pixels.min()) | (pixels == pixels.max())).all():
        return None
    check_proportions("the mask", (columns, rows), film)
    return scale_to_film(largest_part(pixels), (columns, rows), film)
