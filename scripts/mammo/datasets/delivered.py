"""What hospitals' deliveries share: films in folders of unpacked archives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from mammo.datasets.base import Item, digests, need_folder, patient_id, raw_files, unique_names
from mammo.datasets.pairing import PairedFilm, companion_records, pair_films
from mammo.errors import UserError
from mammo.settings import DatasetSettings
from mammo.tables.records import Reject


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


@dataclass(frozen=True)
class Known:
    """What a format knows of a delivered film: patient and study, kinds of lesion (of annotated films)."""

    patient: str
    study: str
    lesion_types: tuple[str, ...] = ()


def delivered_items(
    root: Path, dataset: str, settings: DatasetSettings, known: Callable[[DeliveredFilm], Known]
) -> tuple[list[Item], list[Reject]]:
    """The films of all deliveries of the config with what `known` says of each. Raises `UserError`."""
    films, rejects = _films(root, dataset, settings)
    hashes = _digests(films)
    names = unique_names(
        [film.name for film in films], [f"{film.delivery}/{film.below.as_posix()}" for film in films]
    )
    items = []
    for film, name in zip(films, names, strict=True):
        group, facts = settings.deliveries[film.delivery].group, known(film)
        annotated = group != "normal"
        items.append(
            Item(
                dataset=dataset,
                film_id=name,
                film=film.paired.path.relative_to(root.parent).as_posix(),
                sha256=hashes[film.paired.path],
                delivery=film.delivery,
                patient=patient_id(dataset, settings, facts.patient),
                study=facts.study,
                group=group,
                lesion_types=facts.lesion_types if annotated else (),
                companions=companion_records(film.paired, hashes, root.parent) if annotated else (),
            )
        )
    return items, rejects


def _films(root: Path, dataset: str, settings: DatasetSettings) -> tuple[list[DeliveredFilm], list[Reject]]:
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


def _digests(films: Sequence[DeliveredFilm]) -> dict[Path, str]:
    """SHA-256 of all films and of what belongs to them."""
    return digests(
        path
        for film in films
        for path in (film.paired.path, *(companion for _, companion in film.paired.all_companions))
    )
