"""Pascal VOC: `Annotations/<film>.xml`, `JPEGImages/<film>.jpg` (or any other suffix), `ImageSets/Main/<set>.txt`.

Format: VOC2012 development kit, section 2. Boxes there are 1-based with the last pixel inside, so half-open from 0 they
are xmin - 1 … xmax; keras-retinanet's `pascal` takes 1 off all four. Without sets every XML is a film.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree
from xml.parsers import expat

from mammo.datasets.base import Item
from mammo.datasets.listed import (
    ListedFilm,
    ListedLesion,
    corners,
    index_listed,
    listed_lesions,
    number,
    pixel_size,
)
from mammo.datasets.rawfolder import RawFolder
from mammo.dicom.unusable import Unusable
from mammo.settings import DatasetSettings
from mammo.tables.records import Lesion, Reject

MAX_BYTES = 4_000_000
MAX_DEPTH = 50
_WAY_OUT = "put VOC's Annotations, JPEGImages and ImageSets there"
# A set that says of each film whether a class is on it (`aeroplane_train.txt`): no set of films.
_PRESENCE = re.compile(r"^\S.*\s(-1|0|1)$")

# The root of an XML file, or what is wrong with it.
_Content = ElementTree.Element | Unusable


@dataclass(frozen=True)
class _Film:
    """A film: where it is named, its set, the folders where its picture can be, its XML or what is wrong with it."""

    place: str
    delivery: str
    name: str
    folders: tuple[str, ...]
    content: _Content


def index(root: Path, dataset: str, settings: DatasetSettings) -> tuple[list[Item], list[Reject]]:
    """The films of all sets. Raises `UserError`."""
    raw = RawFolder(root, dataset, _WAY_OUT)
    read = {path: _parsed(path) for path in raw.lists("*.xml")}
    names = {path: raw.lines(path) for path in raw.files if path.match("ImageSets/Main/*.txt")}
    sets = [path for path, lines in names.items() if not _says_presence(lines)]
    films = [_of_set(raw, path, *line, read) for path in sets for line in names[path]]
    films = films if sets else [_of_xml(raw, "", path, read) for path in read]
    used = {film.place for film in films}
    lists = [*names, *(path for path in read if raw.below(path) in used)]
    return index_listed(raw, ((film.place, film) for film in films), _film, _lesions, lists, settings)


def _says_presence(lines: list[tuple[str, str]]) -> bool:
    return bool(lines) and all(_PRESENCE.match(line) for _, line in lines)


def _of_set(raw: RawFolder, path: Path, place: str, name: str, read: dict[Path, _Content]) -> _Film:
    """A film that a set names."""
    top = path.parents[2]
    try:
        xml = raw.find(f"{name}.xml", (raw.below(top / "Annotations"),))
        return replace(_of_xml(raw, path.stem, xml, read), name=name)
    except (Unusable, FileNotFoundError, KeyError):
        fault = Unusable("no XML of its name in Annotations")
        return _Film(place, path.stem, name, (raw.below(top / "JPEGImages"),), fault)


def _of_xml(raw: RawFolder, delivery: str, xml: Path, read: dict[Path, _Content]) -> _Film:
    """A film that has an XML."""
    beside = PurePosixPath(raw.below(xml)).parent
    folders = ((beside.parent / "JPEGImages").as_posix(), beside.as_posix())
    return _Film(raw.below(xml), delivery, xml.stem, folders, read[xml])


def _parsed(path: Path) -> _Content:
    """The root of an XML file, or what is wrong with it."""
    try:
        return _root(path)
    except Unusable as fault:
        return fault


def _root(path: Path) -> ElementTree.Element:
    """The root of an XML file. Raises `Unusable`, also for entities and endless nesting, which no honest file has."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise Unusable(f"the XML is larger than {MAX_BYTES} bytes")
        data = path.read_bytes()
        _check_structure(data)
        return ElementTree.fromstring(data)
    except OSError as error:
        raise Unusable(f"its XML cannot be read: {error.strerror or type(error).__name__}") from error
    except expat.ExpatError as error:
        raise Unusable(f"the XML is broken in line {error.lineno}") from error
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise Unusable("the XML is broken") from error


def _check_structure(data: bytes) -> None:
    """Read through an XML text without keeping anything of it. Raises `Unusable`, `ExpatError`."""
    depth = 0

    def begin(*_: object) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise Unusable(f"the XML is nested deeper than {MAX_DEPTH}")

    def end(*_: object) -> None:
        nonlocal depth
        depth -= 1

    def refuse(*_: object) -> None:
        raise Unusable("the XML declares entities")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.EntityDeclHandler = begin, end, refuse
    parser.Parse(data, True)


def _film(film: _Film) -> ListedFilm:
    size = None
    if not isinstance(film.content, Unusable):
        size = pixel_size(film.content.findtext("size/width"), film.content.findtext("size/height"))
    return ListedFilm(file=film.name, folders=film.folders, size=size, delivery=film.delivery)


def _lesions(film: _Film) -> list[ListedLesion]:
    """All objects, also those marked difficult or truncated: on a film they are lesions like others."""
    if isinstance(film.content, Unusable):
        raise film.content
    if film.content.tag != "annotation":
        raise Unusable("the XML is no annotation of Pascal VOC")
    return [_lesion(position, found) for position, found in enumerate(film.content.findall("object"), 1)]


def _lesion(position: int, found: ElementTree.Element) -> ListedLesion:
    name = (found.findtext("name") or "").strip()
    try:
        if not name:
            raise Unusable("no name")
        x1, y1, x2, y2 = (number(found.findtext(f"bndbox/{key}")) for key in ("xmin", "ymin", "xmax", "ymax"))
        return ListedLesion(name, corners(x1 - 1, y1 - 1, x2, y2))
    except Unusable as fault:
        raise Unusable(f"object {position}: {fault}") from fault


def annotate(item: Item, data: Path, size: tuple[int, int], settings: DatasetSettings) -> list[Lesion]:
    """The listed boxes of a film, cut to it. Raises `Unusable` where one lies outside of it."""
    return listed_lesions(item, size, "pascal")
