"""XML of deliveries, read through once before anything is built from it."""

from __future__ import annotations

from xml.parsers import expat

from mammo.dicom.unusable import Unusable

MAX_DEPTH = 50
# Attributes, comments and instructions of honest files have some hundred letters. expat, fed piece by piece (as
# plistlib does), begins a piece of markup again with every piece it gets: a megabyte of it takes minutes.
MAX_MARKUP = 100_000


def check_xml(data: bytes) -> None:
    """Refuse entities, endless nesting and endless markup. Raises `Unusable`, `expat.ExpatError`."""
    depth = 0

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise Unusable(f"the XML is nested deeper than {MAX_DEPTH}")
        measure(name, *attributes, *attributes.values())

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1

    def measure(*texts: str | None) -> None:
        if sum(len(text or "") for text in texts) > MAX_MARKUP:
            raise Unusable(f"the XML has markup of more than {MAX_MARKUP} letters")

    def refuse(*_: object) -> None:
        raise Unusable("the XML declares entities")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = begin, end
    parser.CommentHandler = parser.ProcessingInstructionHandler = measure
    parser.EntityDeclHandler = refuse
    parser.Parse(data, True)
