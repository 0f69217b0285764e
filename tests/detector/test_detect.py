"""Detections are in pixels of the written image, sorted, each set by itself, whatever shapes its films have."""

from __future__ import annotations

import numpy as np
import pytest

from mammo.detector import detect as room
from mammo.detector.detect import batches_of, detect_sets, look_at_films
from mammo.detector.look import Detector
from mammo.detector.model import build_model
from mammo.detector.network_films import NetworkFilm, NetworkFilms, write_network_films
from mammo.errors import UserError
from mammo.settings import DetectSettings
from mammo.tables.csvio import write_table
from mammo.tables.records import Image

from .conftest import draw_film, image_row, tiny_settings

ALL = {"score_floor": 0.0, "max_detections": 20}


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    path = tmp_path_factory.mktemp("snapshot") / "s.h5"
    build_model(tiny_settings().model, 1, 3).save(path, save_format="h5")
    return path


def index_of(films, settings, name="test"):
    """The films of `<name>.images.csv` at network size."""
    index = films / f"{name}.csv"
    write_network_films(films / f"{name}.images.csv", settings.sides, settings.bits, index)
    return index


def look(films, snapshot, **changes):
    settings = tiny_settings(**changes)
    return dict(detect_sets(snapshot, {"test": index_of(films, settings)}, films / "class.csv", settings))[
        "test"
    ]


def test_detections_are_sorted_rounded_and_inside_the_film(films, snapshot):
    found = look(films, snapshot, detect=ALL)
    assert {row.image_id for row in found} == {f"tiny.{index}" for index in range(6)}
    assert found == sorted(found, key=lambda row: (row.image_id, -row.score, row.x1, row.y1, row.x2, row.y2))
    for row in found:
        assert 0 <= row.x1 < row.x2 <= 128
        assert 0 <= row.y1 < row.y2 <= 128
        assert row.score == round(row.score, 6)
        assert row.x1 == round(row.x1, 2)
    assert max(sum(row.image_id == "tiny.0" for row in found), 20) == 20


def test_boxes_come_back_in_pixels_of_the_written_image(films, snapshot, monkeypatch):
    # 300×200 pixels are scaled to 64×43: a box on the upper half of the scaled film is that of the film again.
    draw_film(films / "img/wide.png", None, 1, (200, 300))
    write_table(films / "test.images.csv", Image, [image_row("tiny.wide", "img/wide.png", 300, 200)])

    def upper_half(detector, batch, films):
        return [np.array([[0, 0, width, height / 2, 0.5, 0]]) for height, width in films]

    monkeypatch.setattr(Detector, "look_at_batch", upper_half)
    (row,) = look(films, snapshot)
    assert (row.x1, row.y1, row.x2, row.y2, row.score, row.label) == (0, 0, 300, 100, 0.5, "malignant")


def test_a_set_without_films_gives_no_detections(films, snapshot):
    write_table(films / "test.images.csv", Image, [])
    assert look(films, snapshot) == []


def test_films_of_which_nothing_reaches_the_floor_have_no_rows(films, snapshot):
    assert look(films, snapshot, detect={"score_floor": 1.0}) == []


def mixed(films):
    """Films of shapes that alternate, one of them larger than a batch may be."""
    rows = []
    for number, shape in enumerate([(100, 128), (64, 64), (100, 128), (128, 40), (64, 64)]):
        draw_film(films / f"img/b{number}.png", None, number, shape)
        rows.append(image_row(f"b{number}", f"img/b{number}.png", shape[1], shape[0]))
    write_table(films / "test.images.csv", Image, rows)
    return rows


def test_a_film_s_boxes_do_not_depend_on_the_others_shapes(films, monkeypatch):
    monkeypatch.setattr(room, "BATCH_PIXELS", 64 * 64 * 2)
    settings = tiny_settings(detect=ALL)
    detector = Detector(build_model(settings.model, 1, 3), settings)

    def boxes_by_film(rows):
        write_table(films / "test.images.csv", Image, rows)
        found = look_at_films(detector, NetworkFilms(index_of(films, settings)), settings.detect, "")
        return {film.image_id: boxes for film, boxes in found}

    rows = mixed(films)
    together = boxes_by_film(rows)
    assert sorted(together) == [row.image_id for row in rows]
    for image in rows:
        assert boxes_by_film([image])[image.image_id] == pytest.approx(together[image.image_id], abs=1e-3)


def network_film(height, width):
    return NetworkFilm(
        image_id="a", path="a", offset=0, bits=8, height=height, width=width, film_height=height, film_width=width,
        sha256="0" * 64,
    )  # fmt: skip


def test_films_that_fill_one_shape_share_a_batch_wherever_they_stand(monkeypatch):
    shapes = [(64, 64), (96, 64), (60, 64), (90, 40), (64, 33), (200, 200)]
    films = [network_film(*shape) for shape in shapes]
    assert batches_of(films, DetectSettings()) == [[0, 2, 4], [1, 3], [5]]
    assert batches_of(films, DetectSettings(pad=False)) == [[2], [4], [0], [3], [1], [5]]
    monkeypatch.setattr(room, "BATCH_PIXELS", 2 * 64 * 64)
    assert batches_of(films, DetectSettings()) == [[0, 2], [4], [1], [3], [5]]


def test_sets_looked_at_in_one_go_are_as_looked_at_alone(films, snapshot):
    settings = tiny_settings(detect=ALL)
    write_table(films / "other.images.csv", Image, [image_row("tiny.1", "img/1.png", 128, 128)])
    sets = {name: index_of(films, settings, name) for name in ("test", "other")}
    together = dict(detect_sets(snapshot, sets, films / "class.csv", settings))
    assert list(together) == ["test", "other"]
    for name, index in sets.items():
        assert (
            dict(detect_sets(snapshot, {name: index}, films / "class.csv", settings))[name] == together[name]
        )


def test_an_index_of_other_bits_than_the_network_sees_is_refused(films, snapshot):
    index = index_of(films, tiny_settings())
    with pytest.raises(UserError, match=r"test.csv: tiny.0 has 8 bits a pixel and the network sees 16"):
        dict(detect_sets(snapshot, {"test": index}, films / "class.csv", tiny_settings(bits=16)))


def test_a_snapshot_of_another_network_is_refused(films, snapshot):
    with pytest.raises(
        UserError, match=r"is not a snapshot of the network .*C3_reduced has an array 0 of shape"
    ):
        look(films, snapshot, model={"pyramid_features": 16})


def test_a_file_that_is_no_snapshot_is_refused(films):
    with pytest.raises(UserError, match="is not a weight file or snapshot"):
        look(films, films / "class.csv")
