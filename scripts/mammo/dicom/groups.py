"""Files of several frames say some things once for all frames and some for each (PS3.3 C.7.6.16)."""

from __future__ import annotations

import contextlib

from pydicom.dataset import Dataset

# The sequences of a functional group whose elements stand in a plain header at the top.
MACROS = (
    "PixelMeasuresSequence",
    "PixelValueTransformationSequence",
    "FrameVOILUTSequence",
    "FrameAnatomySequence",
)
GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
PIXEL_GROUP = 0x7FE0


def frame_header(film: Dataset, frame: int) -> Dataset:
    """The header of one frame, counted from 0, as that of a file with one frame; without its pixels.

    What the frame says goes before what is shared, and that before the top of the header. A header without
    functional groups is its own.
    """
    if not any(keyword in film for keyword in GROUPS):
        return film
    header = Dataset()
    for tag in list(film.keys()):
        if tag.group != PIXEL_GROUP:
            header[tag] = film.get_item(tag)
    for group, position in zip(GROUPS, (0, frame), strict=True):
        for macro in MACROS:
            _take(header, film, group, position, macro)
    return header


def _take(header: Dataset, film: Dataset, group: str, position: int, macro: str) -> None:
    try:
        item = film.get(group)[position].get(macro)[0]
        tags = list(item.keys())
    except Exception:
        # No such group, no such macro, or broken ones: then nothing is said here.
        return
    for tag in tags:
        # Elements whose bytes make no sense are left out, as they are at the top of a header.
        with contextlib.suppress(Exception):
            header[tag] = item[tag]
    with contextlib.suppress(Exception):
        header.ImageLaterality = item.FrameLaterality
