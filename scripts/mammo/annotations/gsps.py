"""Lesions drawn into presentation states (PS3.3 C.10.5), the layers that a workstation lays over a film."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from mammo.annotations.elements import film_uid, refers_to
from mammo.annotations.finding import Evidence, Finding
from mammo.annotations.frames import Box
from mammo.annotations.graphics import Points, as_points, on_film, region_box
from mammo.annotations.overlay import lesions_of, planes_of
from mammo.dicom.elements import items, numbers, text, whole
from mammo.dicom.read import read_header, tolerant
from mammo.dicom.unusable import Unusable
from mammo.settings import AnnotationSettings

GRAPHIC_TYPES = ("POINT", "POLYLINE", "INTERPOLATED", "CIRCLE", "ELLIPSE")
# Of the compound graphics (PS3.3 C.10.5.1.3) those that enclose something; and those of which the simple graphics that
# stand for them are to be looked at. The simple graphics of all others (RULER, ARROW, CROSSHAIR, …) are no lesions.
COMPOUND_REGIONS, COMPOUND_LINES = ("RECTANGLE", "ELLIPSE"), ("MULTILINE", "")
ROTATIONS = (0, 90, 180, 270)


@dataclass(frozen=True)
class Area:
    """The displayed area on a film: its outer edges in the film's pixels, how it was turned (degrees clockwise) and
    then flipped from left to right."""

    x1: float
    y1: float
    x2: float
    y2: float
    rotation: int
    flip: bool

    def to_film(self, points: Points) -> Points:
        """Fractions of the displayed area (0, 0 its top left corner on the screen) → the film's pixels (C.10.4-6)."""
        u, v = points.T
        if self.flip:
            u = 1 - u
        across, down = {0: (u, v), 90: (v, 1 - u), 180: (1 - u, 1 - v), 270: (1 - v, u)}[self.rotation]
        return np.stack(
            [self.x1 + across * (self.x2 - self.x1), self.y1 + down * (self.y2 - self.y1)], axis=1
        )


def find(evidence: Evidence, settings: AnnotationSettings) -> list[Finding]:
    """Closed graphics, and lesions in overlay planes, of the presentation states that refer to the film's frame.

    Graphics of at least `settings.marks.min_side` film pixels in both directions; an arrow's head is smaller. Single
    points, open lines and text with its boxes are no lesions. Raises `Unusable` where a state is broken.
    """
    uid = film_uid(evidence.film) if evidence.of("gsps") else ""
    boxes = [box for path in evidence.of("gsps") for box in _boxes(path, uid, evidence, settings)]
    return on_film([Finding(box, "gsps") for box in boxes], evidence.size)


def _boxes(path: Path, uid: str, evidence: Evidence, settings: AnnotationSettings) -> list[Box]:
    state = read_header(path)
    with tolerant():
        if not _applies(state, uid, evidence.frame):
            return []
        area = _displayed_area(state, uid, evidence)
        boxes = []
        for annotation in items(state, "GraphicAnnotationSequence"):
            if _is_of_film(annotation, uid, evidence.frame):
                boxes += _of_annotation(annotation, area)
        side = settings.marks.min_side
        boxes = [box for box in boxes if box[2] - box[0] >= side and box[3] - box[1] >= side]
        # A state may carry planes of its own; they lie on the film as the film's own do.
        for plane in planes_of(state, evidence.frame):
            boxes += lesions_of(plane, evidence.size, settings)
    return boxes


def _applies(state: Dataset, uid: str, frame: int) -> bool:
    """Whether the state is about this film at all."""
    images = [
        image
        for series in items(state, "ReferencedSeriesSequence")
        for image in items(series, "ReferencedImageSequence")
    ]
    return any(refers_to(image, uid, frame) for image in images) or any(
        refers_to(image, uid, frame)
        for annotation in items(state, "GraphicAnnotationSequence")
        for image in items(annotation, "ReferencedImageSequence")
    )


def _is_of_film(item: Dataset, uid: str, frame: int) -> bool:
    """Items that name no images are meant for all images of the state."""
    images = items(item, "ReferencedImageSequence")
    return not images or any(refers_to(image, uid, frame) for image in images)


def _displayed_area(state: Dataset, uid: str, evidence: Evidence) -> Area:
    """The area shown of this film; the whole film where the state does not say.

    Corners are pixels, counted from 1\\1 in the film as stored; "top left" is meant after turning and flipping, so the
    numbers of the two may stand in any order.
    """
    width, height = evidence.size
    rotation, flip = (
        (whole(state, "ImageRotation") or 0) % 360,
        text(state, "ImageHorizontalFlip").upper() == "Y",
    )
    if rotation not in ROTATIONS:
        raise Unusable("a presentation state turns the film by no right angle")
    for selection in items(state, "DisplayedAreaSelectionSequence"):
        if not _is_of_film(selection, uid, evidence.frame):
            continue
        first = numbers(selection, "DisplayedAreaTopLeftHandCorner")
        last = numbers(selection, "DisplayedAreaBottomRightHandCorner")
        if len(first) == len(last) == 2:
            (x1, x2), (y1, y2) = (sorted(pair) for pair in zip(first, last, strict=True))
            return Area(x1 - 1, y1 - 1, x2, y2, rotation, flip)
    return Area(0, 0, width, height, rotation, flip)


def _of_annotation(annotation: Dataset, area: Area) -> list[Box]:
    """Boxes of the regions among the graphics of one annotation, simple and compound."""
    compounds = {}
    boxes: list[Box | None] = []
    for compound in items(annotation, "CompoundGraphicSequence"):
        kind = text(compound, "CompoundGraphicType").upper()
        box = _compound_box(compound, kind, area) if kind in COMPOUND_REGIONS else None
        boxes.append(box)
        # A simple graphic stands for the same thing: not twice, and not for a ruler. It does for a broken compound.
        compounds[whole(compound, "CompoundGraphicInstanceID")] = (
            kind not in COMPOUND_LINES if kind not in COMPOUND_REGIONS else box is not None
        )
    for graphic in items(annotation, "GraphicObjectSequence"):
        if not compounds.get(whole(graphic, "CompoundGraphicInstanceID"), False):
            boxes.append(_simple_box(graphic, area))
    return [box for box in boxes if box is not None]


def _simple_box(graphic: Dataset, area: Area) -> Box | None:
    kind = text(graphic, "GraphicType").upper()
    if kind not in GRAPHIC_TYPES:
        raise Unusable("a presentation state has a graphic of no known type")
    points = _points(graphic, text(graphic, "GraphicAnnotationUnits"), area)
    return region_box(kind, points, text(graphic, "GraphicFilled").upper() == "Y")


def _compound_box(compound: Dataset, kind: str, area: Area) -> Box | None:
    """Two points are the corners of the upright shape; it is turned counterclockwise around a point of its own."""
    units = text(compound, "CompoundGraphicUnits")
    corners = numbers(compound, "GraphicData")
    if len(corners) != 4:
        return None
    x1, y1, x2, y2 = corners
    if kind == "ELLIPSE":
        x, y = (x1 + x2) / 2, (y1 + y2) / 2
        drawn, shape = [x1, y, x2, y, x, y1, x, y2], "ELLIPSE"
    else:
        drawn, shape = [x1, y1, x2, y1, x2, y2, x1, y2, x1, y1], "POLYLINE"
    points = _in_film(as_points(drawn), units, area)
    angle, pivot = numbers(compound, "RotationAngle"), numbers(compound, "RotationPoint")
    if angle and angle[0]:
        around = (
            _in_film(as_points(pivot), units, area) if len(pivot) == 2 else points.mean(axis=0, keepdims=True)
        )
        # A flip turns the other way round; what is counterclockwise on the screen is meant.
        points = _turned(points, around, -angle[0] if units == "DISPLAY" and area.flip else angle[0])
    return region_box(shape, points)


def _turned(points: Points, around: Points, degrees: float) -> Points:
    """Counterclockwise as seen, with y pointing down."""
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    x, y = (points - around).T
    return np.stack([cosine * x + sine * y, -sine * x + cosine * y], axis=1) + around


def _points(graphic: Dataset, units: str, area: Area) -> Points:
    values = numbers(graphic, "GraphicData")
    points = as_points(values)
    if not len(points):
        raise Unusable("a presentation state has a graphic without points that can be read")
    return _in_film(points, units, area)


def _in_film(points: Points, units: str, area: Area) -> Points:
    """PIXEL counts from 0\\0 at the corner of the film's first pixel, whatever is displayed; DISPLAY is the area's."""
    if units.upper() == "DISPLAY":
        return area.to_film(points)
    if units.upper() not in ("PIXEL", ""):
        raise Unusable("a presentation state has graphics in units of no known kind")
    return points
