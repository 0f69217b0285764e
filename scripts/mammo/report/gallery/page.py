"""results/gallery/<ensemble>/<test set>: a page that opens without a network, beside it the pictures as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mammo.datasets.folders import atomic_folder
from mammo.datasets.looks import read_film
from mammo.metrics.films import Film
from mammo.report.gallery.crops import (
    ENSEMBLE,
    FALSE_POSITIVE,
    LESION,
    SEAM,
    Line,
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
from mammo.report.gallery.words import RULES, facts, seen, title
from mammo.report.pages import templates_of
from mammo.settings import EvaluationSettings, ReportSettings

OVERVIEW_HEIGHT = 480
MOST_BOXES = 3  # of the ensemble about a place, the strongest: more would hide the tissue
TEMPLATES = templates_of(Path(__file__).parent / "templates")


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
    assert place.film.image is not None, "films of a test set have their row"
    pixels = read_film(gallery.root, place.film.image)
    area = area_around(place.box, (pixels.shape[1], pixels.shape[0]), gallery.report.gallery_crop)
    plain = plain_crop(pixels, area)
    said = {
        name: said_at(place, films[place.film.image_id], gallery.evaluation) for name, films in models.items()
    }
    focus = FALSE_POSITIVE if place.lesion is None else LESION
    marked = plain.copy()
    draw_boxes(marked, area, _layers(gallery, place, models[gallery.name][place.film.image_id], said))
    pictures = {
        "film": overview(pixels, area, place.box, focus, OVERVIEW_HEIGHT), "plain": plain, "marked": marked,
    }  # fmt: skip
    files = {name: f"{anchor}-{name}.png" for name in pictures}
    for name, picture in pictures.items():
        (folder / files[name]).write_bytes(png_bytes(picture, f"{place.film.image_id}, {name}"))
    return Shown(
        anchor=anchor,
        title=f"{number}. {title(place)}",
        seen=seen(place),
        facts=facts(place),
        said=[(name, said[name]) for name in gallery.lines()],
        files=files,
        crop_size=(plain.shape[1], plain.shape[0]),
        film_size=(pictures["film"].shape[1], OVERVIEW_HEIGHT),
    )


def _layers(
    gallery: Gallery, place: Place, own: Film, said: Mapping[str, Said]
) -> list[tuple[np.ndarray, Line]]:
    """What is drawn about a place, from the lowest layer on: of each model what it says of it, members above all else.

    `own`: the film with the ensemble's detections, whose strongest are drawn too.
    """
    found = found_at(place, own, gallery.evaluation.hit_rule)
    strong = found[own.scores[found] >= gallery.report.overlay_score][:MOST_BOXES]
    about = {name: each.box[None, :] for name, each in said.items() if each.box is not None}
    lines = gallery.lines()
    ensemble = np.vstack([own.detections[strong], about.pop(gallery.name, np.empty((0, 4)))])
    return [
        (np.empty((0, 4)) if place.lesion else place.box[None, :], FALSE_POSITIVE),
        (np.unique(ensemble, axis=0), lines[gallery.name]),
        (place.film.lesions, LESION),
        *((box, lines[name]) for name, box in sorted(about.items())),
    ]
