"""Films of a delivery, DICOM files or plain pictures: the file's own first bytes say which, not its name."""

from __future__ import annotations

from pathlib import Path

from mammo.dicom.display import DisplayImage, display_film
from mammo.dicom.display_picture import display_picture
from mammo.dicom.facts import film_facts
from mammo.dicom.picture import is_picture, picture_size
from mammo.dicom.read import read_header
from mammo.dicom.unusable import Unusable
from mammo.settings import DisplaySettings


def display_any(path: Path | str, settings: DisplaySettings, frame: int = 0) -> DisplayImage:
    """A film as its readers saw it; `frame` counts from 0. Raises `Unusable` with the reason for rejects.csv."""
    if not is_picture(path):
        return display_film(path, settings, frame)
    if frame:
        raise Unusable("a picture has one frame")
    return display_picture(path, settings)


def film_size(path: Path | str) -> tuple[int, int]:
    """Width and height of a film in pixels, without decoding it. Raises `Unusable`."""
    if is_picture(path):
        return picture_size(path)
    facts = film_facts(read_header(path))
    return facts.width, facts.height
