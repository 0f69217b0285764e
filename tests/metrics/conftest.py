"""Rows with only what a test is about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from mammo.metrics.films import Film, join_films
from mammo.metrics.statistic import patients_of
from mammo.tables.records import Detection, Image, Lesion

NO_DIGEST = "0" * 64


def make_image(image_id: str, patient: str = "p", study: str = "", **known: object) -> Image:
    fields = {"dataset": "d", "delivery": "", "laterality": "", "view": "", "pixel_mm": None, "group": "abn"}
    fields |= known
    return Image(
        image_id=image_id, path=f"{image_id}.jpg", patient=patient, study=study, width=100, height=100,
        lesion_types="", source="s", source_sha256=NO_DIGEST, sha256=NO_DIGEST, **fields,
    )  # fmt: skip


def make_lesion(image_id: str, *box: float, lesion_id: str = "1", lesion_type: str = "") -> Lesion:
    sides = dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))
    rest = {"lesion_type": lesion_type, "pathology": "", "annotation_form": "mask"}
    return Lesion(image_id=image_id, lesion_id=lesion_id, **sides, **rest)


def make_detection(image_id: str, score: float, *box: float, label: str = "malignant") -> Detection:
    sides = dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))
    return Detection(image_id=image_id, score=score, label=label, **sides)


@pytest.fixture
def image() -> Callable[..., Image]:
    return make_image


@pytest.fixture
def lesion() -> Callable[..., Lesion]:
    return make_lesion


@pytest.fixture
def detection() -> Callable[..., Detection]:
    return make_detection


@pytest.fixture
def five_films() -> tuple[list[Image], list[Lesion], list[Detection]]:
    """The worked example of docs/metrics.md."""
    images = [
        make_image("1", "A", laterality="L", view="CC", pixel_mm=0.4),
        make_image("2", "A", laterality="R", view="CC", pixel_mm=0.4),
        make_image("3", "B", laterality="L", view="MLO", pixel_mm=0.5),
        make_image("4", "C", laterality="L", view="CC", pixel_mm=0.5),
        make_image("5", "C", laterality="R", view="MLO", pixel_mm=0.5),
    ]
    lesions = [
        make_lesion("1", 10, 10, 30, 30, lesion_type="mass"),
        make_lesion("2", 40, 40, 60, 60, lesion_type="mass"),
        make_lesion("2", 70, 10, 90, 30, lesion_id="2", lesion_type="calcification"),
        make_lesion("3", 20, 60, 40, 80, lesion_type="calcification"),
    ]
    detections = [
        make_detection("1", 0.9, 12, 12, 32, 32),
        make_detection("1", 0.6, 8, 8, 24, 24),
        make_detection("2", 0.8, 35, 35, 75, 75),
        make_detection("3", 0.7, 38, 60, 58, 80),
        make_detection("3", 0.08, 20, 60, 40, 80),
        make_detection("5", 0.3, 5, 5, 25, 25),
    ]
    return images, lesions, detections


def random_films(seed: int, *, films: int = 12, boxes: int = 15, ties: bool = True) -> list[Film]:
    """Films of up to five patients, some without lesions or detections; boxes on a coarse grid, so that many touch or
    are equal; scores in steps of a tenth, or all different."""
    rng = np.random.default_rng(seed)
    sides = {1: (5, 40), 2: (10, 100), 0: (20, 300)}[seed % 3]

    def box() -> tuple[float, ...]:
        x, y = rng.integers(0, 8, 2) * sides[0]
        width, height = rng.integers(1, 1 + sides[1] // sides[0], 2) * sides[0]
        return x, y, x + width, y + height

    images, lesions, found = [], [], []
    for number in range(films):
        row = make_image(f"{number:03d}", f"p{rng.integers(0, 5)}", f"s{rng.integers(0, 2)}")
        images.append(row.model_copy(update={"laterality": rng.choice(["L", "R", ""]), "pixel_mm": 0.5}))
        truth = [box() for _ in range(rng.integers(0, 4))]
        lesions += [make_lesion(row.image_id, *one, lesion_id=str(place)) for place, one in enumerate(truth)]
        for _ in range(rng.integers(0, boxes)):
            near = truth and rng.random() < 0.5
            shift = rng.integers(-1, 2, 4)
            one = np.array(truth[rng.integers(len(truth))]) + shift if near else box()
            score = rng.integers(0, 11) / 10 if ties else rng.random()
            found.append(make_detection(row.image_id, score, *one))
    return join_films(images, lesions, found)


def copied_films(films: list[Film], weights: np.ndarray) -> list[Film]:
    """The set in which each patient's films stand as often as his weight says, each copy another image and study."""
    _, places = patients_of(films)
    return [
        replace(film, image_id=f"{film.image_id}~{copy}", case=(film.case[0], f"{film.case[1]}~{copy}"))
        for film, place in zip(films, places, strict=True)
        for copy in range(int(weights[place]))
    ]


@pytest.fixture
def make_films() -> Callable[..., list[Film]]:
    return random_films


@pytest.fixture
def copies() -> Callable[[list[Film], np.ndarray], list[Film]]:
    return copied_films
