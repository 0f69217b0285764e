"""Rows with only what a test is about."""

from __future__ import annotations

from collections.abc import Callable

import pytest

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
