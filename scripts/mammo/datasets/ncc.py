"""NCC: the hospital's deliveries, anonymised DICOM with a JPEG of the same name in which the lesion is outlined.

Below `dicom/<delivery>/` stands either `<letters>/<case>/<n>.dcm`, where the letters name the kinds of lesion, or
the flat `<id>_0001.dcm`; normals are `normal/<case>/<n>.dcm` or `20180130_NORMAL_<n>.dcm`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from mammo.annotations.frames import check_proportions, scale_to_film
from mammo.annotations.outline import find_outlines, read_picture
from mammo.datasets.base import (
    Companion,
    Item,
    digests,
    need_folder,
    patient_id,
    raw_files,
    unique_names,
)
from mammo.datasets.boxes import lesion_in_film
from mammo.dicom.unusable import Unusable
from mammo.errors import UserError
from mammo.settings import DatasetSettings
from mammo.tables.records import Lesion, Reject

PICTURES = (".jpg", ".jpeg")
_NORMAL = re.compile(r"(NORMAL_\d+)$", re.IGNORECASE)


@dataclass(frozen=True)
class _Film:
    """A DICOM file: delivery, its path below it, its picture."""

    delivery: str
    path: Path
    below: Path
    picture: Path | None

    @property
    def case(self) -> str:
        """The case's folder, or what stands before the number in a flat file's name."""
        if len(self.below.parts) > 1:
            return self.below.parts[-2]
        normal = _NORMAL.search(self.below.stem)
        if normal:
            return normal[1].upper()
        return self.below.stem.rpartition("_")[0] or self.below.stem

    @property
    def letters(self) -> str:
        """The folder that names the kinds of lesion; empty in flat deliveries."""
        return self.below.parts[0] if len(self.below.parts) > 2 else ""


def index(root: Path, dataset: str, settings: DatasetSettings) -> tuple[list[Item], list[Reject]]:
    """The films of all deliveries of the config. Raises `UserError`."""
    films: list[_Film] = []
    rejects: list[Reject] = []
    for delivery in sorted(settings.deliveries):
        folder = need_folder(
            root / "dicom" / delivery,
            f"unpack the delivery, or take '{delivery}' out of the deliveries of {dataset}",
        )
        found, refused = _films(folder, delivery, root.parent)
        if not found:
            raise UserError(
                f"{folder}: no DICOM file inside; the archive of '{delivery}' holds something else"
            )
        films += found
        rejects += refused
    return _items(films, root, dataset, settings), rejects


def _films(folder: Path, delivery: str, data: Path) -> tuple[list[_Film], list[Reject]]:
    """The DICOM files of a delivery with their pictures, and a row for every other file."""
    files = raw_files(folder)
    pictures = {_base(path): path for path in files if path.suffix.lower() in PICTURES}
    dicoms = [path for path in files if path.suffix.lower() in (".dcm", ".dicom", "")]
    films = [_Film(delivery, path, path.relative_to(folder), pictures.get(_base(path))) for path in dicoms]
    paired = {film.picture for film in films}
    rejects = []
    for path in files:
        if path in pictures.values() and path not in paired:
            rejects.append(_reject(path, data, "a picture without the DICOM file that it belongs to"))
        elif path not in pictures.values() and path not in dicoms:
            rejects.append(_reject(path, data, "neither a DICOM file nor the picture of one"))
    return films, rejects


def _base(path: Path) -> str:
    """What a film and its picture have in common, whatever the case in which a disk wrote it."""
    return str(path.with_suffix("")).lower()


def _reject(path: Path, data: Path, reason: str) -> Reject:
    return Reject(source=path.relative_to(data).as_posix(), stage="index", reason=reason)


def _items(films: list[_Film], root: Path, dataset: str, settings: DatasetSettings) -> list[Item]:
    hashes = digests(path for film in films for path in (film.path, film.picture) if path is not None)
    names = unique_names(
        ["_".join((film.delivery, *film.below.with_suffix("").parts)) for film in films],
        [f"{film.delivery}/{film.below.as_posix()}" for film in films],
    )
    items = []
    for film, name in zip(films, names, strict=True):
        group = settings.deliveries[film.delivery].group
        abnormal = group == "abn"
        used = [film.picture] if abnormal and film.picture is not None else []
        items.append(
            Item(
                dataset=dataset,
                film_id=name,
                film=film.path.relative_to(root.parent).as_posix(),
                sha256=hashes[film.path],
                delivery=film.delivery,
                patient=patient_id(dataset, settings, film.case),
                study=f"{film.delivery}.{film.case}",
                group=group,
                lesion_types=_lesion_types(film, dataset, settings) if abnormal else (),
                companions=tuple(
                    Companion(path=path.relative_to(root.parent).as_posix(), sha256=hashes[path])
                    for path in used
                ),
            )
        )
    return items


def _lesion_types(film: _Film, dataset: str, settings: DatasetSettings) -> tuple[str, ...]:
    """What the folder's letters mean. Raises `UserError` for a letter without meaning in the config."""
    letters = [letter for letter in film.letters if letter.isalnum()]
    for letter in letters:
        if letter not in settings.letters:
            known = ", ".join(sorted(settings.letters)) or "none"
            raise UserError(
                f"{film.path}: folder '{film.letters}': the letter '{letter}' has no meaning; add it to "
                f"datasets.{dataset}.letters (there: {known})"
            )
    return tuple(sorted({settings.letters[letter] for letter in letters}))


def annotate(item: Item, data: Path, size: tuple[int, int], settings: DatasetSettings) -> list[Lesion]:
    """The outlined lesions of a film, in its pixels. Raises `Unusable` for an abnormal film without any."""
    if item.group != "abn":
        return []
    if not item.companions:
        raise Unusable("no JPEG of the same name beside it: the lesion of an abnormal film is unknown")
    picture = read_picture(data / item.companions[0].path)
    picture_size = (picture.shape[1], picture.shape[0])
    check_proportions("the JPEG beside it", picture_size, size)
    outline = (settings.deliveries[item.delivery].annotations or settings.annotations).outline
    boxes = find_outlines(picture, outline)
    if not boxes:
        raise Unusable(f"no outline found in the JPEG beside it ({', '.join(outline.colours)})")
    # Which of several kinds an outline shows, the folder does not say.
    lesion_type = item.lesion_types[0] if len(item.lesion_types) == 1 else ""
    return [
        lesion_in_film(
            item.image_id,
            f"{number:02d}",
            scale_to_film(box, picture_size, size),
            size,
            lesion_type=lesion_type,
            pathology="",
            annotation_form="outline",
        )
        for number, box in enumerate(boxes)
    ]
