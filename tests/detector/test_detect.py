"""Detections are in pixels of the written image, and as the settings want them."""

from __future__ import annotations

import numpy as np
import pytest

from mammo.detector import detect as room
from mammo.detector.detect import Detector, detect, select_boxes
from mammo.detector.model import build_model
from mammo.errors import UserError
from mammo.settings import DetectSettings
from mammo.tables.csvio import write_table
from mammo.tables.records import Image

from .conftest import draw_film, image_row, tiny_settings


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    path = tmp_path_factory.mktemp("snapshot") / "s.h5"
    build_model(tiny_settings().model, 1, 3).save(path, save_format="h5")
    return path


def look(films, snapshot, **changes):
    return detect(snapshot, films / "test.images.csv", films / "class.csv", tiny_settings(**changes))


def test_detections_are_sorted_rounded_and_inside_the_film(films, snapshot):
    found = look(films, snapshot, detect={"score_floor": 0.0, "max_detections": 20})
    assert {row.image_id for row in found} == {f"tiny.{index}" for index in range(6)}
    assert found == sorted(found, key=lambda row: (row.image_id, -row.score, row.x1, row.y1, row.x2, row.y2))
    for row in found:
        assert 0 <= row.x1 < row.x2 <= 128
        assert 0 <= row.y1 < row.y2 <= 128
        assert row.score == round(row.score, 6)
        assert row.x1 == round(row.x1, 2)
    assert max(sum(row.image_id == "tiny.0" for row in found), 20) == 20


def test_boxes_come_back_in_pixels_of_the_written_image(films, snapshot, monkeypatch):
    # 300×200 pixels are scaled to 64×43: a box on the whole scaled film is the whole film again.
    draw_film(films / "img/wide.png", None, 1, (200, 300))
    write_table(films / "test.images.csv", Image, [image_row("tiny.wide", "img/wide.png", 300, 200)])

    def whole(detector, films):
        return [np.array([[0, 0, film.shape[1], film.shape[0] / 2, 0.5, 0]]) for film in films]

    monkeypatch.setattr(Detector, "look", whole)
    (row,) = look(films, snapshot)
    assert (row.x1, row.y1, row.x2, row.y2, row.score, row.label) == (0, 0, 300, 100, 0.5, "malignant")


def test_an_empty_table_gives_no_detections(films, snapshot):
    write_table(films / "test.images.csv", Image, [])
    assert look(films, snapshot) == []


def test_a_film_of_another_size_than_its_row_is_refused(films, snapshot):
    write_table(films / "test.images.csv", Image, [image_row("tiny.0", "img/0.png", 64, 128)])
    with pytest.raises(UserError, match=r"is 128×128 pixels, its row .* says 64×128"):
        look(films, snapshot)


def test_a_snapshot_of_another_network_is_refused(films, snapshot):
    with pytest.raises(
        UserError, match=r"is not a snapshot of the network .*C3_reduced has an array 0 of shape"
    ):
        look(films, snapshot, model={"pyramid_features": 16})


def test_a_file_that_is_no_snapshot_is_refused(films):
    with pytest.raises(UserError, match="is not a weight file or snapshot"):
        look(films, films / "class.csv")


def test_weaker_doubles_are_dropped_and_boxes_clipped():
    boxes = np.array([[-5.0, 0, 20, 20], [0, 0, 20, 19], [30, 30, 50, 50], [70, 70, 80, 80]])
    scores = np.array([[0.6], [0.9], [0.3], [0.9]], "float32")
    kept = select_boxes(boxes, scores, (64, 64), DetectSettings(score_floor=0.3))
    assert kept[:, :4].tolist() == [[0, 0, 20, 19], [30, 30, 50, 50]]
    assert kept[:, 4] == pytest.approx([0.9, 0.3])


def test_batches_hold_films_of_one_padded_shape(films):
    rows = []
    for index, shape in enumerate([(100, 128), (96, 128), (64, 64)]):
        draw_film(films / f"img/b{index}.png", None, index, shape)
        rows.append(image_row(f"b{index}", f"img/b{index}.png", shape[1], shape[0]))
    settings = tiny_settings(sides={"min": 64, "max": 128})
    assert [len(batch) for batch, _ in room._batches(rows, films, settings)] == [2, 1]
