"""results/gallery/<ensemble>/<test set>: a page that opens without a network, beside it the pictures as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mammo.datasets.folders import atomic_folder
from mammo.datasets.looks import read_image
from mammo.errors import UserError
from mammo.metrics.films import Film
from mammo.report.gallery.crops import (
    ENSEMBLE,
    FALSE_POSITIVE,
    LESION,
    SEAM,
    Line,
    Picture,
    area_around,
    draw_boxes,
    member_line,
    overview,
    plain_crop,
    png_bytes,
)
from mammo.report.gallery.places import (
    SAME_PLACE,
    Place,
    Said,
    false_positives,
    films_by_id,
    found_at,
    missed_lesions,
    said_at,
)
from mammo.settings import EvaluationSettings, ReportSettings
from mammo.tables.records import Lesion

OVERVIEW_HEIGHT = 480
MOST_BOXES = 3  # of one model about a place, the strongest: more would hide the tissue
TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
RULES = {
    "lesion_centre_in_detection": "its centre lies inside a detection",
    "detection_centre_in_lesion": "a detection's centre lies inside it",
    "iou_0.1": "a detection has an IoU of at least 0.1 with it",
    "iou_0.2": "a detection has an IoU of at least 0.2 with it",
    "iou_0.5": "a detection has an IoU of at least 0.5 with it",
}


@dataclass(frozen=True)
class Shown:
    """A place as the page shows it.

    `seen`: what it is, in words, for those who do not see the pictures; `said`: what each model says of it; `files`:
    names of the pictures.
    """

    anchor: str
    title: str
    seen: str
    facts: Sequence[tuple[str, str]]
    said: Sequence[tuple[str, Said]]
    files: Mapping[str, str]
    crop_size: tuple[int, int]
    film_size: tuple[int, int]


@dataclass(frozen=True)
class Part:
    """One kind of places: those shown, of `total`."""

    anchor: str
    title: str
    definition: str
    nothing: str
    total: int
    shown: Sequence[Shown]


@dataclass(frozen=True)
class Gallery:
    """An ensemble and its members on one test set, `test_set` its name; images lie relative to `root`."""

    name: str
    test_set: str
    films: Sequence[Film]
    members: Mapping[str, Sequence[Film]]
    root: Path
    evaluation: EvaluationSettings
    report: ReportSettings

    def lines(self) -> dict[str, Line]:
        """How each model's boxes are drawn, the ensemble's first."""
        members = {name: member_line(index) for index, name in enumerate(sorted(self.members))}
        return {self.name: ENSEMBLE} | members


def write_gallery(out: Path, gallery: Gallery) -> int:
    """Write index.html and the pictures into a folder that appears whole; return how many places it shows.

    Same input, same bytes. Raises `UserError` for a film that cannot be read or has another size than its row says.
    """
    settings, most = gallery.evaluation, gallery.report.gallery
    kinds = {
        "missed": missed_lesions(gallery.films, settings),
        "false": false_positives(gallery.films, settings),
    }
    models = films_by_id({gallery.name: gallery.films, **gallery.members})
    with atomic_folder(out) as folder:
        shown = {
            kind: [
                _show(folder, gallery, models, f"{kind}-{number:03d}", number, place)
                for number, place in enumerate(places[:most], 1)
            ]
            for kind, places in kinds.items()
        }
        parts = _parts(gallery, {kind: len(places) for kind, places in kinds.items()}, shown)
        page = TEMPLATES.get_template("gallery.html").render(
            gallery=gallery, parts=parts, lesion=LESION, false_positive=FALSE_POSITIVE,
            lines=gallery.lines(), seam=SEAM, same_place=SAME_PLACE, most_boxes=MOST_BOXES,
            lesions=sum(len(film.lesions) for film in gallery.films),
        )  # fmt: skip
        (folder / "index.html").write_text(page, encoding="utf-8", newline="\n")
    return sum(map(len, shown.values()))


def _parts(gallery: Gallery, totals: Mapping[str, int], shown: Mapping[str, Sequence[Shown]]) -> list[Part]:
    settings = gallery.evaluation
    threshold = f"{settings.score_threshold:g}, the protocol's threshold (evaluation.score_threshold)"
    return [
        Part(
            "missed", "Missed lesions",
            f"A lesion is hit when {RULES[settings.hit_rule]}, with a score of at least {threshold}; the others are "
            "here, the largest first. Of each, the table of models says whether a model hits it, has a box that would "
            "but scores below the threshold, has a box beside it only, or nothing.",
            "No lesion was missed.", totals["missed"], shown["missed"],
        ),
        Part(
            "false", "False positives",
            f"Detections of {gallery.name} with a score of at least {threshold}, that hit no lesion (a lesion is hit "
            f"when {RULES[settings.froc_hit_rule]}), the highest score first. Of each, the table of models says "
            "whether a model marks the place too, does so with a score below the threshold, or has nothing there.",
            "There is no false positive.", totals["false"], shown["false"],
        ),
    ]  # fmt: skip


def _show(
    folder: Path,
    gallery: Gallery,
    models: Mapping[str, Mapping[str, Film]],
    anchor: str,
    number: int,
    place: Place,
) -> Shown:
    """Write a place's pictures, and say what there is to say of it."""
    pixels = _film_pixels(gallery.root, place.film)
    area = area_around(place.box, (pixels.shape[1], pixels.shape[0]), gallery.report.gallery_crop)
    plain = plain_crop(pixels, area)
    own = {name: films[place.film.image_id] for name, films in models.items()}
    focus = FALSE_POSITIVE if place.lesion is None else LESION
    marked = plain.copy()
    draw_boxes(marked, area, _layers(gallery, place, own))
    pictures = {
        "film": overview(pixels, area, place.box, focus, OVERVIEW_HEIGHT), "plain": plain, "marked": marked,
    }  # fmt: skip
    files = {name: f"{anchor}-{name}.png" for name in pictures}
    for name, picture in pictures.items():
        (folder / files[name]).write_bytes(png_bytes(picture, f"{place.film.image_id}, {name}"))
    return Shown(
        anchor=anchor,
        title=f"{number}. {_title(place)}",
        seen=_seen(place),
        facts=_facts(place),
        said=[(name, said_at(place, own[name], gallery.evaluation)) for name in gallery.lines()],
        files=files,
        crop_size=(plain.shape[1], plain.shape[0]),
        film_size=(pictures["film"].shape[1], OVERVIEW_HEIGHT),
    )


def _layers(gallery: Gallery, place: Place, own: Mapping[str, Film]) -> list[tuple[np.ndarray, Line]]:
    """What is drawn about a place, from the lowest layer on: members above all else.

    Of members' boxes on one spot those that leave more open lie above.
    """
    boxes = {
        name: _boxes_shown(
            film, found_at(place, film, gallery.evaluation.hit_rule), gallery.report.overlay_score
        )
        for name, film in own.items()
    }
    lines = gallery.lines()
    layers = [(boxes[gallery.name], lines.pop(gallery.name)), (place.film.lesions, LESION)]
    if place.lesion is None:
        layers.insert(0, (place.box[None, :], FALSE_POSITIVE))
    return layers + [
        (boxes[name], line) for name, line in sorted(lines.items(), key=lambda item: -item[1].drawn)
    ]


def _film_pixels(root: Path, film: Film) -> Picture:
    assert film.image is not None, "films of a test set have their row"
    pixels = read_image(root / film.image.path)
    width, height = film.image.width, film.image.height
    if pixels.shape != (height, width):
        raise UserError(
            f"{root / film.image.path}: expected a film of {width}×{height} pixels, "
            f"found {pixels.shape[1]}×{pixels.shape[0]}; make the images again"
        )
    return pixels


def _boxes_shown(film: Film, found: np.ndarray, floor: float) -> np.ndarray:
    """Of the boxes that a model `found` about a place those to draw, (n, 4): from a score on, but always its best."""
    strong = found[film.scores[found] >= floor]
    return film.detections[strong[:MOST_BOXES] if len(strong) else found[:1]]


def _title(place: Place) -> str:
    if place.lesion is None:
        return f"score {place.score:.3f}, {place.film.image_id}"
    size = f"{place.side:.0f} pixels" if place.side_mm is None else f"{place.side_mm:.1f} mm"
    return f"{size}, {place.film.image_id}"


def _type(lesion: Lesion) -> str:
    return lesion.lesion_type or "type unknown"


def _seen(place: Place) -> str:
    """What lies where, for alternative texts: side, view and type."""
    image = place.film.image
    assert image is not None, "films of a test set have their row"
    side = {"L": "left breast", "R": "right breast"}.get(image.laterality, "side unknown")
    what = "false positive" if place.lesion is None else f"missed lesion, {_type(place.lesion)}"
    return f"{what}, {side}, {image.view or 'view unknown'}"


def _size(place: Place) -> str:
    """Width × height in mm, where the pixel size is known, and in pixels of the image."""
    width, height = (place.box[2:] - place.box[:2]).tolist()
    pixels = f"{width:.0f} × {height:.0f} pixels"
    pixel_mm = place.film.image.pixel_mm if place.film.image else None
    return f"{width * pixel_mm:.1f} × {height * pixel_mm:.1f} mm, {pixels}" if pixel_mm else pixels


def _facts(place: Place) -> list[tuple[str, str]]:
    """What the tables say; what they leave open is left out, but for a lesion's type."""
    image, lesion = place.film.image, place.lesion
    assert image is not None, "films of a test set have their row"
    x1, y1, x2, y2 = (f"{value:.0f}" for value in place.box.tolist())
    facts = [
        ("width × height", _size(place)),
        ("dataset", " ".join(filter(None, (image.dataset, image.delivery)))),
        ("side and view", " ".join(filter(None, (image.laterality, image.view)))),
        ("breast density", image.density),
        ("pixel size", f"{image.pixel_mm:g} mm" if image.pixel_mm else ""),
        ("lesions on the film", str(len(place.film.lesions))),
        ("box in pixels", f"x {x1} to {x2}, y {y1} to {y2}"),
    ]
    if lesion is not None:
        facts[:0] = [
            ("lesion", lesion.lesion_id),
            ("type", _type(lesion)),
            ("pathology", lesion.pathology),
            ("annotated as", lesion.annotation_form),
        ]
    return [(name, text) for name, text in facts if text]
