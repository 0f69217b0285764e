"""What formats share that list films in a table: the class of each lesion and its box beside the film's name.

A format says how a row of its list names a film (`ListedFilm`) and its lesions (`ListedLesion`); finding the files,
digests, names, patients, groups and rejects are the same for all. docs/adding-a-format.md shows how to add one.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from mammo.annotations.frames import Box
from mammo.datasets.base import (
    Item,
    LabelledLesion,
    digests,
    patient_id,
    patient_in_path,
    safe_name,
    unique_names,
)
from mammo.datasets.boxes import lesion_in_film
from mammo.datasets.rawfolder import RawFolder
from mammo.dicom.unusable import Unusable
from mammo.files import sha256_bytes
from mammo.settings import DatasetSettings
from mammo.tables.records import Density, Lesion, Reject

Row = TypeVar("Row")
PATHOLOGIES = ("malignant", "benign")
# What all rows of a film must agree about: of another size, its boxes would be misplaced.
SAID_OF_FILMS = ("size", "patient", "study", "laterality", "view")
# File systems hold 255 bytes; prefixes, suffixes and digests come on top.
MAX_NAME = 150


@dataclass(frozen=True)
class ListedFilm:
    """A film as a row names it: `file`, with or without suffix, in one of `folders`, relative to the raw folder.

    `size` is (width, height) in pixels where the list says it; a film of another size is turned down. An empty
    `patient` is looked for by `datasets.*.patient_pattern`.
    """

    file: str
    folders: tuple[str, ...] = ("",)
    size: tuple[int, int] | None = None
    delivery: str = ""
    patient: str = ""
    study: str = ""
    laterality: str = ""
    view: str = ""
    pixel_mm: float | None = None
    density: Density = ""


@dataclass(frozen=True)
class ListedLesion:
    """A lesion as a row names it: its class; half-open box in the film's pixels, 0-based (none: somewhere on the film);
    pathology where the list says more of it than the class does.
    """

    class_name: str
    box: Box | None
    pathology: str = ""


@dataclass
class _Listing:
    """All that one delivery says of a film."""

    film: ListedFilm
    lesions: list[ListedLesion] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


# --- what a row says --------------------------------------------------------------------------------------------------


def number(value: Any) -> float:
    """A number of a list, written as number or text. Raises `Unusable` for anything else, and where not finite."""
    try:
        if isinstance(value, bool):
            raise TypeError
        result = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise Unusable(f"a number was expected, found {str(value)[:40]!r}") from error
    if not math.isfinite(result):
        raise Unusable(f"a number was expected, found {result}")
    return result


def corners(x1: Any, y1: Any, x2: Any, y2: Any) -> Box:
    """A half-open box from numbers or texts. Raises `Unusable` where one is no number or the box has no area."""
    box = (number(x1), number(y1), number(x2), number(y2))
    if box[0] >= box[2] or box[1] >= box[3]:
        raise Unusable(f"the box {','.join(f'{value:g}' for value in box)} has no area")
    return box


def pixel_size(width: Any, height: Any) -> tuple[int, int] | None:
    """A film's size as a list says it; none where it says 0 or nothing. Raises `Unusable` where it makes no sense."""
    if width in (None, "") or height in (None, ""):
        return None
    size = int(number(width)), int(number(height))
    return size if all(size) else None


# --- from rows to films -----------------------------------------------------------------------------------------------


def index_listed(
    raw: RawFolder,
    rows: Iterable[tuple[str, Row]],
    film: Callable[[Row], ListedFilm],
    lesions: Callable[[Row], Sequence[ListedLesion]],
    lists: Iterable[Path],
    settings: DatasetSettings,
) -> tuple[list[Item], list[Reject]]:
    """Films of a dataset from the rows of its lists, and a row for each file and each row that is of no use.

    `rows` are (place, row); a place (`list.csv#7`) names a row in reasons. `film` and `lesions` read a row and may
    raise `Unusable`: a row without a film is turned down by itself, a film with a lesion that cannot be read is turned
    down whole, because that lesion would count as background. `lists` are the files that the rows came from.
    """
    listings: dict[Path, dict[str, _Listing]] = defaultdict(dict)
    for place, row in rows:
        try:
            named = film(row)
            path = raw.find(named.file, named.folders)
        except Unusable as fault:
            raw.reject(place, str(fault))
            continue
        except FileNotFoundError as missing:
            raw.reject(str(missing), f"listed ({place}), but there is no such file")
            continue
        listing = listings[path].setdefault(named.delivery, _Listing(named))
        for about in SAID_OF_FILMS:
            if getattr(named, about) != getattr(listing.film, about):
                listing.faults.append(f"{place}: another {about} than in the film's first row")
        try:
            listing.lesions = list(dict.fromkeys([*listing.lesions, *lesions(row)]))
        except Unusable as fault:
            listing.faults.append(f"{place}: {fault}")
    for path in sorted(set(raw.files) - set(listings) - set(lists)):
        raw.reject(raw.below(path), "no list names this file")
    items = _items(raw, listings, settings)
    return items, [Reject(source=place, stage="index", reason=why) for place, why in raw.rejects.items()]


def _items(
    raw: RawFolder, listings: dict[Path, dict[str, _Listing]], settings: DatasetSettings
) -> list[Item]:
    paths = sorted(listings)
    hashes = digests(paths)
    names = unique_names([_film_name(raw.below(path)) for path in paths], [raw.below(path) for path in paths])
    films_of: dict[str, int] = defaultdict(int)
    for deliveries in listings.values():
        for delivery in deliveries:
            films_of[delivery] += 1
    items = []
    for path, name in zip(paths, names, strict=True):
        try:
            listing = _one_listing(listings[path], films_of)
            items.append(_item(raw, path, name, hashes[path], listing, settings))
        except Unusable as fault:
            raw.reject(raw.below(path), str(fault))
    return items


def _film_name(below: str) -> str:
    """A film's name from its path; one that loses letters gets a digest, so that it never depends on its neighbours."""
    name = "_".join(PurePosixPath(below).with_suffix("").parts)
    safe = safe_name(name)[:MAX_NAME]
    return name if safe == name else f"{safe}-{sha256_bytes(below.encode())[:8]}"


def _one_listing(deliveries: dict[str, _Listing], films_of: dict[str, int]) -> _Listing:
    """A film that several deliveries list (train within trainval) is the smallest one's; they have to agree."""
    if faults := [fault for listing in deliveries.values() for fault in listing.faults]:
        raise Unusable(faults[0])
    smallest = min(deliveries, key=lambda delivery: (films_of[delivery], delivery))
    listing = deliveries[smallest]
    for other in deliveries.values():
        if set(other.lesions) != set(listing.lesions):
            raise Unusable(f"{smallest} and {other.film.delivery} list different lesions of this film")
    return listing


def _item(
    raw: RawFolder, path: Path, name: str, sha256: str, listing: _Listing, settings: DatasetSettings
) -> Item:
    film = listing.film
    lesions = [
        LabelledLesion(lesion_id=f"{number:02d}", lesion_type=kind, pathology=pathology, box=lesion.box)
        for number, lesion in enumerate(listing.lesions)
        for kind, pathology, used in [class_meaning(lesion, settings)]
        if used
    ]
    patient = film.patient or _patient(raw.below(path), name, settings.patient_pattern)
    return Item(
        dataset=raw.dataset,
        film_id=name,
        film=path.relative_to(raw.data).as_posix(),
        sha256=sha256,
        delivery=film.delivery,
        patient=patient_id(raw.dataset, settings, patient),
        study=film.study,
        laterality=film.laterality,
        view=film.view,
        pixel_mm=film.pixel_mm,
        density=film.density,
        listed_size=film.size,
        group="abn" if lesions else "normal",
        lesion_types=tuple(sorted({lesion.lesion_type for lesion in lesions if lesion.lesion_type})),
        lesions=tuple(lesions),
    )


def class_meaning(lesion: ListedLesion, settings: DatasetSettings) -> tuple[str, str, bool]:
    """Lesion type, pathology, and whether it is a lesion: by `datasets.*.classes`, else by the name itself.

    Raises `Unusable` for a name that is no text (JSON can write half a character).
    """
    name = lesion.class_name.strip()
    if not name or not name.isprintable():
        raise Unusable(f"no name of a class: {name[:40]!r}")
    known = settings.classes.get(name)
    kind = "_".join(name.lower().split())
    pathology = lesion.pathology or (kind if kind in PATHOLOGIES else "")
    kind = "" if kind in PATHOLOGIES else kind
    if known is None:
        return kind, pathology, True
    return known.lesion_type or kind, known.pathology or pathology, known.use


def _patient(below: str, name: str, pattern: str) -> str:
    """The patient that a path names. Raises `Unusable` where the pattern finds none: guessing would mix patients."""
    if not pattern:
        return name
    found = patient_in_path(below, pattern)
    if not found:
        raise Unusable("patient_pattern finds no patient in its path")
    return found


# --- from films to lesions --------------------------------------------------------------------------------------------


def listed_lesions(item: Item, size: tuple[int, int], form: str) -> list[Lesion]:
    """The listed lesions of a film of `size` (width, height), cut to it; those without a box give no row.

    Raises `Unusable` where a box lies outside of the film, or the list speaks of a film of another size.
    """
    if item.frame:
        raise Unusable("several frames: the list does not say on which one its boxes are")
    if item.listed_size not in (None, size):
        listed, real = ("x".join(map(str, pair)) for pair in (item.listed_size, size))
        raise Unusable(
            f"the list speaks of {listed} pixels, and the film has {real}: its boxes would be misplaced"
        )
    return [
        lesion_in_film(
            item.image_id,
            lesion.lesion_id,
            lesion.box,
            size,
            lesion_type=lesion.lesion_type,
            pathology=lesion.pathology,
            annotation_form=form,
        )
        for lesion in item.lesions
        if lesion.box is not None
    ]
