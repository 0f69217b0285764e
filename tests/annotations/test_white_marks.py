"""White marks in a copy of a film, by what the copy and the clean film differ in."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mammo.annotations import white_marks
from mammo.annotations.finding import Evidence
from mammo.annotations.white_marks import marks, usual_greys
from mammo.dicom.unusable import Unusable
from mammo.phantom.film import FilmSpec, make_film
from mammo.phantom.marks import MarkPen, after_jpeg, clean_film, mark, marked_capture
from mammo.phantom.settings import DifficultySettings
from mammo.settings import AnnotationSettings

HEIGHT, WIDTH = 512, 400


@pytest.fixture(scope="module")
def brightness():
    return make_film(FilmSpec("w", "w", HEIGHT, WIDTH, "L", "CC", (), DifficultySettings(), 0.01)).pixels


def shown(brightness, centre=0.42, width=0.8):
    return np.round(np.clip((brightness - centre) / width + 0.5, 0, 1) * 255).astype(np.uint8)


def write(folder, name, data):
    (folder / name).write_bytes(data)
    return folder / name


def iou(first, second):
    across = max(0, min(first[2], second[2]) - max(first[0], second[0]))
    down = max(0, min(first[3], second[3]) - max(first[1], second[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return across * down / (sum(areas) - across * down)


def recognised(folder, brightness, copy):
    stored = np.round(brightness * 4095).astype(np.uint16)
    film = write(folder, "film.dcm", clean_film(stored, 12, (0.42 * 4095, 0.8 * 4095), "w"))
    twin = write(folder, "twin.dcm", marked_capture(copy, "w", "MONOCHROME2"))
    return white_marks.find(
        Evidence(film, (WIDTH, HEIGHT), companions={"twin": [twin]}), AnnotationSettings()
    )


@pytest.mark.parametrize("window", [(0.42, 0.8), (0.5, 1.2)])
@pytest.mark.parametrize("quality", [75, 100])
def test_marks_are_found_whatever_the_copys_window_and_compression(tmp_path, brightness, window, quality):
    marked = mark(shown(brightness, *window), "single", MarkPen("white", 2), np.random.default_rng(3))
    found = recognised(tmp_path, brightness, after_jpeg(marked.picture[:, :, 0], quality, True))
    assert len(found) == len(marked.boxes)
    assert all(max(iou(box, one.box) for one in found) > 0.9 for box in marked.boxes)
    assert {(one.form, one.colour) for one in found} == {("white_marks", "white")}


def test_a_copy_without_marks_has_none_though_the_side_marker_is_white(tmp_path, brightness):
    assert recognised(tmp_path, brightness, after_jpeg(shown(brightness, 0.5, 1.0), 75, True)) == []


def test_words_and_arrows_are_no_lesions(tmp_path, brightness):
    copy = shown(brightness)
    cv2.putText(copy, "M1", (150, 200), cv2.FONT_HERSHEY_SIMPLEX, 1, 255, 2, cv2.LINE_AA)
    cv2.arrowedLine(copy, (60, 300), (140, 330), 255, 3, cv2.LINE_AA)
    assert recognised(tmp_path, brightness, copy) == []


def test_a_shape_that_is_painted_over_is_a_lesion(tmp_path, brightness):
    copy = shown(brightness)
    cv2.ellipse(copy, (120, 260), (40, 30), 0, 0, 360, 255, cv2.FILLED)
    found = recognised(tmp_path, brightness, copy)
    assert len(found) == 1 and iou(found[0].box, (80, 230, 161, 291)) > 0.9


def test_a_copy_of_another_film_is_unusable(tmp_path, brightness):
    with pytest.raises(Unusable, match="does not show the same"):
        recognised(tmp_path, brightness, np.ascontiguousarray(shown(brightness)[:, ::-1]))


def test_a_coloured_copy_is_left_to_the_form_of_coloured_marks(tmp_path, brightness):
    marked = mark(shown(brightness), "single", MarkPen("yellow", 3), np.random.default_rng(3))
    film = write(tmp_path, "film.dcm", clean_film(shown(brightness), 8, None, "w"))
    twin = write(tmp_path, "twin.dcm", marked_capture(marked.picture, "w"))
    evidence = Evidence(film, (WIDTH, HEIGHT), companions={"twin": [twin]})
    assert white_marks.find(evidence, AnnotationSettings()) == []


def test_without_a_copy_there_is_nothing_to_compare(tmp_path):
    assert white_marks.find(Evidence(tmp_path / "film.dcm", (WIDTH, HEIGHT)), AnnotationSettings()) == []


def test_the_usual_grey_is_the_windows_and_not_the_marks(brightness):
    clean, other = shown(brightness), shown(brightness, 0.5, 1.2)
    marked = other.copy()
    marked[100:140] = 255
    table = usual_greys(clean, marked).astype(int)
    middle = np.unique(clean[(clean > 20) & (clean < 200)])
    expected = np.array([np.median(other[clean == value]) for value in middle])
    assert np.abs(table[middle] - expected).max() <= 3
    assert (np.diff(table) >= 0).all()


def test_a_film_of_another_size_is_compared_at_the_copys(brightness):
    clean = shown(brightness)
    copy = cv2.resize(clean, (WIDTH * 3 // 4, HEIGHT * 3 // 4), interpolation=cv2.INTER_AREA)
    cv2.rectangle(copy, (60, 100), (160, 180), 255, 2)
    lines, _ = marks(copy, clean, 40)
    assert lines[100, 60:160].mean() > 0.9 and lines.mean() < 0.02
