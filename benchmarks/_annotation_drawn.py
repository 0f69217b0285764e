"""Drawn annotations on phantoms: coloured outlines in a picture, burned-in colour, burned-in white marks.

The grid is every arrangement × colour × line width × JPEG quality × chroma sampling; each film is one point of it,
drawn by lot from the seed so that all values of each axis occur equally often.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import cv2
import numpy as np
from _annotation_scores import EXACT_COLOUR, Job, Score, score

from mammo.annotations import burned_in, outline, white_marks
from mammo.annotations.finding import Evidence
from mammo.dicom.unusable import Unusable
from mammo.phantom.film import FilmSpec, make_film
from mammo.phantom.marks import (
    ARRANGEMENTS,
    CLEAN,
    COLOURS,
    Box,
    Marked,
    MarkPen,
    after_jpeg,
    as_jpeg,
    clean_film,
    distract,
    mark,
    marked_capture,
)
from mammo.phantom.settings import DifficultySettings
from mammo.settings import AnnotationSettings, OutlineSettings

FORMS = {"outline": outline.find, "burned_in": burned_in.find, "white_marks": white_marks.find}
# (height, width): a film as exported for viewing, a smaller one, and one at the detector's full size.
USUAL, SMALL, FULL = (1400, 1100), (1000, 800), (4084, 3328)
INK = tuple(colour for colour in COLOURS if colour != "white")
CAPTURES = ("RGB", "YBR_FULL", "PALETTE COLOR", "JPEG")


@dataclass(frozen=True)
class Point:
    """One point of the grid. `arrangement` is one of `ARRANGEMENTS`, or "clean: " and one of `CLEAN`."""

    form: str
    number: int
    seed: int
    arrangement: str
    colour: str
    line: int
    quality: int
    chroma_halved: bool
    shape: tuple[int, int]
    twin: str = ""

    def conditions(self) -> tuple[str, ...]:
        """The words of the table."""
        low = (self.line - 1) // 2 * 2 + 1
        drawn = self.arrangement if self.arrangement.startswith("clean") else f"drawn: {self.arrangement}"
        words = [drawn, f"line {low}-{low + 1} px", f"quality {self.quality}", f"given: {self.twin}"]
        if self.form != "white_marks":
            words += [f"colour {self.colour}", "chroma 4:2:0" if self.chroma_halved else "chroma 4:4:4"]
        return (*words, f"film {self.shape[1]}x{self.shape[0]}")


def points(form: str, count: int, seed: int, shapes: tuple[tuple[int, int], ...]) -> list[Point]:
    """`count` points of a form's grid: each axis a shuffled round of its values, so that all come equally often."""
    rng = np.random.default_rng([seed, sorted(FORMS).index(form), *shapes[0]])
    twins = {
        "outline": ("picture", "picture of other size"),
        "burned_in": ("twin", "twin of other size", "film itself"),
        "white_marks": ("twin", "twin of other window", "twin of other size", "film through JPEG"),
    }
    axes = {
        "arrangement": (*ARRANGEMENTS, *ARRANGEMENTS, *(f"clean: {what}" for what in CLEAN)),
        "colour": ("white",) if form == "white_marks" else INK,
        "line": range(1, 9),
        "quality": (75, 80, 85, 90, 95, 100),
        "chroma_halved": (True, False),
        "shape": shapes,
        "twin": twins[form],
    }
    drawn = {}
    for name, values in axes.items():
        rounds = [rng.permutation(len(values)) for _ in range(-(-count // len(values)))]
        drawn[name] = [values[int(place)] for place in np.concatenate(rounds)[:count]]
    return [
        Point(form=form, number=number, seed=seed, **{name: some[number] for name, some in drawn.items()})
        for number in range(count)
    ]


def jobs(seed: int) -> list[Job]:
    """All cases of the drawn forms, and the exact-colour test on the first outlines."""
    made: list[Point] = []
    for form, count, full in (("outline", 720, 6), ("burned_in", 240, 2), ("white_marks", 240, 2)):
        made += points(form, count, seed, (USUAL, SMALL)) + points(form, full, seed, (FULL,))
    return [partial(run, point) for point in made] + [partial(reference, point) for point in made[:120]]


def run(point: Point) -> list[Score]:
    """Draw a point's film, recognise it, hold the findings against the truth."""
    with tempfile.TemporaryDirectory() as folder:
        evidence, truth = deliver(point, Path(folder))
        try:
            found = FORMS[point.form](evidence, settings(point))
        except Unusable as error:
            return [score(point.form, point.conditions(), truth, [], str(error))]
    return [score(point.form, point.conditions(), truth, [one.box for one in found])]


def settings(point: Point) -> AnnotationSettings:
    """The default settings, with the pen's colour among the colours: alone, or among all."""
    if point.form == "white_marks":
        return AnnotationSettings()
    return AnnotationSettings(
        outline=OutlineSettings(colours=INK if point.number % 3 == 0 else (point.colour,))
    )


@lru_cache(maxsize=8)
def background(seed: int, number: int, shape: tuple[int, int]) -> np.ndarray:
    """Brightness of a phantom film with side marker and all that distracts, (height, width) in 0 to 1."""
    key = f"marks {seed} {number}"
    kinds = ("mass", "cluster") if number % 2 else ()
    spec = FilmSpec(key, key, *shape, "LR"[number % 2], "CC", kinds, DifficultySettings(), 0.01)
    return make_film(spec).pixels


def draw(point: Point, grey: np.ndarray) -> Marked:
    """The point's marks on a grey picture; white ones nowhere on the white side marker, where nobody could see them."""
    for attempt in range(20):
        rng = np.random.default_rng([point.seed, point.number, sorted(FORMS).index(point.form), attempt])
        pen = MarkPen(point.colour, point.line, smooth=bool(rng.random() < 0.7))
        if point.arrangement.startswith("clean: "):
            return distract(grey, point.arrangement.removeprefix("clean: "), pen, rng)
        marked = mark(grey, point.arrangement, pen, rng)
        height, width = grey.shape
        marker = (0.7 * width, width) if point.number % 2 == 0 else (0, 0.3 * width)
        hidden = [x1 < marker[1] and x2 > marker[0] and y1 < 0.1 * height for x1, y1, x2, _ in marked.boxes]
        if point.form != "white_marks" or not any(hidden):
            break
    return marked


def deliver(point: Point, folder: Path) -> tuple[Evidence, list[Box]]:
    """Write the point's files; what the recogniser is given, and the truth in the film's pixels."""
    brightness = background(point.seed, point.number % (2 if point.shape == FULL else 4), point.shape)
    height, width = point.shape
    film = (width, height)
    rng = np.random.default_rng([point.seed, point.number, 99])
    if point.twin.endswith("of other size"):
        # The film is larger or smaller than the picture that was marked, in x and y by themselves.
        factor = rng.uniform(0.8, 1.5)
        film = (round(width * factor * rng.uniform(0.95, 1.05)), round(height * factor))
    writer = {"outline": _picture, "burned_in": _capture, "white_marks": _white}[point.form]
    marked, companions = writer(point, brightness, film, folder, rng)
    across, down = film[0] / width, film[1] / height
    truth = [(x1 * across, y1 * down, x2 * across, y2 * down) for x1, y1, x2, y2 in marked.boxes]
    return Evidence(folder / "clean.dcm", film, companions=companions), truth


Written = tuple[Marked, dict[str, list[Path]]]


def _picture(
    point: Point, brightness: np.ndarray, film: tuple[int, int], folder: Path, rng: np.random.Generator
) -> Written:
    marked = draw(point, grey_of(brightness))
    path = folder / "marked.jpg"
    path.write_bytes(as_jpeg(marked.picture, point.quality, point.chroma_halved))
    return marked, {"picture": [path]}


def _capture(
    point: Point, brightness: np.ndarray, film: tuple[int, int], folder: Path, rng: np.random.Generator
) -> Written:
    marked = draw(point, grey_of(brightness))
    kind = CAPTURES[point.number % len(CAPTURES)]
    if kind == "JPEG":
        data = marked_capture(marked.picture, "bench", jpeg=(point.quality, point.chroma_halved))
    else:
        # Whatever the file's pixels are now: before that the picture went through a JPEG.
        picture = after_jpeg(marked.picture, point.quality, point.chroma_halved)
        data = marked_capture(picture, "bench", kind)
    if point.twin == "film itself":
        (folder / "clean.dcm").write_bytes(data)
        return marked, {}
    (folder / "marked.dcm").write_bytes(data)
    _write_clean(folder, brightness, film, (0.42, 0.8))
    return marked, {"twin": [folder / "marked.dcm"]}


def _white(
    point: Point, brightness: np.ndarray, film: tuple[int, int], folder: Path, rng: np.random.Generator
) -> Written:
    window = (0.42, 0.8)
    other = (
        (rng.uniform(0.38, 0.5), rng.uniform(0.75, 1.2)) if point.twin == "twin of other window" else window
    )
    marked = draw(point, grey_of(brightness, other))
    picture = after_jpeg(marked.picture[:, :, 0], point.quality, True)
    (folder / "marked.dcm").write_bytes(marked_capture(picture, "bench", "MONOCHROME2"))
    if point.twin == "film through JPEG":
        grey = after_jpeg(grey_of(brightness, window), 80, True)
        (folder / "clean.dcm").write_bytes(clean_film(grey, 8, None, "bench"))
    else:
        _write_clean(folder, brightness, film, window)
    return marked, {"twin": [folder / "marked.dcm"]}


def _write_clean(
    folder: Path, brightness: np.ndarray, film: tuple[int, int], window: tuple[float, float]
) -> None:
    if film != brightness.shape[::-1]:
        brightness = cv2.resize(brightness, film, interpolation=cv2.INTER_AREA)
    stored = np.round(brightness * 4095).astype(np.uint16)
    centre, width = (4095 * value for value in window)
    (folder / "clean.dcm").write_bytes(clean_film(stored, 12, (centre, width), "bench"))


def grey_of(brightness: np.ndarray, window: tuple[float, float] = (0.42, 0.8)) -> np.ndarray:
    """Brightness through a window (centre, width) as 8-bit grey."""
    centre, width = window
    return np.round(np.clip((brightness - centre) / width + 0.5, 0, 1) * 255).astype(np.uint8)


def exact_colour_boxes(picture: np.ndarray, colour: str) -> list[Box]:
    """What the notebooks did: pixels of the pen's exact colour (± 10), external contours of more than 12 pixels."""
    ink = np.array(COLOURS[colour])[::-1].astype(int)
    mask = cv2.inRange(picture, np.clip(ink - 10, 0, 255), np.clip(ink + 10, 0, 255))
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    boxes = [cv2.boundingRect(contour) for contour in contours]
    return [(float(x), float(y), float(x + w), float(y + h)) for x, y, w, h in boxes if min(w, h) >= 12]


def reference(point: Point) -> list[Score]:
    """The exact-colour test on the same picture as `run` looks at; an outline's point of the picture's own size."""
    point = replace(point, twin="picture")
    with tempfile.TemporaryDirectory() as folder:
        evidence, truth = deliver(point, Path(folder))
        picture = outline.read_picture(evidence.of("picture")[0])
    # The truth lies in the film's pixels, which are the picture's here.
    return [score(EXACT_COLOUR, (), truth, exact_colour_boxes(picture, point.colour))]
