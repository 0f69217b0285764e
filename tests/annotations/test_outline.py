"""Coloured outlines in a JPEG, as readers draw and workstations save them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mammo.annotations.colours import colours_found
from mammo.annotations.finding import Evidence
from mammo.annotations.frames import check_proportions, scale_to_film
from mammo.annotations.lines import line_width
from mammo.annotations.outline import find, find_outlines, outlines, read_picture
from mammo.dicom.unusable import Unusable
from mammo.phantom.film import FilmSpec, make_film
from mammo.phantom.outline import Pen, outlined_jpeg
from mammo.phantom.settings import DifficultySettings
from mammo.settings import AnnotationSettings, OutlineSettings

HEIGHT, WIDTH = 640, 512


@pytest.fixture(scope="module")
def film():
    return make_film(
        FilmSpec(
            "outline", "outline", HEIGHT, WIDTH, "L", "CC", ("mass", "spiculated"), DifficultySettings(), 0.01
        )
    )


def iou(first, second):
    across = max(0, min(first[2], second[2]) - max(first[0], second[0]))
    down = max(0, min(first[3], second[3]) - max(first[1], second[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return across * down / (sum(areas) - across * down)


def found(film, pen, **settings):
    data = np.frombuffer(
        outlined_jpeg(film.pixels, [lesion.outline for lesion in film.lesions], pen), np.uint8
    )
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    size = (picture.shape[1], picture.shape[0])
    return [
        scale_to_film(box, size, (WIDTH, HEIGHT))
        for box in find_outlines(picture, OutlineSettings(**settings))
    ]


@pytest.mark.parametrize("chroma_halved", [True, False])
@pytest.mark.parametrize("quality", [75, 95])
@pytest.mark.parametrize("line", [1, 4, 8])
@pytest.mark.parametrize("colour", ["red", "green", "dark red"])
def test_every_pen_is_recognised_at_the_lesions_place(film, colour, line, quality, chroma_halved):
    boxes = found(film, Pen(colour, line, quality=quality, chroma_halved=chroma_halved))
    assert len(boxes) == 2
    assert all(max(iou(lesion.box, box) for box in boxes) > 0.9 for lesion in film.lesions)


@pytest.mark.parametrize(("scale_x", "scale_y"), [(0.7, 0.7), (1.3, 1.3), (0.8, 0.87), (1.2, 1.1)])
def test_a_picture_of_another_size_is_scaled_in_x_and_y_by_themselves(film, scale_x, scale_y):
    boxes = found(film, Pen("green", 2, scale_x, scale_y))
    assert all(max(iou(lesion.box, box) for box in boxes) > 0.9 for lesion in film.lesions)


def canvas(*drawings, colour=(0, 0, 255), line=2):
    picture = np.full((200, 300, 3), 90, np.uint8)
    for draw in drawings:
        draw(picture, colour, line)
    return picture


def ring(x, y, radius, start=0, end=360):
    return lambda picture, colour, line: cv2.ellipse(
        picture, (x, y), (radius, radius), 0, start, end, colour, line
    )


def test_a_grey_film_has_no_outline():
    assert find_outlines(canvas(), OutlineSettings()) == []


def test_a_colour_that_no_reader_uses_is_no_outline():
    assert find_outlines(canvas(ring(100, 100, 40), colour=(255, 0, 0)), OutlineSettings()) == []


def test_an_outline_inside_another_is_a_lesion_of_its_own():
    boxes = find_outlines(canvas(ring(100, 100, 60), ring(110, 95, 20)), OutlineSettings())
    assert len(boxes) == 2
    assert iou(boxes[0], (40, 40, 161, 161)) > 0.95 and iou(boxes[1], (90, 75, 131, 116)) > 0.9


def test_a_line_drawn_twice_is_one_lesion():
    boxes = find_outlines(canvas(ring(100, 100, 60), ring(102, 101, 55)), OutlineSettings())
    assert len(boxes) == 1 and iou(boxes[0], (42, 42, 160, 160)) > 0.9


def test_two_outlines_that_touch_are_two_lesions():
    boxes = find_outlines(canvas(ring(80, 100, 40), ring(160, 100, 40)), OutlineSettings())
    assert len(boxes) == 2
    assert iou(boxes[0], (40, 60, 121, 141)) > 0.9 and iou(boxes[1], (120, 60, 201, 141)) > 0.9


def test_gaps_of_a_line_are_closed_up_to_their_setting():
    broken = canvas(ring(100, 100, 50, 4, 176), ring(100, 100, 50, 184, 356))
    closed = find_outlines(broken, OutlineSettings(close_gap=9))
    assert len(closed) == 1 and iou(closed[0], (50, 50, 151, 151)) > 0.9
    assert find_outlines(broken, OutlineSettings(close_gap=0)) == []


def write(text, x, y, size=0.8):
    return lambda picture, colour, line: cv2.putText(
        picture, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, colour, line, cv2.LINE_AA
    )


@pytest.mark.parametrize("text", ["M1", "B4", "LO", "R10", "mass 3"])
def test_words_in_the_readers_colour_are_no_lesions_and_move_no_box(text):
    boxes = find_outlines(canvas(ring(80, 100, 40), write(text, 130, 105)), OutlineSettings())
    assert len(boxes) == 1 and iou(boxes[0], (40, 60, 121, 141)) > 0.95


def test_an_arrow_that_touches_an_outline_does_not_move_its_box():
    arrow = lambda picture, colour, line: cv2.arrowedLine(picture, (250, 30), (130, 75), colour, line)  # noqa: E731
    boxes = find_outlines(canvas(ring(100, 100, 40), arrow), OutlineSettings())
    assert len(boxes) == 1 and iou(boxes[0], (60, 60, 141, 141)) > 0.95


def test_outlines_that_cross_are_two_whole_lesions():
    boxes = find_outlines(canvas(ring(90, 100, 50), ring(165, 100, 50)), OutlineSettings())
    assert len(boxes) == 2
    assert iou(boxes[0], (40, 50, 141, 151)) > 0.9 and iou(boxes[1], (115, 50, 216, 151)) > 0.9


def test_a_frame_round_the_picture_and_a_word_in_a_frame_are_no_lesions():
    frame = lambda picture, colour, line: cv2.rectangle(picture, (1, 1), (298, 198), colour, line)  # noqa: E731
    stamp = lambda picture, colour, line: cv2.rectangle(picture, (60, 80), (260, 125), colour, line)  # noqa: E731
    assert find_outlines(canvas(frame, stamp, write("CHECKED", 75, 112, 1.2)), OutlineSettings()) == []


def test_an_outline_that_all_but_closes_is_a_lesion():
    boxes = find_outlines(canvas(ring(100, 100, 60, 20, 340)), OutlineSettings())
    assert len(boxes) == 1 and iou(boxes[0], (40, 40, 161, 161)) > 0.9


def test_each_outline_is_named_by_its_colour():
    picture = canvas(ring(80, 100, 40))
    cv2.circle(picture, (220, 100), 40, (0, 255, 0), 2)
    settings = OutlineSettings(colours=("red", "green", "dark_red"))
    assert [colour for _, colour in outlines(picture, settings)] == ["red", "green"]
    assert [colour for _, colour in outlines(canvas(ring(80, 100, 40), colour=(0, 0, 150)), settings)] == [
        "dark_red"
    ]


def test_the_colours_of_a_picture_are_named_whatever_is_configured():
    picture = canvas(ring(80, 100, 40), colour=(255, 0, 255))
    cv2.circle(picture, (220, 100), 40, (0, 255, 255), 1)
    assert list(colours_found(picture)) == ["magenta", "yellow"]
    assert colours_found(canvas()) == {}


def test_findings_are_in_the_films_pixels(tmp_path):
    (tmp_path / "a.png").write_bytes(cv2.imencode(".png", canvas(ring(100, 100, 50)))[1].tobytes())
    evidence = Evidence(tmp_path / "a.dcm", (600, 500), companions={"picture": [tmp_path / "a.png"]})
    (found,) = find(evidence, AnnotationSettings())
    assert iou(found.box, (100, 125, 302, 377.5)) > 0.95
    assert (found.form, found.colour) == ("outline", "red")


def test_a_lesion_in_two_pictures_of_a_film_is_one(tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(cv2.imencode(".png", canvas(ring(100, 100, 50)))[1].tobytes())
    pictures = [tmp_path / "a.png", tmp_path / "b.png"]
    evidence = Evidence(tmp_path / "a.dcm", (300, 200), companions={"picture": pictures})
    assert len(find(evidence, AnnotationSettings())) == 1


def test_a_photograph_and_coloured_noise_are_refused_before_they_cost_time():
    generator = np.random.default_rng(1)
    noise = generator.integers(0, 256, (1500, 1200, 3), dtype=np.uint8)
    speckled = canvas()
    speckled = np.repeat(np.repeat(speckled, 6, 0), 4, 1)
    speckled[generator.random(speckled.shape[:2]) < 0.05] = (0, 0, 255)
    grid = np.full((1200, 1200, 3), 90, np.uint8)
    grid[::24] = grid[:, ::24] = (0, 0, 255)
    for picture in (noise, speckled, grid):
        with pytest.raises(Unusable):
            find_outlines(picture, OutlineSettings())


def test_marks_too_small_for_a_lesion_are_dropped():
    assert find_outlines(canvas(ring(50, 50, 4)), OutlineSettings(close_gap=0)) == []


def test_an_outline_at_the_pictures_edge_is_kept_whole():
    boxes = find_outlines(canvas(ring(0, 100, 40)), OutlineSettings())
    assert len(boxes) == 1 and iou(boxes[0], (0, 60, 41, 141)) > 0.95 and boxes[0][0] == 0


@pytest.mark.parametrize("line", [1, 2, 3, 5, 8])
def test_the_width_of_a_line_is_measured(line):
    y, x = np.mgrid[-150:150, -150:150]
    mask = (np.abs(np.hypot(x, y) - 100) <= line / 2).astype(np.uint8)
    assert line_width(mask) == pytest.approx(line, rel=0.1)


def test_a_picture_that_is_none_is_unusable(tmp_path):
    (tmp_path / "x.jpg").write_bytes(b"no JPEG")
    (tmp_path / "empty.jpg").write_bytes(b"")
    for name in ("x.jpg", "empty.jpg", "absent.jpg"):
        with pytest.raises(Unusable, match="cannot be read"):
            read_picture(tmp_path / name)


def test_a_picture_of_other_proportions_shows_another_film():
    check_proportions("it", (100, 130), (1000, 1200))
    with pytest.raises(Unusable, match="130x100"):
        check_proportions("it", (130, 100), (1000, 1300))
