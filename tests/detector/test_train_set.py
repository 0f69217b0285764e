"""A training table is held against the films before a GPU is busy with them."""

from __future__ import annotations

import numpy as np
import pytest

from mammo.detector.network_films import NetworkFilms, write_network_films
from mammo.detector.train_set import read_train_set
from mammo.errors import UserError
from mammo.settings import SideSettings
from mammo.tables.csvio import read_table, write_table
from mammo.tables.records import Image


@pytest.fixture
def read(films):
    """Reads the training table of `films`, whose films are brought from 128×128 to 64×64."""
    write_network_films(films / "test.images.csv", SideSettings(min=64, max=64), 8, films / "network.csv")

    def train_set(**arguments):
        network = NetworkFilms(films / "network.csv")
        return read_train_set(films / "train.csv", films / "class.csv", network, **arguments)

    return train_set


def test_boxes_are_in_network_pixels_and_films_know_their_place(read, films):
    (films / "train.csv").write_text(
        "img/4.png,10,20,30,50,malignant\nimg/1.png,,,,,\nimg/4.png,0,0,128,128,malignant\n"
    )
    table, names = read()
    assert names == ["malignant"]
    assert [(film.path, film.position) for film in table] == [("img/4.png", 4), ("img/1.png", 1)]
    assert np.array_equal(table[0].boxes, [[5, 10, 15, 25], [0, 0, 64, 64]])
    assert np.array_equal(table[0].labels, [0, 0])
    assert table[1].boxes.shape == (0, 4) and table[1].labels.shape == (0,)


def test_a_train_set_without_lesions_is_refused_unless_allowed(read, films):
    (films / "train.csv").write_text("img/5.png,,,,,\n")
    with pytest.raises(UserError, match="none of its 1 films has a lesion"):
        read()
    assert len(read(allow_no_lesions=True)[0]) == 1


def test_a_table_without_films_is_refused(read, films):
    (films / "train.csv").write_text("")
    with pytest.raises(UserError, match="lists no films"):
        read(allow_no_lesions=True)


def test_an_unknown_class_is_refused(read, films):
    (films / "class.csv").write_text("benign,0\n")
    with pytest.raises(
        UserError, match=r"img/0.png has the class 'malignant', which .* does not list \(benign\)"
    ):
        read()


def test_a_film_that_is_not_among_those_at_network_size_is_named(read, films):
    (films / "train.csv").write_text("img/9.png,10,20,30,50,malignant\n")
    with pytest.raises(UserError, match=r"img/9\.png is not in .*network\.csv; remove that file"):
        read()


def test_a_box_beyond_the_film_is_named(read, films):
    (films / "train.csv").write_text("img/0.png,10,10,130,40,malignant\n")
    with pytest.raises(UserError, match=r"img/0.png: the box \[10.*\] reaches beyond the image of 128×128"):
        read()


def test_a_film_that_was_written_anew_in_another_size_is_named(read, films):
    rows = read_table(films / "test.images.csv", Image)
    write_table(films / "train.images.csv", Image, [rows[0].model_copy(update={"width": 256}), *rows[1:]])
    with pytest.raises(UserError, match=r"img/0\.png was 128×128 pixels when it was scaled, .* says 256×128"):
        read()
