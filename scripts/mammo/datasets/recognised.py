"""The lesions of a delivered film, in whatever form its readers left them.

Apart from the modules that index deliveries: a changed recogniser must not make an index of many gigabytes again.
"""

from __future__ import annotations

from pathlib import Path

from mammo.annotations.outline import colours_found, read_picture
from mammo.annotations.recognise import recognise
from mammo.datasets.base import Item
from mammo.datasets.boxes import lesion_in_film
from mammo.datasets.pairing import evidence_of
from mammo.dicom.unusable import Unusable
from mammo.settings import AnnotationSettings, DatasetSettings
from mammo.tables.records import Lesion


def recognised_lesions(
    item: Item, data: Path, size: tuple[int, int], settings: DatasetSettings
) -> list[Lesion]:
    """Lesions of a delivered film in its pixels, in the forms that its delivery asks for.

    Films of a normal delivery are not searched. Raises `Unusable` for an abnormal film without any lesion.
    """
    if item.group == "normal":
        return []
    wanted = settings.deliveries[item.delivery].annotations or settings.annotations
    evidence = evidence_of(item, data, size)
    found = recognise(evidence, wanted)
    if not found and item.group == "abn":
        raise Unusable(_why_none(item, data, wanted))
    # Which of several kinds an annotation shows, a list of kinds does not say.
    only_type = item.lesion_types[0] if len(item.lesion_types) == 1 else ""
    return [
        lesion_in_film(
            item.image_id,
            f"{number:02d}",
            finding.box,
            size,
            lesion_type=finding.label or only_type,
            pathology="",
            annotation_form=finding.form,
        )
        for number, finding in enumerate(found)
    ]


def _why_none(item: Item, data: Path, wanted: AnnotationSettings) -> str:
    """The reason for the reject: what was there to look at, and the colours of lines that no setting asks for."""
    pictures = [companion.path for companion in item.companions if companion.role == "picture"]
    if wanted.forms == ("outline",) and not pictures:
        return "no JPEG of the same name beside it: the lesion of an abnormal film is unknown"
    colours = ", ".join(wanted.outline.colours)
    others = sorted({colour for path in pictures for colour in colours_found(read_picture(data / path))})
    if pictures and others:
        return f"no outline found in the JPEG beside it ({colours}); coloured lines there are: {', '.join(others)}"
    if pictures and not [one for one in item.companions if one.role != "picture"]:
        return f"no outline found in the JPEG beside it ({colours}); nothing in it is coloured"
    forms = "any form" if wanted.forms == "auto" else ", ".join(wanted.forms)
    return f"no annotation found ({forms}): the lesion of an abnormal film is unknown"
