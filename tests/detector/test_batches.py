"""Films as the network sees them while it trains."""

from __future__ import annotations

import numpy as np
import pytest

from mammo.detector.anchors import Anchors
from mammo.detector.batches import BatchMaker, read_train_set
from mammo.detector.films import augment, lay_out
from mammo.detector.model import build_model
from mammo.errors import UserError
from mammo.settings import AugmentationSettings

from .conftest import draw_film, tiny_settings

STILL = {
    "rotation": (0.0, 0.0), "translation": (0.0, 0.0), "shear": (0.0, 0.0), "scaling": (1.0, 1.0), "flip_x": 0.0,
    "flip_y": 0.0, "contrast": (1.0, 1.0), "brightness": (0.0, 0.0),
}  # fmt: skip


@pytest.fixture(scope="module")
def anchors():
    settings = tiny_settings().model
    return Anchors(build_model(settings, 1), settings.anchors)


@pytest.fixture
def maker(films, anchors):
    def make(**changes):
        table, names = read_train_set(films / "train.csv", films / "class.csv")
        return BatchMaker(table, len(names), anchors, tiny_settings(**changes), "tf")

    return make


def test_a_batch_is_the_same_whenever_it_is_made(maker):
    one, other = maker(), maker()
    ahead = list(one.batches(3, 6))
    assert np.array_equal(ahead[2].images, other.make(5).images)
    assert not np.array_equal(one.make(2).images, one.make(5).images)


@pytest.mark.parametrize("group_by", ["ratio", "random", "none"])
def test_an_epoch_shows_every_film(maker, group_by):
    made = maker(train={"group_by": group_by, "batch_size": 4})
    assert {index for number in range(made.steps) for index in made.members(number)} == set(range(6))


def test_random_order_differs_between_epochs(maker):
    made = maker()
    assert [made.members(n) for n in range(3)] != [made.members(n) for n in range(3, 6)]


def test_without_augmentation_a_film_stays_as_it_is():
    film = np.arange(64, dtype=np.uint8).reshape(8, 8)
    boxes, labels = np.array([[1.0, 2, 5, 6]]), np.array([0])
    changed, moved, _ = augment(film, boxes, labels, AugmentationSettings(**STILL), np.random.default_rng(0))
    assert np.array_equal(changed, film)
    assert np.array_equal(moved, boxes)


def test_a_flip_moves_film_and_box_alike():
    film = np.zeros((64, 64), np.uint8)
    film[10:20, 4:16] = 255
    always = AugmentationSettings(**{**STILL, "flip_x": 1.0})
    changed, boxes, _ = augment(
        film, np.array([[4.0, 10, 16, 20]]), np.array([0]), always, np.random.default_rng(0)
    )
    x1, y1, x2, y2 = np.rint(boxes[0]).astype(int)
    assert changed[y1 + 1 : y2 - 1, x1 + 1 : x2 - 1].min() == 255
    assert x1 > 40


def test_a_lesion_moved_off_the_film_is_no_target():
    away = AugmentationSettings(**{**STILL, "translation": (0.9, 0.9)})
    film, box = np.zeros((64, 64), np.uint8), np.array([[40.0, 40, 60, 60]])
    _, boxes, labels = augment(film, box, np.array([0]), away, np.random.default_rng(0))
    assert len(boxes) == len(labels) == 0


def test_smaller_films_are_padded_with_black_to_whole_strides():
    batch = lay_out([np.full((40, 64), 255, np.uint8), np.full((33, 20), 255, np.uint8)], "tf")
    assert batch.shape == (2, 64, 64, 3)
    assert batch[0, :40].min() == 1
    assert batch[0, 40:].max() == batch[1, 33:].max() == -1


def test_a_train_set_without_lesions_is_refused(films):
    (films / "train.csv").write_text("img/5.png,,,,,\n")
    with pytest.raises(UserError, match="none of its 1 films has a lesion"):
        read_train_set(films / "train.csv", films / "class.csv")


def test_an_unknown_class_is_refused(films):
    (films / "class.csv").write_text("benign,0\n")
    with pytest.raises(UserError, match=r"img/0.png has the class 'malignant'"):
        read_train_set(films / "train.csv", films / "class.csv")


def test_a_missing_film_is_named(films):
    (films / "img/3.png").unlink()
    with pytest.raises(UserError, match=r"1 of its 6 images are missing, the first is .*img/3.png"):
        read_train_set(films / "train.csv", films / "class.csv")


def test_a_box_beyond_the_film_is_named(films, maker):
    draw_film(films / "img/0.png", None, 0, (64, 64))
    (films / "train.csv").write_text("img/0.png,10,10,70,40,malignant\n")
    with pytest.raises(UserError, match=r"img/0.png: the box .* reaches beyond the image of 64×64"):
        maker().make(0)
