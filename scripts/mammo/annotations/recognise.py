"""The lesions of a film, whatever form its annotation comes in."""

from __future__ import annotations

from collections.abc import Callable

from mammo.annotations import burned_in, gsps, mask, outline, overlay, plist, seg, sr, white_marks
from mammo.annotations.finding import Evidence, Finding
from mammo.dicom.unusable import Unusable
from mammo.settings import AnnotationSettings, Form

Finder = Callable[[Evidence, AnnotationSettings], list[Finding]]
# One function a form: the findings of a film in its native pixels, none where the form is not there. Raises `Unusable`
# where the form is there and cannot be read.
FINDERS: dict[Form, Finder] = {
    "seg": seg.find,
    "gsps": gsps.find,
    "sr": sr.find,
    "mask": mask.find,
    "plist": plist.find,
    "overlay": overlay.find,
    "outline": outline.find,
    "burned_in": burned_in.find,
    "white_marks": white_marks.find,
}


def recognise(evidence: Evidence, settings: AnnotationSettings) -> list[Finding]:
    """Findings of the first form that has any, in the order of the settings; top to bottom, then left to right.

    Raises `Unusable` where no form has a finding and at least one could not be read.
    """
    faults = []
    for form in FINDERS if settings.forms == "auto" else settings.forms:
        try:
            found = FINDERS[form](evidence, settings)
        except Unusable as error:
            faults.append(f"{form}: {error}")
            continue
        if found:
            return sorted(found, key=lambda one: (one.box[1], one.box[0], one.box[3], one.box[2]))
    if faults:
        raise Unusable("; ".join(faults))
    return []
