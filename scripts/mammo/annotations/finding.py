"""What every form of annotation yields, and what it is given to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mammo.annotations.frames import Box
from mammo.settings import Form

# What a companion file can be to a film.
ROLES = ("picture", "twin", "gsps", "seg", "sr", "mask", "plist")


@dataclass(frozen=True)
class Finding:
    """One annotated lesion: half-open box in the film's native pixels, the form in which it came.

    `label` is what the annotation itself says of its kind, `colour` the line's colour where it was drawn in one; both
    may be empty.
    """

    box: Box
    form: Form
    label: str = ""
    colour: str = ""


@dataclass(frozen=True)
class Evidence:
    """A film and everything that may hold its annotations.

    `size` is (width, height) of the film in native pixels, `frame` counts from 0. `companions` are the files by role
    (`ROLES`): picture = a JPEG or PNG of the film with outlines; twin = the clean film of which this one is a marked
    copy; gsps, seg, sr, mask = DICOM objects that refer to the film; plist = XML.
    """

    film: Path
    size: tuple[int, int]
    frame: int = 0
    companions: Mapping[str, Sequence[Path]] = field(default_factory=dict)

    def of(self, role: str) -> Sequence[Path]:
        """The companions of a role, sorted by path."""
        return sorted(self.companions.get(role, ()))
