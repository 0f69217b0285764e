"""CBIS-DDSM: four description tables, digitised films, a mask and a crop of each lesion.

Paths in the tables do not match what is on disk, whichever way it was downloaded: files are found by the
SeriesInstanceUID of their headers (`cbis_listing`). Mask and crop lie in one series or two and are as often swapped as
not: pixels decide. Some films are listed twice, as Mass and as Calc: one is used, with the lesions of both.
"""

from __future__ import annotations

from pathlib import Path

from mammo.annotations.frames import Box, check_proportions, scale_to_film
from mammo.annotations.mask import LEAST_SIZE, MOST_SIZE, largest_part
from mammo.datasets.base import Companion, Item, LabelledLesion, digests, patient_id, unique_names
from mammo.datasets.boxes import lesion_in_film
from mammo.datasets.cbis_listing import Film, Listing, find_films, source_of
from mammo.dicom.read import read_film, read_header, size, stored_pixels
from mammo.dicom.unusable import Unusable
from mammo.settings import DatasetSettings
from mammo.tables.records import Lesion, Reject


def index(root: Path, dataset: str, settings: DatasetSettings) -> tuple[list[Item], list[Reject]]:
    """Films of all description tables with the candidates for their masks. Raises `UserError`."""
    listing = find_films(root)
    return _items(listing, root, dataset, settings), listing.rejects


def _items(listing: Listing, root: Path, dataset: str, settings: DatasetSettings) -> list[Item]:
    companions = {film.path: _companions(film, listing) for film in listing.films}
    hashes = digests([*companions, *(path for paths in companions.values() for path in paths)])
    names = unique_names(
        [film.rows[0][0].subject for film in listing.films],
        [source_of(film.path, root) for film in listing.films],
    )
    items = []
    for film, name in zip(listing.films, names, strict=True):
        row, _ = film.rows[0]
        lesions = _lesions(film, listing, root)
        items.append(
            Item(
                dataset=dataset,
                film_id=name,
                film=source_of(film.path, root),
                sha256=hashes[film.path],
                delivery=row.delivery,
                patient=patient_id(dataset, settings, row.patient),
                study=row.patient,
                laterality=row.laterality,
                view=row.view,
                group="abn",
                lesion_types=tuple(sorted({lesion.lesion_type for lesion in lesions})),
                lesions=lesions,
                companions=tuple(
                    Companion(path=source_of(path, root), sha256=hashes[path])
                    for path in companions[film.path]
                ),
            )
        )
    return items


def _companions(film: Film, listing: Listing) -> list[Path]:
    """Files of all lesions of a film."""
    series = {series for row, _ in film.rows for series in row.lesion_series}
    return sorted({path for each in series for path in listing.lesion_files[each]})


def _lesions(film: Film, listing: Listing, root: Path) -> tuple[LabelledLesion, ...]:
    """The lesions of a film with the files among which its mask is; a row that is there twice is one lesion."""
    lesions: dict[str, LabelledLesion] = {}
    for row, name in film.rows:
        paths = [
            source_of(path, root) for series in row.lesion_series for path in listing.lesion_files[series]
        ]
        found = row.lesion.model_copy(update={"lesion_id": name, "companions": tuple(paths)})
        lesions.setdefault(name, found)
    return tuple(lesions.values())


# --- annotation ---------------------------------------------------------------------------------------------------


def annotate(item: Item, data: Path, size: tuple[int, int], settings: DatasetSettings) -> list[Lesion]:
    """The lesions of a film from their masks, in its pixels.

    Raises `Unusable`, naming the mask, if any of them is missing, empty or broken: the film would otherwise show a
    lesion that counts as background.
    """
    return [_masked(item, lesion, data, size) for lesion in item.lesions]


def _masked(item: Item, lesion: LabelledLesion, data: Path, size: tuple[int, int]) -> Lesion:
    path, box = _mask(lesion, data, size)
    try:
        return lesion_in_film(
            item.image_id,
            lesion.lesion_id,
            box,
            size,
            lesion_type=lesion.lesion_type,
            pathology=lesion.pathology,
            annotation_form="mask",
        )
    except Unusable as error:
        raise Unusable(f"{lesion.lesion_id}: {path}: {error}") from error


def _mask(lesion: LabelledLesion, data: Path, size: tuple[int, int]) -> tuple[str, Box]:
    """The mask among the files of a lesion, by pixels, and its box. Raises `Unusable` with what is wrong with each."""
    boxes: dict[Box, str] = {}
    faults = []
    for path in lesion.companions:
        try:
            box = mask_box(data / path, size)
        except Unusable as error:
            faults.append(f"{path}: {error}")
        else:
            if box is not None:
                boxes.setdefault(box, path)
    if len(boxes) > 1:
        raise Unusable(f"{lesion.lesion_id}: its series holds different masks: {', '.join(boxes.values())}")
    for box, path in boxes.items():
        return path, box
    if faults:
        raise Unusable(f"{lesion.lesion_id}: no mask: {'; '.join(faults)}")
    raise Unusable(f"{lesion.lesion_id}: no mask among the {len(lesion.companions)} file(s) of its series")


def mask_box(path: Path | str, film: tuple[int, int]) -> Box | None:
    """Box of the lesion in a file, half-open in the film's pixels; none where the file is no mask of the film.

    `film` is (width, height). A mask has 8 bits, two values at most and about the film's size. Pixels are decoded
    once, and only where the header leaves it open. Raises `Unusable` where a mask is empty, broken or of another film.
    """
    header = read_header(path, ["BitsAllocated", "Rows", "Columns", "SamplesPerPixel"])
    rows, columns = size(header)
    shares = (columns / film[0], rows / film[1])
    if header.get("BitsAllocated") != 8 or not all(LEAST_SIZE <= share <= MOST_SIZE for share in shares):
        return None
    pixels = stored_pixels(read_film(path))
    if pixels.ndim != 2 or not ((pixels == pixels.min()) | (pixels == pixels.max())).all():
        return None
    check_proportions("the mask", (columns, rows), film)
    return scale_to_film(largest_part(pixels), (columns, rows), film)
