"""Lesions outlined in colour that is burned into pixels: a coloured film, or a marked copy of a clean one.

A workstation saves what it shows as a Secondary Capture, with the outlines in its pixels. Where its
SourceImageSequence (PS3.3 C.7.6.1.1.4) names the clean film, that one is the image and the copy its annotation.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mammo.annotations.colours import Picture
from mammo.annotations.finding import Evidence, Finding
from mammo.annotations.outline import distinct, in_film
from mammo.dicom.read import decoded_samples, read_film, read_header, tolerant
from mammo.dicom.samples import GREYS
from mammo.dicom.unusable import Unusable
from mammo.settings import AnnotationSettings


def find(evidence: Evidence, settings: AnnotationSettings) -> list[Finding]:
    """Lesions outlined in colour in the film's marked copies; where these have none, in the film itself.

    Raises `Unusable` for a copy that cannot be read or shows something else.
    """
    found: list[Finding] = []
    for path in evidence.of("twin"):
        picture = coloured_picture(path, 0)
        if picture is not None:
            found += in_film(picture, evidence.size, settings.outline, "burned_in", "the marked copy")
    if found:
        return distinct(found)
    picture = coloured_picture(evidence.film, evidence.frame)
    if picture is None:
        return []
    return in_film(picture, evidence.size, settings.outline, "burned_in", "the film")


def coloured_picture(path: Path, frame: int) -> Picture | None:
    """A coloured DICOM image as 8-bit BGR (height, width, 3); none where the file is grey or no DICOM file.

    Raises `Unusable` where the pixels of a coloured one cannot be decoded.
    """
    try:
        header = read_header(path, ("PhotometricInterpretation",))
    except Unusable:
        return None
    if str(header.get("PhotometricInterpretation", "")).strip().upper() in ("", *GREYS):
        return None
    film = read_film(path, frame)
    with tolerant():
        samples = decoded_samples(film, frame)
    if samples.values is not None:
        return None
    words = samples.words[:, :, :3]
    if samples.bits != 8:
        words = np.minimum(words.astype(np.uint32) * 255 // (2**samples.bits - 1), 255)
    return np.ascontiguousarray(words[:, :, ::-1].astype(np.uint8))
