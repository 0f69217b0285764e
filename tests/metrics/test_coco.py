"""COCO's twelve, held against pycocotools on random and adversarial sets."""

from __future__ import annotations

import numpy as np
import pytest

from mammo.metrics.coco import coco_statistics
from mammo.metrics.films import Film, join_films
from mammo.metrics.statistic import patients_of, value_of


def list_of(film: Film, number: int, boxes: np.ndarray, first: int) -> list[dict]:
    return [
        {
            "id": first + place, "image_id": number, "category_id": 1, "iscrowd": 0,
            "bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1),
        }
        for place, (x1, y1, x2, y2) in enumerate(boxes.tolist())
    ]  # fmt: skip


def pycocotools_figures(films: list[Film]) -> list[float]:
    """The twelve; images in the order of the films."""
    api = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval").COCOeval
    truth, found = [], []
    for number, film in enumerate(films):
        truth += list_of(film, number, film.lesions, len(truth) + 1)
        own = list_of(film, number, film.detections, len(found) + 1)
        found += [entry | {"score": score} for entry, score in zip(own, film.scores.tolist(), strict=True)]
    sets = []
    for entries in (truth, found):
        images = [{"id": number} for number in range(len(films))]
        sets.append(api.COCO())
        sets[-1].dataset = {"images": images, "annotations": entries, "categories": [{"id": 1}]}
        sets[-1].createIndex()
    run = evaluation(*sets, "bbox")
    run.evaluate()
    run.accumulate()
    run.summarize()
    return [float(value) for value in run.stats]


def our_figures(films: list[Film]) -> list[float]:
    count = len(patients_of(films)[0])
    values = [value_of(statistic, count) for statistic in coco_statistics(films).values()]
    return [-1.0 if value is None else value for value in values]


@pytest.mark.parametrize("ties", [True, False])
@pytest.mark.parametrize("seed", range(12))
def test_the_twelve_are_pycocotools_own(make_films, seed, ties):
    films = make_films(seed, ties=ties)
    assert our_figures(films) == pytest.approx(pycocotools_figures(films), abs=1e-9)


def test_more_than_a_hundred_detections_a_film(make_films):
    films = make_films(3, films=4, boxes=400)
    assert max(len(film.scores) for film in films) > 100
    assert our_figures(films) == pytest.approx(pycocotools_figures(films), abs=1e-9)


def test_recalls_that_rounding_decides(image, lesion, detection):
    """With 100 lesions found one after the other each of the 101 recalls is a quotient that just reaches it or not."""
    names = [f"{number:03d}" for number in range(100)]
    found = [
        detection(name, 1 - place / 100, *((0, 0, 9, 9) if place % 3 else (50, 50, 59, 59)))
        for place, name in enumerate(names)
    ]
    films = join_films([image(name) for name in names], [lesion(name, 0, 0, 9, 9) for name in names], found)
    assert our_figures(films) == pytest.approx(pycocotools_figures(films), abs=1e-9)


def test_no_detections_at_all(image, lesion):
    films = join_films([image("1"), image("2")], [lesion("1", 0, 0, 9, 9)], [])
    assert our_figures(films) == pytest.approx(pycocotools_figures(films), abs=1e-9)


def test_no_lesions_at_all_leave_every_figure_empty(image, detection):
    films = join_films([image("1")], [], [detection("1", 0.5, 0, 0, 9, 9)])
    assert our_figures(films) == [-1.0] * 12


def test_duplicates_and_a_lesion_under_two_boxes(image, lesion, detection):
    lesions = [lesion("1", 0, 0, 40, 40), lesion("1", 0, 0, 40, 40, lesion_id="2"), lesion("2", 0, 0, 20, 20)]
    found = [detection("1", 0.9, 0, 0, 40, 40)] * 3 + [
        detection("2", 0.9, 0, 0, 40, 20),
        detection("2", 0.9, 0, 0, 20, 20),
    ]
    films = join_films([image("1"), image("2")], lesions, found)
    assert our_figures(films) == pytest.approx(pycocotools_figures(films), abs=1e-9)
