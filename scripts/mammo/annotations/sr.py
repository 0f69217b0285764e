"""Lesions in structured reports: regions of measurement reports (TID 1500) and marks of mammography CAD (TID 4000)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from mammo.annotations.codes import NO_LESIONS, TYPE_OF_CODE, code_in
from mammo.annotations.elements import MAX_DEPTH, film_uid, refers_to
from mammo.annotations.finding import Evidence, Finding
from mammo.annotations.graphics import as_points, on_film, region_box
from mammo.annotations.references import references
from mammo.dicom.elements import items, numbers, text
from mammo.dicom.read import read_header, tolerant
from mammo.dicom.unusable import Unusable
from mammo.settings import AnnotationSettings

# Concepts of PS3.16, all DCM.
RENDERING_INTENT, NOT_RENDERED = "111056", "111152"
SINGLE_IMAGE_FINDING, COMPOSITE_FEATURE, FINDING = "111059", "111015", "121071"
IMAGE_LIBRARY = "111028"
# What coordinates may be called to be a lesion's region: Outline (TID 4021), Image Region (TID 1410), the outlines from
# which areas and perimeters were measured. Coordinates without a name count when they close. Center, Path, the
# outlines of breast and muscle do not.
REGIONS = ("111041", "111030", "121056", "121201", "121057", "121213")
GRAPHIC_TYPES = ("POINT", "MULTIPOINT", "POLYLINE", "CIRCLE", "ELLIPSE")

Place = tuple[int, ...]


@dataclass(frozen=True)
class Node:
    """A content item, its place in the tree (ordinals from 1, the root's first), and what holds for all below it:
    whether it is shown, whether it is about a lesion, and the lesion's type."""

    item: Dataset
    place: Place
    shown: bool
    lesion: bool
    label: str


def find(evidence: Evidence, settings: AnnotationSettings) -> list[Finding]:
    """The regions that the reports outline on the film's frame.

    Marks that are not to be presented are left out, and so are regions of anatomy and markers; a mark that is only a
    centre has no box. The grains of a calcification cluster belong to it. Raises `Unusable` where a report is broken.
    """
    paths = evidence.of("sr")
    uid = film_uid(evidence.film) if paths else ""
    found = [one for path in paths for one in _findings(path, uid, evidence.frame)]
    return on_film(found, evidence.size)


def _findings(path: Path, uid: str, frame: int) -> list[Finding]:
    report = read_header(path)
    with tolerant():
        referred = references(report)
        if not uid or uid not in referred:
            return []
        nodes = list(_nodes(report))
        images = {node.place: node.item for node in nodes if text(node.item, "ValueType") == "IMAGE"}
        found = []
        for node in nodes:
            if text(node.item, "ValueType") != "SCOORD" or not (node.shown and node.lesion):
                continue
            if _is_on(node.item, images, uid, frame, alone=referred == {uid}):
                found += _regions(node)
    return _without_grains(found)


def _nodes(report: Dataset) -> Iterator[Node]:
    """All content items in reading order, without recursion."""
    open_ = [Node(report, (1,), True, True, "")]
    while open_:
        node = open_.pop()
        if len(node.place) > MAX_DEPTH:
            raise Unusable(f"a report nests deeper than {MAX_DEPTH} levels")
        children = items(node.item, "ContentSequence")
        node = _with_modifiers(node, children)
        yield node
        below = [
            Node(child, (*node.place, number), node.shown, node.lesion, node.label)
            for number, child in enumerate(children, 1)
        ]
        open_ += reversed(below)


def _with_modifiers(node: Node, children: list[Dataset]) -> Node:
    """The node with what itself and its modifiers say: the finding's code, the rendering intent."""
    concept = code_in(node.item, "ConceptNameCodeSequence")
    codes = (
        [code_in(node.item, "ConceptCodeSequence")]
        if concept in (SINGLE_IMAGE_FINDING, COMPOSITE_FEATURE)
        else []
    )
    shown, lesion, label = node.shown, node.lesion and concept != IMAGE_LIBRARY, node.label
    for child in children:
        name = code_in(child, "ConceptNameCodeSequence")
        if name == RENDERING_INTENT:
            shown = shown and code_in(child, "ConceptCodeSequence") != NOT_RENDERED
        elif name == FINDING:
            codes.append(code_in(child, "ConceptCodeSequence"))
    for code in filter(None, codes):
        lesion, label = lesion and code not in NO_LESIONS, TYPE_OF_CODE.get(code, "")
    return Node(node.item, node.place, shown, lesion, label)


def _is_on(coordinates: Dataset, images: dict[Place, Dataset], uid: str, frame: int, alone: bool) -> bool:
    """Whether coordinates were selected from a film's frame: from an image below them, or one elsewhere in the tree.

    Coordinates that name no image lie on the only one that the report refers to.
    """
    selected = []
    for child in items(coordinates, "ContentSequence"):
        if text(child, "ValueType") == "IMAGE":
            selected.append(child)
        elif place := tuple(map(int, numbers(child, "ReferencedContentItemIdentifier"))):
            selected += [images[place]] if place in images else []
    named = [image for one in selected for image in items(one, "ReferencedSOPSequence")]
    return any(refers_to(image, uid, frame) for image in named) if named else alone


def _regions(node: Node) -> list[Finding]:
    concept = code_in(node.item, "ConceptNameCodeSequence")
    named = concept in REGIONS
    # A name of nobody's scheme says nothing.
    if concept and not named:
        return []
    kind = text(node.item, "GraphicType").upper()
    points = as_points(numbers(node.item, "GraphicData"))
    if kind not in GRAPHIC_TYPES or not len(points):
        raise Unusable("a report has coordinates that cannot be read")
    # PS3.3 C.18.6: 0\0 is the corner of the first pixel. What is called a region is one even if its line stays open.
    box = region_box(kind, points, filled=named) if named or kind != "MULTIPOINT" else None
    return [] if box is None else [Finding(box, "sr", node.label)]


def _without_grains(findings: list[Finding]) -> list[Finding]:
    """The findings but for single calcifications whose centres lie in a cluster of the same report."""
    clusters = [one.box for one in findings if one.label == "cluster"]

    def is_grain(one: Finding) -> bool:
        x, y = (one.box[0] + one.box[2]) / 2, (one.box[1] + one.box[3]) / 2
        return one.label == "calcification" and any(a < x < c and b < y < d for a, b, c, d in clusters)

    return [one for one in findings if not is_grain(one)]
