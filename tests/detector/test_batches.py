"""Batches of training films: which films, how they are changed, and the same each time."""

from __future__ import annotations

import tracemalloc
from collections import Counter

import cv2
import numpy as np
import pytest
from keras_retinanet.utils.transform import transform_aabb

from mammo.detector.anchors import Anchors
from mammo.detector.batches import BatchMaker, read_train_set
from mammo.detector.films import augment, pad
from mammo.detector.keras import tf
from mammo.detector.model import build_model
from mammo.detector.network_films import NetworkFilms, read_film, write_network_films
from mammo.detector.preprocess import preprocess
from mammo.settings import AugmentationSettings, SideSettings
from mammo.tables.csvio import write_table
from mammo.tables.records import Image
from mammo.tables.retinanet_csv import LabelledBox, write_annotations, write_classes

from .conftest import image_row, tiny_settings

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
    """Makes a maker of batches of `films`, whose films keep their size of 128×128."""
    write_network_films(films / "test.images.csv", SideSettings(min=128, max=128), 8, films / "network.csv")

    def make(augment=True, **changes):
        network = NetworkFilms(films / "network.csv")
        table, _ = read_train_set(films / "train.csv", films / "class.csv", network)
        return BatchMaker(network, table, anchors, tiny_settings(**changes), augment)

    return make


def assert_equal(one, other):
    for name in ("images", "shapes", "regression", "assignment"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes()
    assert (one.lesion_anchors, one.paths) == (other.lesion_anchors, other.paths)


# --- batches


def test_a_batch_is_the_same_whenever_it_is_made(maker):
    one, other = maker(), maker()
    ahead = list(one.batches(3, 6))
    for batch, number in zip(ahead, (3, 4, 5), strict=True):
        assert_equal(batch, other.make(number))
    assert not np.array_equal(one.make(2).images, one.make(5).images)


def test_a_batch_holds_what_its_type_says(maker):
    batch = maker(augment=False, train={"batch_size": 6, "group_by": "none"}).make(0)
    assert batch.images.dtype == np.uint8 and batch.images.shape == (6, 128, 128)
    assert batch.shapes.dtype == np.int32 and batch.shapes.tolist() == [[128, 128]] * 6
    assert batch.regression.dtype == np.float32 and batch.assignment.dtype == np.int16
    assert batch.regression.shape == (*batch.assignment.shape, 4)
    assert batch.lesion_anchors == (batch.assignment == 0).sum() > 0
    assert batch.paths == tuple(f"img/{number}.png" for number in range(6))


def test_without_augmentation_films_are_as_they_are(maker, films):
    batch = maker(augment=False, train={"batch_size": 6, "group_by": "none"}).make(0)
    for number, image in enumerate(batch.images):
        assert np.array_equal(image, read_film(films / f"img/{number}.png"))


@pytest.mark.parametrize("group_by", ["ratio", "random", "none"])
def test_an_epoch_shows_every_film(maker, group_by):
    made = maker(train={"group_by": group_by, "batch_size": 4})
    assert {index for number in range(made.steps) for index in made.members(number)} == set(range(6))


@pytest.mark.parametrize("group_by", ["ratio", "random"])
def test_the_order_differs_between_epochs(maker, group_by):
    made = maker(train={"group_by": group_by})
    orders = [[made.members(turn * 3 + place) for place in range(3)] for turn in range(5)]
    assert len({str(order) for order in orders}) > 1


def test_films_of_like_shape_share_a_batch_without_any_film_being_read(tmp_path, anchors):
    sizes = [(64, 128), (128, 64), (64, 120), (120, 64)]
    paths = [f"{number}.png" for number in range(len(sizes))]
    rows = []
    for path, (width, height) in zip(paths, sizes, strict=True):
        cv2.imwrite(str(tmp_path / path), np.zeros((height, width), np.uint8))
        rows.append(image_row(path, path, width, height))
    write_table(tmp_path / "images.csv", Image, rows)
    write_annotations(tmp_path / "train.csv", [(path, [LabelledBox(1, 1, 9, 9, "m")]) for path in paths])
    write_classes(tmp_path / "class.csv", ["m"])
    write_network_films(tmp_path / "images.csv", SideSettings(min=64, max=128), 8, tmp_path / "network.csv")
    films = NetworkFilms(tmp_path / "network.csv")
    films.read = None
    table, _ = read_train_set(tmp_path / "train.csv", tmp_path / "class.csv", films)
    made = BatchMaker(films, table, anchors, tiny_settings(train={"group_by": "ratio"}))
    assert {frozenset(made.members(number)) for number in range(2)} == {frozenset({0, 2}), frozenset({1, 3})}


def test_a_batch_is_that_of_a_whole_step(maker):
    made = maker(train={"batch_size": 1, "accumulate": 3, "devices": 2})
    assert len(made.make(0).paths) == 6
    assert made.steps == made.round_length == 1


def test_the_number_of_steps_is_as_asked(maker):
    assert maker(train={"steps": 7}).steps == 7
    assert maker(train={"steps": 7}).round_length == 3


@pytest.mark.parametrize("group_by", ["ratio", "random", "none"])
def test_films_with_lesions_stand_in_a_round_as_often_as_asked(maker, group_by):
    made = maker(train={"oversample_lesions": 3, "group_by": group_by, "batch_size": 2})
    shown = Counter(index for number in range(made.steps) for index in made.members(number))
    assert made.steps == 7
    assert shown == {0: 3, 1: 3, 2: 3, 3: 3, 4: 1, 5: 1}


def test_copies_of_a_film_are_changed_each_in_its_own_way(maker):
    made = maker(train={"oversample_lesions": 2, "group_by": "none", "batch_size": 10})
    batch = made.make(0)
    places = [place for place, path in enumerate(batch.paths) if path == "img/0.png"]
    assert len(places) == 2
    assert not np.array_equal(*batch.images[places])


def test_memory_does_not_grow_with_the_number_of_batches(maker):
    made = maker(train={"batch_size": 2})

    def peak(count: int) -> int:
        tracemalloc.start()
        for _ in made.batches(0, count):
            pass
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    peak(5)
    assert peak(60) < 1.5 * peak(20)


# --- changes


def test_without_augmentation_nothing_is_drawn_into_a_film():
    film = np.arange(64, dtype=np.uint8).reshape(8, 8)
    boxes, labels = np.array([[1.0, 2, 5, 6]]), np.array([0])
    changed, moved, _ = augment(film, boxes, labels, AugmentationSettings(**STILL), np.random.default_rng(0))
    assert np.array_equal(changed, film)
    assert np.array_equal(moved, boxes)


@pytest.mark.parametrize("bits", [8, 16])
def test_a_flip_moves_film_and_box_alike(bits):
    film = np.zeros((64, 64), f"uint{bits}")
    film[10:20, 4:16] = 2**bits - 1
    always = AugmentationSettings(**{**STILL, "flip_x": 1.0})
    changed, boxes, _ = augment(
        film, np.array([[4.0, 10, 16, 20]]), np.array([0]), always, np.random.default_rng(0)
    )
    x1, y1, x2, y2 = np.rint(boxes[0]).astype(int)
    assert changed.dtype == film.dtype
    assert changed[y1 + 1 : y2 - 1, x1 + 1 : x2 - 1].min() == 2**bits - 1
    assert x1 > 40


def test_a_moved_box_is_the_one_around_its_moved_corners():
    """As keras-retinanet's transform_aabb says; what was done to the film is found by marks in its corners."""
    settings = AugmentationSettings(**{**STILL, "rotation": (0.1, 0.1), "shear": (0.05, 0.05)})
    cos, sin = np.cos(0.1), np.sin(0.1)
    matrix = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    matrix = matrix @ [[1, -np.sin(0.05), 0], [0, np.cos(0.05), 0], [0, 0, 1]]
    to, back = np.eye(3), np.eye(3)
    to[:2, 2], back[:2, 2] = (40, 30), (-40, -30)
    boxes = np.array([[20.0, 10, 50, 30], [5, 5, 9, 40]])
    _, moved, _ = augment(
        np.zeros((60, 80), np.uint8), boxes, np.array([0, 1]), settings, np.random.default_rng(0)
    )
    expected = [transform_aabb(to @ matrix @ back, box) for box in boxes]
    assert moved == pytest.approx(np.clip(expected, 0, [80, 60, 80, 60]))


def test_a_lesion_moved_off_the_film_is_no_target():
    away = AugmentationSettings(**{**STILL, "translation": (0.9, 0.9)})
    film, box = np.zeros((64, 64), np.uint8), np.array([[40.0, 40, 60, 60]])
    _, boxes, labels = augment(film, box, np.array([0]), away, np.random.default_rng(0))
    assert len(boxes) == len(labels) == 0


def changed_tone(film: np.ndarray, **changes) -> np.ndarray:
    settings = AugmentationSettings(**{**STILL, **changes})
    return augment(film, np.zeros((0, 4)), np.zeros(0, int), settings, np.random.default_rng(0))[0]


@pytest.mark.parametrize("bits", [8, 16])
def test_contrast_is_about_the_film_s_mean_and_brightness_a_share_of_white(bits):
    top = 2**bits - 1
    film = np.array([[0, top // 5], [2 * (top // 5), top]], f"uint{bits}")
    mean = film.mean()
    found = changed_tone(film, contrast=(0.5, 0.5), brightness=(0.1, 0.1))
    assert np.abs(found - ((film - mean) * 0.5 + mean + 0.1 * top)).max() <= 0.51
    assert changed_tone(film, brightness=(0.5, 0.5)).max() == top
    assert changed_tone(film, brightness=(-0.5, -0.5)).min() == 0


@pytest.mark.parametrize("bits", [8, 16])
def test_noise_is_drawn_for_each_pixel_with_the_deviation_asked_for(bits):
    top = 2**bits - 1
    found = changed_tone(np.full((200, 200), top // 2, f"uint{bits}"), noise=0.05)
    assert found.std() / top == pytest.approx(0.05, rel=0.03)
    assert found.mean() / top == pytest.approx(0.5, abs=0.005)


# --- laying out


def test_smaller_films_are_padded_with_black_to_whole_strides():
    batch = pad([np.full((40, 64), 9, np.uint16), np.full((33, 20), 9, np.uint16)])
    assert batch.dtype == np.uint16 and batch.shape == (2, 64, 64)
    assert (batch[0, :40] == 9).all() and (batch[1, :33, :20] == 9).all()
    assert batch.sum() == 9 * (40 * 64 + 33 * 20)


def test_black_is_black_to_the_network():
    batch = pad([np.full((40, 64), 255, np.uint8), np.full((33, 20), 255, np.uint8)])
    fed = preprocess(tf.constant(batch), "tf").numpy()
    assert fed.shape == (2, 64, 64, 3)
    assert fed[0, :40].min() == 1
    assert fed[0, 40:].max() == fed[1, 33:].max() == -1
