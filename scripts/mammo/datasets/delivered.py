"""What hospitals' deliveries share: folders of unpacked archives, lesions in whatever form the readers left them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from mammo.annotations.outline import colours_found, read_picture
from mammo.annotations.recognise import recognise
from mammo.datasets.base import Item, digests, need_folder, raw_files
from mammo.datasets.boxes import lesion_in_film
from mammo.datasets.pairing import PairedFilm, evidence_of, pair_films
from mammo.dicom.unusable import Unusable
from mammo.errors import UserError
from mammo.settings import AnnotationSettings, DatasetSettings
from mammo.tables.records import Lesion, Reject


@dataclass(frozen=True)
class DeliveredFilm:
    """A film of a delivery: its path below the delivery's folder, what belongs to it."""

    delivery: str
    below: PurePath
    paired: PairedFilm

    @property
    def name(self) -> str:
        """Delivery and path without its suffix, joined by `_`: unique in the dataset but for odd letters."""
        return "_".join((self.delivery, *self.below.with_suffix("").parts))


def delivered_films(
    root: Path, dataset: str, settings: DatasetSettings
) -> tuple[list[DeliveredFilm], list[Reject]]:
    """Films of all deliveries of the config, and a row for each file that is none. Raises `UserError`."""
    films: list[DeliveredFilm] = []
    rejects: list[Reject] = []
    for delivery in sorted(settings.deliveries):
        folder = need_folder(
            root / "dicom" / delivery,
            f"unpack the delivery, or take '{delivery}' out of the deliveries of {dataset}",
        )
        paired, refused = pair_films(raw_files(folder))
        if not paired:
            raise UserError(
                f"{folder}: no DICOM file inside; the archive of '{delivery}' holds something else"
            )
        films += [DeliveredFilm(delivery, film.path.relative_to(folder), film) for film in paired]
        rejects += [
            Reject(source=path.relative_to(root.parent).as_posix(), stage="index", reason=reason)
            for path, reason in refused
        ]
    return films, rejects


def delivered_digests(films: Sequence[DeliveredFilm]) -> dict[Path, str]:
    """SHA-256 of all films and of what belongs to them."""
    return digests(
        path
        for film in films
        for path in (film.paired.path, *(companion for _, companion in film.paired.all_companions))
    )


def annotated_lesions(
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
