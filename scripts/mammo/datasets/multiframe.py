"""Files of several frames: every frame an image of its own, or a row for the file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mammo.datasets.base import Item, mapped
from mammo.dicom.picture import is_picture
from mammo.dicom.read import frames, read_header
from mammo.dicom.unusable import Unusable
from mammo.settings import DatasetSettings
from mammo.tables.records import Reject

# A tomosynthesis stack has about a hundred; a broken header can say anything.
MAX_FRAMES = 2000


def split_frames(
    items: Sequence[Item], data: Path, settings: DatasetSettings
) -> tuple[list[Item], list[Reject]]:
    """One item a frame, named `<film>_f001` … where there are several; or, by the settings, a reject of the file."""
    counts = mapped(lambda item: _frames(data / item.film), items, "frames")
    kept: list[Item] = []
    rejects: list[Reject] = []
    for item, count in zip(items, counts, strict=True):
        if count == 1:
            kept.append(item)
        elif settings.frames == "each" and count <= MAX_FRAMES:
            kept += [
                item.model_copy(update={"frame": number, "film_id": f"{item.film_id}_f{number + 1:03d}"})
                for number in range(count)
            ]
        else:
            reason = f"{count} frames: a film has one (datasets.*.frames: each takes every frame for a film)"
            reason = reason if count <= MAX_FRAMES else f"{count} frames are more than any film has"
            rejects.append(Reject(source=item.film, stage="index", reason=reason))
    return kept, rejects


def _frames(path: Path) -> int:
    """Frames of a file; 1 where it cannot be read, which decoding will say."""
    try:
        if is_picture(path):
            return 1
        return max(1, frames(read_header(path, ["NumberOfFrames"])))
    except Unusable:
        return 1
