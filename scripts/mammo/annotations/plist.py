"""Regions that INbreast's readers drew, in an Apple property list of the OsiriX workstation."""

from __future__ import annotations

import math
import plistlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from mammo.annotations.finding import Evidence, Finding
from mammo.annotations.frames import Box
from mammo.annotations.graphics import on_film
from mammo.annotations.xmltext import check_xml
from mammo.dicom.unusable import Unusable
from mammo.settings import AnnotationSettings

MAX_BYTES = 64_000_000
POINT = 19
_POINT = re.compile(r"^\s*\(\s*([-+0-9.eE]+)\s*,\s*([-+0-9.eE]+)\s*\)\s*$")
# The readers' spellings, by what they begin with once in small letters.
_TYPES = (
    ("mass", "mass"),
    ("calcification", "calcification"),
    ("cluster", "cluster"),
    ("spiculated", "spiculated_region"),
    ("espiculated", "spiculated_region"),
    ("distortion", "distortion"),
    ("architectural", "distortion"),
    ("asymmetry", "asymmetry"),
    ("assymetry", "asymmetry"),
    ("assymmetry", "asymmetry"),
    ("asimmetry", "asymmetry"),
    ("asymetry", "asymmetry"),
)


@dataclass(frozen=True)
class Region:
    """One region: its number in the file, lesion type, polygon as (x, y) in the film's pixels, 0-based."""

    number: int
    lesion_type: str
    points: tuple[tuple[float, float], ...]
    is_point: bool

    @property
    def box(self) -> Box | None:
        """Half-open box of all pixels that the polygon touches; none of a point or of a line."""
        if self.is_point or len(self.points) < 3:
            return None
        xs, ys = zip(*self.points, strict=True)
        x1, y1 = math.floor(min(xs)), math.floor(min(ys))
        x2, y2 = math.floor(max(xs)) + 1, math.floor(max(ys)) + 1
        return (x1, y1, x2, y2) if x2 - x1 > 1 and y2 - y1 > 1 else None


def find(evidence: Evidence, settings: AnnotationSettings) -> list[Finding]:
    """The regions with an extent of the film's XML; points and lines have none. Raises `Unusable`."""
    regions = [region for path in evidence.of("plist") for region in read_regions(path)]
    named = [(region.box, "" if region.lesion_type == "other" else region.lesion_type) for region in regions]
    return on_film([Finding(box, "plist", label) for box, label in named if box is not None], evidence.size)


def lesion_type(name: str) -> str:
    """The lesion type of a region's name, whatever its spelling; `other` of names that say nothing."""
    word = name.strip().lower()
    return next((kind for start, kind in _TYPES if word.startswith(start)), "other")


def read_regions(path: Path | str) -> list[Region]:
    """The regions of a file, in its order. Raises `Unusable`, also for entities, which no honest file declares."""
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise Unusable(f"the XML is larger than {MAX_BYTES} bytes")
        data = path.read_bytes()
        if b"<!ENTITY" in data.replace(b"\0", b""):
            raise Unusable("the XML declares entities")
        check_xml(data)
        content = plistlib.loads(data, fmt=plistlib.FMT_XML)
        images = [list(image["ROIs"]) for image in content["Images"]]
        # The export knows series; INbreast's have one image. Regions of a second could be of another film.
        if any(images[1:]):
            raise Unusable(
                f"the XML has regions of {len(images)} images: which of them is the film is unknown"
            )
        rois = images[0] if images else []
    except Unusable:
        raise
    except OSError as error:
        raise Unusable(f"the XML cannot be read: {error.strerror or type(error).__name__}") from error
    except ExpatError as error:
        raise Unusable(f"the XML is broken in line {error.lineno}") from error
    except Exception as error:
        raise Unusable(f"the XML is no list of regions ({type(error).__name__})") from error
    return [_region(number, roi) for number, roi in enumerate(rois)]


def _region(number: int, roi: Any) -> Region:
    try:
        points = tuple(_point(text) for text in roi["Point_px"])
        return Region(number, lesion_type(str(roi.get("Name", ""))), points, roi.get("Type") == POINT)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unusable(f"region {number} of the XML has no points that can be read") from error


def _point(text: str) -> tuple[float, float]:
    match = _POINT.match(text)
    if match is None:
        raise ValueError(text)
    x, y = float(match[1]), float(match[2])
    if not (math.isfinite(x) and math.isfinite(y)):
        raise ValueError(text)
    return x, y
