"""Which file of a hospital's delivery is a film, and which other files hold its annotations.

Pictures and XML belong to the DICOM file of the same path and base name; DICOM objects (presentation states,
segmentations, reports, masks, marked copies) to the film whose SOPInstanceUID they refer to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.dataset import Dataset

from mammo.annotations.finding import Evidence
from mammo.annotations.references import references, role_of
from mammo.datasets.base import Companion, Item, mapped
from mammo.dicom.read import read_header, tolerant
from mammo.dicom.unusable import Unusable

PICTURES = (".jpg", ".jpeg", ".png")
# What lies beside a film under its name, by suffix.
BESIDE = dict.fromkeys(PICTURES, "picture") | {".xml": "plist"}
DICOM = (".dcm", ".dicom", "")
OBJECTS = ("gsps", "seg", "sr")
# Images that were made from a film; without the film they stand for themselves.
COPIES = ("twin", "mask")


@dataclass(frozen=True)
class PairedFilm:
    """A film, the ids of its header (empty where it has none), and the files that hold its annotations, by role."""

    path: Path
    uid: str = ""
    patient: str = ""
    study: str = ""
    companions: dict[str, list[Path]] = field(default_factory=dict)

    @property
    def all_companions(self) -> list[tuple[str, Path]]:
        """(role, path) of each companion, sorted."""
        return sorted((role, path) for role, paths in self.companions.items() for path in paths)


@dataclass(frozen=True)
class _Scanned:
    film: PairedFilm
    role: str
    refers_to: frozenset[str] = frozenset()


def pair_films(files: Sequence[Path]) -> tuple[list[PairedFilm], list[tuple[Path, str]]]:
    """The films among the files of a delivery, and each file that is none and belongs to none, with the reason."""
    beside = [path for path in files if path.suffix.lower() in BESIDE]
    dicoms = [path for path in files if path.suffix.lower() in DICOM]
    known = {*beside, *dicoms}
    refused = [(path, "neither a DICOM file nor the picture of one") for path in files if path not in known]
    scanned = mapped(_scan, dicoms, "headers")
    films = _films(scanned)
    refused += _attach_objects(films, [one for one in scanned if one.film.path not in films])
    refused += _attach_beside(films, beside)
    return [films[path] for path in sorted(films)], sorted(refused)


def base_name(path: Path) -> str:
    """What a film and its picture have in common, whatever the case in which a disk wrote it."""
    return str(path.with_suffix("")).lower()


def _scan(path: Path) -> _Scanned:
    """What a DICOM file is. One that cannot be read counts as a film: reading it will say what is wrong with it."""
    try:
        header = read_header(path)
    except Unusable:
        return _Scanned(PairedFilm(path), "film")
    ids = [_text(header, keyword) for keyword in ("SOPInstanceUID", "PatientID", "StudyInstanceUID")]
    nameless = not _text(header, "SOPClassUID") and not _text(header, "Modality")
    role = role_of(header) or ("film" if nameless else "")
    return _Scanned(PairedFilm(path, *ids), role, references(header))


def _text(header: Dataset, keyword: str) -> str:
    with tolerant():
        try:
            return str(header.get(keyword) or "").strip()
        except Exception:
            return ""


def _films(scanned: Sequence[_Scanned]) -> dict[Path, PairedFilm]:
    """Films by path. A marked copy whose clean twin was not delivered is the film itself."""
    clean = {one.film.uid for one in scanned if one.role == "film" and one.film.uid}
    return {
        one.film.path: one.film
        for one in scanned
        if one.role == "film" or (one.role in COPIES and not one.refers_to & clean)
    }


def _attach_objects(films: dict[Path, PairedFilm], objects: list[_Scanned]) -> list[tuple[Path, str]]:
    """Hang each object on the films that it refers to; gives those that could not be hung, with the reason."""
    by_uid: dict[str, list[PairedFilm]] = defaultdict(list)
    for film in films.values():
        by_uid[film.uid].append(film)
    refused = []
    for one in objects:
        path, role = one.film.path, one.role
        if role not in (*OBJECTS, *COPIES):
            refused.append((path, "a DICOM object that is neither a film nor an annotation"))
            continue
        targets = [by_uid[uid] for uid in sorted(one.refers_to - {""}) if uid in by_uid]
        if not targets:
            refused.append((path, f"an annotation ({role}) that refers to no film of the delivery"))
        elif any(len(same) > 1 for same in targets):
            refused.append((path, f"an annotation ({role}): several films have the UID that it refers to"))
        else:
            for (film,) in targets:
                film.companions.setdefault(role, []).append(path)
    return refused


def _attach_beside(films: dict[Path, PairedFilm], beside: list[Path]) -> list[tuple[Path, str]]:
    by_name = {base_name(path): film for path, film in films.items()}
    refused = []
    for path in beside:
        film = by_name.get(base_name(path))
        if film is None:
            kind = "a picture" if path.suffix.lower() in PICTURES else "an XML file"
            refused.append((path, f"{kind} without the DICOM file that it belongs to"))
        else:
            film.companions.setdefault(BESIDE[path.suffix.lower()], []).append(path)
    return refused


# --- records of the index, evidence for the annotations -----------------------------------------------------------


def companion_records(film: PairedFilm, hashes: dict[Path, str], data: Path) -> tuple[Companion, ...]:
    """The companions of a film as the index writes them, paths relative to the data folder."""
    return tuple(
        Companion(path=path.relative_to(data).as_posix(), role=role, sha256=hashes[path])
        for role, path in film.all_companions
    )


def evidence_of(item: Item, data: Path, size: tuple[int, int]) -> Evidence:
    """What may hold the annotations of an indexed film; `size` is the film's (width, height)."""
    by_role: dict[str, list[Path]] = defaultdict(list)
    for companion in item.companions:
        by_role[companion.role].append(data / companion.path)
    return Evidence(film=data / item.film, size=size, frame=item.frame, companions=by_role)
