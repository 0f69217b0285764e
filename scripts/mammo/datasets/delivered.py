"""What hospitals' deliveries share: films in folders of unpacked archives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from mammo.datasets.base import digests, need_folder, raw_files
from mammo.datasets.pairing import PairedFilm, pair_films
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
