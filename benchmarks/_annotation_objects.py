"""Annotations as objects on phantoms: overlay planes, presentation states, segmentations, reports, masks, plist XML.

Each film is one point of its form's grid, every axis a shuffled round of its values; a quarter of the films have no
lesion but what else such objects hold: text, rulers, crosshairs, regions of anatomy and of other films.
"""

from __future__ import annotations

import plistlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from _annotation_scores import Box, Job, Score, score

from mammo.annotations import gsps, mask, overlay, plist, seg, sr
from mammo.annotations.finding import Evidence
from mammo.dicom.unusable import Unusable
from mammo.phantom import annotation_objects as objects
from mammo.phantom.dicomfile import MAMMO_FOR_PRESENTATION, elements, encode, set_pixels
from mammo.phantom.marks import ARRANGEMENTS, CLEAN, MarkPen, distract
from mammo.phantom.marks import mark as draw_marks
from mammo.settings import AnnotationSettings

FORMS = {"overlay": overlay, "gsps": gsps, "seg": seg, "sr": sr, "mask": mask, "plist": plist}
COUNTS = {"overlay": 240, "gsps": 320, "seg": 160, "sr": 200, "mask": 120, "plist": 80}
SHAPE = (1400, 1100)
# A plate behind letters is what captures of a screen have; a plane has nothing to draw it with.
DRAWN_CLEAN = tuple(what for what in CLEAN if what != "stamp")
GRAPHICS = ("POLYLINE", "left open", "INTERPOLATED", "CIRCLE", "ELLIPSE")
AREAS = ("whole film", "part of it")

AXES: dict[str, dict[str, tuple]] = {
    "overlay": {
        "what": (*ARRANGEMENTS, *(f"clean: {what}" for what in DRAWN_CLEAN)),
        "line": tuple(range(1, 9)),
        "where": ("data", "bits of pixels", "2 bytes short", "negative origin", "frame of several", "big endian"),
    },
    "gsps": {
        "what": (*GRAPHICS, "clean: rulers and text", *GRAPHICS, "clean: another film's"),
        "units": ("PIXEL", "DISPLAY"),
        "shown": ((0, False), (90, False), (180, False), (270, False), (0, True), (90, True), (180, True), (270, True)),
        "area": AREAS,
    },
    "seg": {
        "what": ("parts", "segments", "crumbs beside", "clean: anatomy", "parts", "clean: another film's"),
        "kind": ("binary", "fractional"),
        "matrix": ("same matrix", "half the matrix", "another matrix"),
    },
    "sr": {
        "what": (
            "POLYLINE", "CIRCLE", "ELLIPSE", "clean: not presented, anatomy", "MULTIPOINT", "clean: another film's",
        ),
        "writer": ("TID 1500", "CAD TID 4000"),
    },
    "mask": {
        "what": ("parts", "one file a lesion", "crumbs beside", "clean: empty"),
        "kind": ("DICOM", "PNG"),
        "matrix": ("same matrix", "half the matrix", "another matrix"),
    },
    "plist": {"what": ("polygons", "polygons", "polygons", "clean: points")},
}  # fmt: skip


@dataclass(frozen=True)
class Point:
    """One point of a form's grid: its axes' values by name."""

    form: str
    number: int
    seed: int
    axes: tuple[tuple[str, object], ...]

    def __getitem__(self, axis: str) -> object:
        """The value of an axis."""
        return dict(self.axes)[axis]

    @property
    def rng(self) -> np.random.Generator:
        """The point's own randomness."""
        return np.random.default_rng([self.seed, self.number, sorted(FORMS).index(self.form)])

    @property
    def clean(self) -> bool:
        """Whether the film has no lesion."""
        return str(self["what"]).startswith("clean")

    def conditions(self) -> tuple[str, ...]:
        """The words of the table."""
        words = {name: str(value) for name, value in self.axes}
        if "line" in words:
            low = (int(words["line"]) - 1) // 2 * 2 + 1
            words["line"] = f"line {low}-{low + 1} px"
        if "shown" in words:
            rotation, flip = self["shown"]
            words["shown"] = f"turned {rotation}{', flipped' if flip else ''}"
        return tuple(words.values())


def jobs(seed: int) -> list[Job]:
    """All cases of the forms that are objects."""
    made = []
    for form, axes in AXES.items():
        rng = np.random.default_rng([seed, sorted(FORMS).index(form)])
        drawn = {}
        for name, values in axes.items():
            rounds = [rng.permutation(len(values)) for _ in range(-(-COUNTS[form] // len(values)))]
            drawn[name] = [values[int(place)] for place in np.concatenate(rounds)]
        for number in range(COUNTS[form]):
            chosen = tuple((name, some[number]) for name, some in drawn.items())
            made.append(partial(run, Point(form, number, seed, chosen)))
    return made


def run(point: Point) -> list[Score]:
    """Write a point's film and objects, recognise, hold the findings against the truth."""
    height, width = SHAPE
    name = objects.film_name(width, height, "bench")
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "film.dcm"
        # Only overlays look at the film's pixels; the others at its name.
        film.write_bytes(_film(np.zeros((2, 2), np.uint16)))
        files, truth, frame = WRITERS[point.form](point, name, film)
        paths = []
        for number, (suffix, data) in enumerate(files):
            paths.append(Path(folder) / f"object{number}{suffix}")
            paths[-1].write_bytes(data)
        evidence = Evidence(film, (width, height), frame, {point.form: paths})
        try:
            found = FORMS[point.form].find(evidence, AnnotationSettings())
        except Unusable as error:
            return [score(point.form, point.conditions(), truth, [], str(error))]
    return [score(point.form, point.conditions(), truth, [one.box for one in found])]


Written = tuple[list[tuple[str, bytes]], list[Box], int]


def _film(stored: np.ndarray) -> bytes:
    dataset = elements(Modality="MG")
    set_pixels(dataset, stored, 12, "MONOCHROME2")
    return encode(dataset, MAMMO_FOR_PRESENTATION, "bench")


def outlines(rng: np.random.Generator, count: int, least: float = 12) -> list[np.ndarray]:
    """Lobed outlines that do not touch, each in a cell of its own; all inside the film."""
    height, width = SHAPE
    cells = rng.permutation(6)[:count]
    made = []
    for cell in cells.tolist():
        radius = rng.uniform(least, 0.13 * width)
        centre = np.array([(cell % 2 + 0.5) * width / 2, (cell // 2 + 0.5) * height / 3])
        around = np.linspace(0, 2 * np.pi, 240, endpoint=False)
        lobes = sum(
            rng.normal(0, 0.25 / order) * np.cos(order * around + rng.uniform(0, 6)) for order in range(2, 6)
        )
        radii = radius * np.clip(1 + lobes, 0.5, 1.5)
        made.append(centre + np.stack([radii * np.cos(around), radii * np.sin(around)], axis=1))
    return made


# --- overlay ----------------------------------------------------------------------------------------------------------


def _overlay(point: Point, name: objects.FilmName, film: Path) -> Written:
    black = np.zeros(SHAPE, np.uint8)
    pen, what = MarkPen("white", int(point["line"]), smooth=False), str(point["what"])
    if point.clean:
        marked = distract(black, what.removeprefix("clean: "), pen, point.rng)
    else:
        marked = draw_marks(black, what, pen, point.rng)
    raster = (marked.picture[:, :, 0] > 127).astype(np.uint8)
    dataset = elements(Modality="MG")
    set_pixels(dataset, np.full(SHAPE, 100, np.uint16), 12, "MONOCHROME2")
    frame, where = 0, point["where"]
    if where == "bits of pixels":
        objects.add_plane_in_pixels(dataset, 0x6000, raster, 12 + point.number % 4)
    # What the film's edge cuts ends with the plane, too.
    elif where == "negative origin" and what != "edge":
        objects.add_plane(dataset, 0x6000, np.pad(raster, ((30, 0), (50, 0))), (-50, -30))
    elif where == "frame of several":
        dataset.NumberOfFrames, dataset.PixelData = 3, dataset.PixelData * 3
        objects.add_plane(dataset, 0x6000, np.stack([raster[::-1], raster]), first_frame=2)
        frame = 2
    else:
        missing = 2 if where == "2 bytes short" else 0
        objects.add_plane(dataset, 0x6000, raster, missing=missing, swapped=where == "big endian")
    write = objects.encode_big_endian if where == "big endian" else encode
    film.write_bytes(write(dataset, MAMMO_FOR_PRESENTATION, "bench"))
    return [], list(marked.boxes), frame


# --- graphics ---------------------------------------------------------------------------------------------------------


def _graphic(kind: str, outline: np.ndarray, rng: np.random.Generator) -> tuple[objects.Graphic, Box]:
    """A graphic of a kind in place of an outline, and its truth."""
    x1, y1, x2, y2 = objects.box_of(outline)
    centre, turn = ((x1 + x2) / 2, (y1 + y2) / 2), rng.uniform(0, 180)
    long, short = (x2 - x1) / 2, (y2 - y1) / 2 * rng.uniform(0.5, 1)
    if kind == "CIRCLE":
        box = (centre[0] - long, centre[1] - long, centre[0] + long, centre[1] + long)
        return objects.circle(centre, long, turn), box
    if kind == "ELLIPSE":
        dense = objects.ellipse_outline(centre, long, short, turn)
        return objects.ellipse(centre, long, short, turn), objects.box_of(dense)
    if kind == "INTERPOLATED":
        return objects.closed_curve(outline, int(rng.integers(6, 20))), objects.box_of(outline)
    if kind == "left open":
        return objects.Graphic("POLYLINE", outline[: -int(rng.integers(1, 12))]), objects.box_of(outline)
    if kind == "MULTIPOINT":
        return objects.Graphic("MULTIPOINT", outline[::5]), objects.box_of(outline[::5])
    return objects.closed_line(outline), objects.box_of(outline)


def _rulers(rng: np.random.Generator) -> list[objects.Graphic]:
    ends = rng.uniform(0, 1000, (4, 2))
    return [
        objects.Graphic("POLYLINE", ends[:2]),
        objects.Graphic("POLYLINE", ends[:3]),
        objects.Graphic("POLYLINE", np.vstack([ends[:2], ends[:1]])),
        objects.Graphic("POINT", ends[3:]),
    ]


def _gsps(point: Point, name: objects.FilmName, film: Path) -> Written:
    rng, kind = point.rng, str(point["what"])
    rotation, flip = point["shown"]
    area = tuple(rng.integers(0, 300, 2).tolist()) + (1100 - int(rng.integers(0, 200)), 1390)
    shown = objects.Shown(area if point["area"] == "part of it" else None, rotation, flip)
    other = objects.film_name(name.width, name.height, "another")
    drawn = [_graphic(kind, outline, rng) for outline in outlines(rng, 1 + point.number % 4)]
    graphics = [graphic for graphic, _ in drawn]
    if kind == "clean: another film's":
        listed = [(other, graphics)]
    else:
        mine = [] if point.clean else graphics
        listed = [(name, mine + (_rulers(rng) if point.clean or point.number % 2 else []))]
    state = objects.presentation_state(
        [name, other], listed, "state", units=str(point["units"]), shown=shown, texts=[(10, 10, 300, 90)]
    )
    return [(".dcm", state)], [] if point.clean else [box for _, box in drawn], 0


def _sr(point: Point, name: objects.FilmName, film: Path) -> Written:
    rng, kind = point.rng, str(point["what"])
    other = objects.film_name(name.width, name.height, "another")
    drawn = [_graphic(kind, outline, rng) for outline in outlines(rng, 1 + point.number % 4)]
    kinds = ("mass", "cluster", "distortion", "asymmetry", "")
    is_cad = point["writer"] == "CAD TID 4000"
    regions = []
    for number, (graphic, _) in enumerate(drawn):
        if kind == "clean: another film's":
            regions.append(objects.Region(other, graphic))
        elif point.clean:
            regions.append(objects.Region(name, graphic, "mass" if is_cad else "nipple", rendered=not is_cad))
        else:
            regions.append(objects.Region(name, graphic, kinds[number % len(kinds)]))
    regions.append(objects.Region(name, drawn[0][0], "nipple"))
    write = objects.cad_report if is_cad else objects.measurement_report
    return [(".dcm", write(regions, "report"))], [] if point.clean else [box for _, box in drawn], 0


def _plist(point: Point, name: objects.FilmName, film: Path) -> Written:
    drawn = outlines(point.rng, 1 + point.number % 4)
    rois = []
    for number, outline in enumerate(drawn):
        points = outline[:1] if point.clean else outline[::4]
        texts = [f"({x:.6f}, {y:.6f})" for x, y in points]
        rois.append(
            {"Name": ("Mass", "Espiculated Region")[number % 2], "Type": 19 if point.clean else 15, "Point_px": texts}
        )  # fmt: skip
    truth = [] if point.clean else [objects.pixel_box_of(outline[::4]) for outline in drawn]
    return [(".xml", plistlib.dumps({"Images": [{"ROIs": rois}]}))], truth, 0


# --- rasters ----------------------------------------------------------------------------------------------------------


def _raster(point: Point, drawn: list[np.ndarray]) -> np.ndarray:
    """Filled outlines as a raster in the point's matrix."""
    height, width = SHAPE
    shape = {
        "same matrix": SHAPE,
        "half the matrix": (height // 2, width // 2),
        "another matrix": (1203, 931),
    }[str(point["matrix"])]
    scaled = [outline * (shape[1] / width, shape[0] / height) for outline in drawn]
    raster = objects.drawn_raster(shape, scaled, filled=True)
    if point["what"] == "crumbs beside":
        for x, y in point.rng.integers(0, 40, (5, 2)).tolist():
            cv2.circle(raster, (x, y), 1, 1, -1)
    return raster


def _seg(point: Point, name: objects.FilmName, film: Path) -> Written:
    drawn = outlines(point.rng, 1 + point.number % 4)
    groups = [[outline] for outline in drawn] if point["what"] == "segments" else [drawn]
    anatomy = "nipple" if point["what"] == "clean: anatomy" else "mass"
    target = name
    if point["what"] == "clean: another film's":
        target = objects.film_name(name.width, name.height, "another")
    segments = [objects.SegmentTruth(((target, _raster(point, group)),), anatomy) for group in groups]
    data = objects.segmentation(segments, "seg", fractional=point["kind"] == "fractional")
    truth = [] if point.clean else [objects.pixel_box_of(outline) for outline in drawn]
    return [(".dcm", data)], truth, 0


def _mask(point: Point, name: objects.FilmName, film: Path) -> Written:
    drawn = [] if point.clean else outlines(point.rng, 1 + point.number % 4)
    groups = [[outline] for outline in drawn] if point["what"] == "one file a lesion" else [drawn]
    rasters = [_raster(point, group) for group in groups]
    if point["kind"] == "PNG":
        files = [(".png", objects.mask_png(raster)) for raster in rasters]
    else:
        files = [(".dcm", objects.mask_file(raster, name, "mask", n)) for n, raster in enumerate(rasters)]
    return files, [objects.pixel_box_of(outline) for outline in drawn], 0


WRITERS: dict[str, Callable[[Point, objects.FilmName, Path], Written]] = {
    "overlay": _overlay, "gsps": _gsps, "seg": _seg, "sr": _sr, "mask": _mask, "plist": _plist,
}  # fmt: skip
