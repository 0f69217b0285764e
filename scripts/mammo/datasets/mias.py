"""mini-MIAS: `Info.txt` with a row a lesion amid free text, films as `mdb001.pgm`.

Suckling et al., The Mammographic Image Analysis Society Digital Mammogram Database, Exerpta Medica ICS 1069 (1994).
"""

from __future__ import annotations

import re
from pathlib import Path

from mammo.datasets.base import Item
from mammo.datasets.listed import ListedFilm, ListedLesion, corners, index_listed, listed_lesions, number
from mammo.datasets.rawfolder import RawFolder
from mammo.dicom.unusable import Unusable
from mammo.settings import DatasetSettings
from mammo.tables.records import Lesion, Reject

SIDE = 1024
PIXEL_MM = 0.2
TYPES = {
    "CALC": "calcification",
    "CIRC": "mass",
    "SPIC": "spiculated_region",
    "MISC": "other",
    "ARCH": "distortion",
    "ASYM": "asymmetry",
}
PATHOLOGY = {"B": "benign", "M": "malignant"}
_FILM = re.compile(r"mdb(\d{3})", re.ASCII | re.IGNORECASE)
_WAY_OUT = "put Info.txt and the mdb*.pgm there as they were published"


def index(root: Path, dataset: str, settings: DatasetSettings) -> tuple[list[Item], list[Reject]]:
    """The films of Info.txt. Raises `UserError`."""
    raw = RawFolder(root, dataset, _WAY_OUT)
    lists = raw.lists("info.txt")
    rows = ((place, text.split()) for path in lists for place, text in raw.lines(path))
    # The list stands between a licence, a legend and notes: its rows are the lines that begin with a film's name.
    rows = [(place, words) for place, words in rows if words and words[0].lower().startswith("mdb")]
    return index_listed(raw, rows, _film, _lesions, lists, settings)


def _film(words: list[str]) -> ListedFilm:
    """Films come in pairs of one patient. The list calls the even ones left; the names of the full-size set
    (mdb001lm, mdb002rl) and the films themselves say that the odd ones are.
    """
    name = _FILM.fullmatch(words[0])
    if not name or not int(name[1]):
        raise Unusable(f"expected a film such as mdb001, found {words[0]!r}")
    film = int(name[1])
    return ListedFilm(
        f"{words[0].lower()}.pgm",
        folders=("", "all-mias"),
        size=(SIDE, SIDE),
        patient=f"{(film + 1) // 2:03d}",
        laterality="L" if film % 2 else "R",
        view="MLO",
        pixel_mm=PIXEL_MM,
    )


def _lesions(words: list[str]) -> list[ListedLesion]:
    """The square around a row's circle: its y is counted upwards from the lower edge of the film."""
    tissue, kind, verdict, *place = [*words[1:], "", "", ""]
    place = [word for word in place if word]
    if tissue not in ("F", "G", "D"):
        raise Unusable(f"tissue: expected F, G or D, found {tissue!r}")
    if kind == "NORM":
        if verdict:
            raise Unusable("NORM, yet more follows in its row")
        return []
    if kind not in TYPES:
        raise Unusable(f"abnormality: expected NORM or one of {', '.join(TYPES)}, found {kind!r}")
    if verdict not in PATHOLOGY:
        raise Unusable(f"severity: expected B or M, found {verdict!r}")
    if not place or place[0].startswith("*"):
        raise Unusable("abnormal, but the list gives no place (widely distributed)")
    if len(place) != 3:
        raise Unusable(f"expected x, y and radius, found {' '.join(place)!r}")
    x, y, radius = map(number, place)
    if radius <= 0:
        raise Unusable(f"expected a radius above 0, found {radius:g}")
    box = corners(x - radius, SIDE - y - radius, x + radius, SIDE - y + radius)
    return [ListedLesion(TYPES[kind], box, PATHOLOGY[verdict])]


def annotate(item: Item, data: Path, size: tuple[int, int], settings: DatasetSettings) -> list[Lesion]:
    """The listed boxes of a film, cut to it. Raises `Unusable` where one lies outside of it."""
    return listed_lesions(item, size, "info")
