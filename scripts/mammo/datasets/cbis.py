"""CBIS-DDSM: four description tables, digitised films, a mask and a crop of each lesion.

Paths in the tables do not match what is on disk, whichever way it was downloaded: files are found by the
SeriesInstanceUID of their headers (`cbis_listing`). Mask and crop lie in one series or two and are as often swapped as
not: pixels decide. Some films are listed twice, as Mass and as Calc: one is used, with the lesions of both.
"""

from __future__ import annotations

from pathlib import Path

from mammo.datasets.base import Companion, Item, LabelledLesion, digests, patient_id, unique_names
from mammo.datasets.cbis_listing import Film, Listing, find_films, source_of
from mammo.settings import DatasetSettings
from mammo.tables.records import Density, Reject


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
                density=_density(film),
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


def _density(film: Film) -> Density:
    """What the film's rows say, those that say nothing left out; unknown where they contradict each other."""
    said = {row.density for row, _ in film.rows if row.density}
    return said.pop() if len(said) == 1 else ""


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
