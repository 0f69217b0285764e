"""Lesions outlined in colour in a picture of the film (a JPEG or PNG beside the DICOM file)."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from mammo.annotations.boxes import TWICE_IOU, overlap
from mammo.annotations.colours import (
    BLOCK,
    Picture,
    chroma_of,
    colour_name,
    coloured_lines,
    coloured_window,
    colours_found,
)
from mammo.annotations.drawn import drawn_lesions
from mammo.annotations.finding import Evidence, Finding
from mammo.annotations.frames import Box, check_proportions, scale_to_film
from mammo.dicom.picture import checked_bytes
from mammo.dicom.unusable import Unusable
from mammo.settings import AnnotationSettings, Form, OutlineSettings

# Lines and text cover a few hundredths of a picture; a painted lesion of two fifths of its side a seventh.
MOST_COLOURED = 0.35

__all__ = ["colours_found", "distinct", "find", "find_outlines", "in_film", "outlines", "read_picture"]


def find(evidence: Evidence, settings: AnnotationSettings) -> list[Finding]:
    """Lesions outlined in the film's pictures, in native pixels. Raises `Unusable` for a picture that is broken."""
    found: list[Finding] = []
    for path in evidence.of("picture"):
        found += in_film(
            read_picture(path), evidence.size, settings.outline, "outline", "the picture beside it"
        )
    return distinct(found)


def distinct(findings: list[Finding]) -> list[Finding]:
    """Findings of several pictures of one film, each lesion once: the first of those whose boxes nearly agree."""
    kept: list[Finding] = []
    for one in findings:
        if all(overlap(one.box, other.box) < TWICE_IOU for other in kept):
            kept.append(one)
    return kept


def in_film(
    picture: Picture, film: tuple[int, int], settings: OutlineSettings, form: Form, what: str
) -> list[Finding]:
    """Outlined lesions of a picture as findings in the pixels of a film of size (width, height).

    Raises `Unusable` where there are outlines, but `what` has other proportions than the film.
    """
    drawn = outlines(picture, settings)
    size = (picture.shape[1], picture.shape[0])
    if drawn:
        check_proportions(what, size, film)
    return [Finding(scale_to_film(box, size, film), form, colour=colour) for box, colour in drawn]


def read_picture(path: Path | str) -> Picture:
    """A colour picture as (height, width, 3) BGR, not turned by what its EXIF says. Raises `Unusable`."""
    try:
        data = np.frombuffer(checked_bytes(path), np.uint8)
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except Unusable as reason:
        raise Unusable(f"the picture with the outline cannot be read: {reason}") from reason
    except cv2.error as error:
        raise Unusable(f"the picture with the outline cannot be read ({type(error).__name__})") from error
    if picture is None:
        raise Unusable("the picture with the outline cannot be read")
    return picture


def find_outlines(picture: Picture, settings: OutlineSettings) -> list[Box]:
    """Boxes of the outlined lesions, half-open in the picture's pixels, around the middle of the line.

    Top to bottom; nothing found: an empty list. What counts as a lesion: `mammo.annotations.drawn`.
    """
    return [box for box, _ in outlines(picture, settings)]


def outlines(picture: Picture, settings: OutlineSettings) -> list[tuple[Box, str]]:
    """The same with the name of each outline's colour, one of the settings'.

    Raises `Unusable` for a picture that is coloured all over: no line can be told there.
    """
    chroma = chroma_of(picture)
    if (chroma >= settings.min_chroma).mean() > MOST_COLOURED:
        raise Unusable("the picture is coloured all over, not a grey film with lines")
    room = 2 * BLOCK + settings.close_gap + settings.min_side
    left, top, right, bottom = coloured_window(chroma, settings.min_chroma, room)
    if right <= left:
        return []
    whole = chroma.shape
    picture, chroma = picture[top:bottom, left:right], chroma[top:bottom, left:right]
    lines, trace = coloured_lines(picture, chroma, settings.colours, settings.min_chroma)
    found = []
    for box in drawn_lesions(lines, trace, settings.close_gap, settings.min_side, whole):
        x1, y1, x2, y2 = (max(0, round(value)) for value in (box[0] - 4, box[1] - 4, box[2] + 4, box[3] + 4))
        near = np.s_[y1:y2, x1:x2]
        name = colour_name(picture[near], chroma[near], lines[near] > 0, settings.colours)
        found.append(((box[0] + left, box[1] + top, box[2] + left, box[3] + top), name))
    return found
