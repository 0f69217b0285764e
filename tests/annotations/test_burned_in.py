"""Outlines burned into pixels: coloured captures, alone or beside their clean twin."""

from __future__ import annotations

import numpy as np
import pytest

from mammo.annotations import burned_in
from mammo.annotations.finding import Evidence
from mammo.dicom.unusable import Unusable
from mammo.phantom.marks import MarkPen, clean_film, mark, marked_capture
from mammo.settings import AnnotationSettings, OutlineSettings

HEIGHT, WIDTH = 300, 240
SETTINGS = AnnotationSettings(outline=OutlineSettings(colours=("green",)))


def grey():
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return (40 + 0.3 * x + 0.2 * y).astype(np.uint8)


@pytest.fixture
def marked():
    return mark(grey(), "nested", MarkPen("green", 3), np.random.default_rng(5))


def write(folder, name, data):
    (folder / name).write_bytes(data)
    return folder / name


def iou(first, second):
    across = max(0, min(first[2], second[2]) - max(first[0], second[0]))
    down = max(0, min(first[3], second[3]) - max(first[1], second[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return across * down / (sum(areas) - across * down)


def agree(found, truth):
    return len(found) == len(truth) and all(max(iou(box, one.box) for one in found) > 0.9 for box in truth)


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL", "PALETTE COLOR"])
def test_a_coloured_film_is_searched_itself(tmp_path, marked, photometric):
    film = write(tmp_path, "film.dcm", marked_capture(marked.picture, "x", photometric))
    found = burned_in.find(Evidence(film, (WIDTH, HEIGHT)), SETTINGS)
    assert agree(found, marked.boxes)
    assert {(one.form, one.colour) for one in found} == {("burned_in", "green")}


@pytest.mark.parametrize("halved", [True, False])
def test_a_capture_compressed_as_jpeg_is_searched(tmp_path, marked, halved):
    film = write(tmp_path, "film.dcm", marked_capture(marked.picture, "x", jpeg=(80, halved)))
    assert agree(burned_in.find(Evidence(film, (WIDTH, HEIGHT)), SETTINGS), marked.boxes)


def test_the_marks_of_a_copy_are_those_of_the_clean_film_in_its_pixels(tmp_path, marked):
    film = write(tmp_path, "film.dcm", clean_film(np.repeat(np.repeat(grey(), 2, 0), 3, 1), 8, None, "x"))
    twin = write(tmp_path, "twin.dcm", marked_capture(marked.picture, "x"))
    # Half again as wide in proportion is another film; these are twice and twice.
    evidence = Evidence(film, (WIDTH * 2, HEIGHT * 2), companions={"twin": [twin]})
    scaled = [tuple(2 * value for value in box) for box in marked.boxes]
    assert agree(burned_in.find(evidence, SETTINGS), scaled)


def test_a_copy_of_other_proportions_is_no_copy(tmp_path, marked):
    film = write(tmp_path, "film.dcm", clean_film(grey(), 8, None, "x"))
    twin = write(tmp_path, "twin.dcm", marked_capture(marked.picture, "x"))
    evidence = Evidence(film, (WIDTH * 2, HEIGHT), companions={"twin": [twin]})
    with pytest.raises(Unusable, match="other proportions"):
        burned_in.find(evidence, SETTINGS)


def test_a_grey_film_has_no_burned_in_colour(tmp_path):
    film = write(tmp_path, "film.dcm", clean_film(grey(), 8, None, "x"))
    assert burned_in.find(Evidence(film, (WIDTH, HEIGHT)), SETTINGS) == []


def test_grey_stored_as_colour_has_none_either(tmp_path):
    film = write(tmp_path, "film.dcm", marked_capture(np.repeat(grey()[:, :, None], 3, 2), "x", "YBR_FULL"))
    assert burned_in.find(Evidence(film, (WIDTH, HEIGHT)), SETTINGS) == []


def test_a_copy_that_is_cut_off_is_unusable(tmp_path, marked):
    film = write(tmp_path, "film.dcm", clean_film(grey(), 8, None, "x"))
    data = marked_capture(marked.picture, "x")
    twin = write(tmp_path, "twin.dcm", data[: len(data) // 2])
    with pytest.raises(Unusable):
        burned_in.find(Evidence(film, (WIDTH, HEIGHT), companions={"twin": [twin]}), SETTINGS)
