"""Which anchors stand for which lesion: keras-retinanet's answer, for every backbone's real outputs."""

from __future__ import annotations

import numpy as np
import pytest

from mammo.detector.keras import tf  # isort: skip
from keras_retinanet.utils import anchors as package

from mammo.detector.anchors import Anchors, Targets
from mammo.detector.model import build_model
from mammo.detector.targets import BACKGROUND, IGNORED
from mammo.settings import AnchorSettings, ModelSettings

from .conftest import tiny_settings

CLASSES = 3
BACKBONES = ["plain", "resnet50", "mobilenet128_0.25", "vgg16", "densenet121"]
SMALL = {"pyramid_features": 8, "head_features": 8}


@pytest.fixture(scope="module", params=BACKBONES)
def model(request):
    settings = ModelSettings(backbone=request.param, **SMALL)
    return build_model(settings, CLASSES)


@pytest.fixture(scope="module")
def plain():
    return build_model(ModelSettings(backbone="plain", **SMALL), CLASSES)


@pytest.fixture(scope="module")
def anchors(plain):
    return Anchors(plain, AnchorSettings())


class Film:
    """Stands for an image where the package looks only at its shape."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = (*shape, 3)


def assert_as_the_package(anchors: Anchors, shape, film_shapes, boxes, labels) -> Targets:
    """Our targets, after they were found equal to `anchor_targets_bbox`'s."""
    ours = anchors.targets(shape, film_shapes, boxes, labels)
    regression, classification = package.anchor_targets_bbox(
        anchors.for_shape(*shape),
        [Film(film) for film in film_shapes],
        [{"bboxes": box, "labels": label} for box, label in zip(boxes, labels, strict=True)],
        CLASSES,
        negative_overlap=anchors.settings.negative_overlap,
        positive_overlap=anchors.settings.positive_overlap,
    )
    state = np.where(ours.assignment >= 0, 1, np.where(ours.assignment == IGNORED, -1, 0))
    assert np.array_equal(state, regression[:, :, -1]) and np.array_equal(state, classification[:, :, -1])
    lesion = state == 1
    assert np.abs(ours.regression[lesion] - regression[lesion, :4]).max(initial=0) <= 1e-5
    assert not ours.regression[~lesion].any()
    assert np.array_equal(np.eye(CLASSES)[ours.assignment[lesion]], classification[lesion, :CLASSES])
    assert ours.lesion_anchors == lesion.sum()
    return ours


def random_boxes(rng: np.random.Generator, film: tuple[int, int], count: int) -> np.ndarray:
    """Boxes of 2 to 700 pixels, cut at the film's border; some on whole pixels."""
    centre = rng.uniform(0, film[::-1], (count, 2))
    half = np.exp(rng.uniform(0, np.log(350), (count, 2)))
    boxes = np.concatenate([centre - half, centre + half], axis=1).clip(0, [*film[::-1]] * 2)
    return np.rint(boxes) if rng.integers(2) else boxes


SIDES = [(320, 256), (321, 255), (200, 333), (97, 161)]


@pytest.mark.parametrize("shape", SIDES, ids=str)
def test_targets_fit_the_output_and_are_the_packages_at_any_side(model, shape):
    regression, _ = model(tf.zeros((1, *shape, 3)))
    anchors = Anchors(model, AnchorSettings())
    rng = np.random.default_rng(shape)
    films = [shape, (shape[0] - 40, shape[1] - 7)]
    boxes = [random_boxes(rng, film, 4) for film in films]
    labels = [rng.integers(0, CLASSES, 4) for _ in films]
    ours = assert_as_the_package(anchors, shape, films, boxes, labels)
    assert ours.regression.shape == (2, *regression.shape[1:]) and ours.assignment.shape == (
        2,
        regression.shape[1],
    )


@pytest.mark.parametrize("seed", range(40))
def test_targets_of_random_boxes_are_the_packages(anchors, seed):
    rng = np.random.default_rng(seed)
    films = [(int(rng.integers(100, 513)), int(rng.integers(100, 417))) for _ in range(2)]
    boxes = [random_boxes(rng, film, int(rng.integers(0, 8))) for film in films]
    labels = [rng.integers(0, CLASSES, len(film)) for film in boxes]
    assert_as_the_package(anchors, (512, 416), films, boxes, labels)


def with_labels(boxes: list[list[float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array(boxes, float).reshape(-1, 4), np.arange(len(boxes)) % CLASSES


@pytest.mark.parametrize(
    "boxes",
    [
        pytest.param([], id="no-box"),
        pytest.param([[40, 40, 104, 104], [104, 40, 168, 104], [40, 104, 104, 168]], id="touching"),
        pytest.param([[40, 40, 104, 104], [40, 40, 104, 104], [40, 40, 104, 104]], id="identical"),
        pytest.param([[30, 30, 200, 200], [90, 90, 120, 130]], id="one-in-another"),
        pytest.param([[0, 0, 60, 50], [196, 206, 256, 256], [0, 200, 256, 256]], id="at-the-border"),
        pytest.param([[0, 0, 256, 256]], id="the-whole-film"),
        pytest.param([[100, 100, 101, 101]], id="one-pixel"),
        pytest.param([[10, 100, 250, 104]], id="a-line"),
        pytest.param([[84, 84, 116, 116], [68, 68, 132, 132]], id="exactly-anchors"),
        pytest.param([[84, 84, 116, 100]], id="half-an-anchor"),
        pytest.param([[92, 84, 124, 116], [76, 84, 108, 116]], id="equally-far-from-an-anchor"),
    ],
)
def test_targets_of_awkward_boxes_are_the_packages(anchors, boxes):
    assert_as_the_package(anchors, (256, 256), [(256, 256)], *([part] for part in with_labels(boxes)))


@pytest.mark.parametrize("film", [(64, 256), (256, 64), (100, 100), (104, 100), (1, 1)], ids=str)
def test_anchors_beyond_a_film_smaller_than_the_input_count_for_nothing(anchors, film):
    boxes, labels = with_labels([[20, 20, 60, 60], [70, 0, 100, 64]])
    ours = assert_as_the_package(anchors, (256, 256), [film], [boxes], [labels])
    middle = anchors.for_shape(256, 256).reshape(-1, 2, 2).mean(axis=1)
    assert (ours.assignment[0][(middle >= film[::-1]).any(axis=1)] == IGNORED).all()


@pytest.mark.parametrize(
    "overlaps", [(0.3, 0.6), (0.5, 0.5), (0.0, 0.5), (0.0, 0.0), (1.0, 1.0), (0.0, 1.0)], ids=str
)
def test_any_overlaps_mean_what_they_mean_to_the_package(plain, overlaps):
    settings = AnchorSettings(negative_overlap=overlaps[0], positive_overlap=overlaps[1])
    boxes, labels = with_labels([[84, 84, 116, 116], [20, 30, 130, 150], [90, 80, 120, 110]])
    assert_as_the_package(Anchors(plain, settings), (160, 160), [(150, 160)], [boxes], [labels])


def test_small_anchors_of_our_own_are_held_against_lesions_alike():
    settings = tiny_settings().model
    anchors = Anchors(build_model(settings, CLASSES), settings.anchors)
    boxes, labels = with_labels([[10, 12, 40, 38], [50, 50, 62, 63]])
    ours = assert_as_the_package(anchors, (64, 96), [(64, 80)], [boxes], [labels])
    assert set(np.unique(ours.assignment)) == {IGNORED, BACKGROUND, 0}


def test_the_lesion_anchors_of_all_films_are_counted(anchors):
    boxes, labels = with_labels([[40, 40, 104, 104]])
    one = anchors.targets((256, 256), [(256, 256)], [boxes], [labels])
    none = np.zeros((0, 4)), np.zeros(0, int)
    both = anchors.targets((256, 256), [(256, 256)] * 3, [boxes, none[0], boxes], [labels, none[1], labels])
    assert both.lesion_anchors == 2 * one.lesion_anchors > 0
