"""A network finds in films what keras-retinanet's own inference model finds in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from keras_retinanet.models import convert_model
from keras_retinanet.utils.image import preprocess_image

from mammo.detector.anchors import anchor_parameters
from mammo.detector.look import Detector, batch_shape, mirrored, select_boxes
from mammo.detector.model import build_model, preprocessing_mode
from mammo.settings import DetectSettings, ExperimentSettings
from mammo.tables.boxes import iou_matrix

from .conftest import tiny_settings

FLOOR = 0.05
DEFAULT_ANCHORS = {
    "pyramid_levels": (3, 4, 5, 6, 7),
    "sizes": (32.0, 64.0, 128.0, 256.0, 512.0),
    "strides": (8, 16, 32, 64, 128),
}


def settings_of(backbone: str, **detect: Any) -> ExperimentSettings:
    anchors = {} if backbone == "plain" else DEFAULT_ANCHORS
    return tiny_settings(
        model={"backbone": backbone, "anchors": anchors}, detect={"score_floor": FLOOR, **detect}
    )


def lively_model(settings: ExperimentSettings, classes: int = 2) -> Any:
    """A network whose random heads give scores from 0 to 1, few above the floor, and boxes off their anchors."""
    model = build_model(settings.model, classes, 3)
    rng = np.random.default_rng(3)
    for output, kind in enumerate(("regression", "classification")):
        head = model.get_layer(f"{kind}_submodel")
        for layer in head.layers:
            if layer.weights:
                shape = layer.kernel.shape
                layer.set_weights(
                    [rng.normal(0, (2 / np.prod(shape[:3])) ** 0.5, shape), np.zeros(shape[-1])]
                )
        last = head.get_layer(f"pyramid_{kind}")
        for _ in range(2):  # until what it says has a deviation of 1
            said = (
                model(network_input(film_of(0, (96, 96)), settings)[np.newaxis])[output].numpy().astype(float)
            )
            spread = np.std(said if output == 0 else np.log(said / (1 - said)))
            last.set_weights([last.kernel.numpy() / spread, last.bias.numpy()])
        last.set_weights([last.kernel.numpy(), last.bias.numpy() - 4 * output])
    return model


def film_of(seed: int, shape: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def network_input(film: np.ndarray, settings: ExperimentSettings) -> np.ndarray:
    return preprocess_image(
        np.repeat(film[..., np.newaxis], 3, axis=2), preprocessing_mode(settings.model.backbone)
    )


def package_boxes(model: Any, film: np.ndarray, settings: ExperimentSettings) -> np.ndarray:
    """What keras-retinanet finds: rows of x1, y1, x2, y2, score, class id."""
    inference = convert_model(
        model, anchor_params=anchor_parameters(settings.model.anchors),
        pyramid_levels=list(settings.model.anchors.pyramid_levels), score_threshold=FLOOR,
    )  # fmt: skip
    boxes, scores, labels = (
        output[0] for output in inference.predict_on_batch(network_input(film, settings)[np.newaxis])
    )
    rows = np.column_stack([boxes, scores, labels])[scores >= 0]
    return rows[(rows[:, 2] > rows[:, 0]) & (rows[:, 3] > rows[:, 1])]


def assert_same(ours: np.ndarray, theirs: np.ndarray) -> None:
    """As many boxes, and for each of theirs one of ours: of its class, its score to 1e-4, an IoU above 0.99."""
    assert len(ours) == len(theirs)
    overlap = iou_matrix(theirs[:, :4], ours[:, :4])
    alike = np.abs(theirs[:, 4, None] - ours[None, :, 4]) < 1e-4
    assert ((overlap > 0.99) & alike & (theirs[:, 5, None] == ours[None, :, 5])).any(axis=1).all()


@pytest.fixture(scope="module")
def plain() -> Any:
    """A lively network of the plain backbone."""
    return lively_model(settings_of("plain"))


@pytest.mark.parametrize("backbone", ["plain", "mobilenet128_0.25"])
@pytest.mark.parametrize(
    ("shape", "frozen"), [((96, 64), False), ((101, 77), True)], ids=["multiples", "odd-frozen"]
)
def test_boxes_are_those_of_keras_retinanet(backbone, shape, frozen):
    settings = settings_of(backbone, pad=False)
    model, film = lively_model(settings), film_of(1, shape)
    (found,) = Detector(model, settings, frozen=frozen).look([film])
    expected = package_boxes(model, film, settings)
    assert 20 < len(expected) < 300
    assert len(set(expected[:, 5])) == 2
    assert_same(found, expected)


def test_a_film_on_multiples_of_32_is_what_keras_retinanet_sees_with_black_around_it(plain):
    settings = settings_of("plain")
    model, film = plain, film_of(1, (90, 70))
    detector = Detector(model, settings)
    batch = detector.lay_out([film])
    assert batch.shape == (1, 96, 96)
    theirs = model(network_input(batch[0], settings)[np.newaxis], training=False)
    for ours, one in zip(detector.outputs(batch), theirs, strict=True):
        assert ours.numpy() == pytest.approx(one.numpy(), abs=1e-5)


def test_films_of_one_batch_are_seen_as_each_by_itself(plain):
    settings = settings_of("plain")
    detector = Detector(plain, settings)
    films = [film_of(1, (64, 64)), film_of(2, (60, 50)), film_of(3, (33, 64))]
    for together, film in zip(detector.look(films), films, strict=True):
        (alone,) = detector.look([film])
        assert together == pytest.approx(alone, abs=1e-3)


def test_what_the_heads_said_gives_the_same_boxes_without_another_look(plain):
    settings = settings_of("plain")
    detector = Detector(plain, settings)
    films = [film_of(1, (64, 64)), film_of(2, (60, 50))]
    batch, shapes = detector.lay_out(films), [film.shape for film in films]
    outputs = detector.outputs(batch)
    assert outputs[0].shape == (2, outputs[1].shape[1], 4)
    for ours, looked in zip(
        detector.boxes(outputs, batch.shape[1:], shapes), detector.look(films), strict=True
    ):
        assert ours.tolist() == looked.tolist()


def test_a_detector_that_is_not_frozen_follows_its_model():
    settings = settings_of("plain")
    model = lively_model(settings)
    films = [film_of(1, (64, 64))]
    live, frozen = Detector(model, settings), Detector(model, settings, frozen=True)
    before = live.look(films)[0]
    layer = model.get_layer("classification_submodel").get_layer("pyramid_classification")
    layer.set_weights([array * 0 - 20 for array in layer.get_weights()])
    assert len(before) and len(live.look(films)[0]) == 0
    assert frozen.look(films)[0] == pytest.approx(before, abs=1e-3)


def test_a_film_without_candidates_has_no_boxes(plain):
    settings = settings_of("plain", score_floor=1.0)
    detector = Detector(plain, settings)
    assert [rows.shape for rows in detector.look([film_of(1, (64, 64)), film_of(2, (64, 64))])] == [
        (0, 6)
    ] * 2


def test_films_of_16_bits_are_seen_as_finer_grey_levels(plain):
    settings = settings_of("plain")
    model, film = plain, film_of(1, (64, 64))
    deep = Detector(model, tiny_settings(bits=16, detect={"score_floor": FLOOR}))
    assert deep.look([film.astype(np.uint16) * 257])[0] == pytest.approx(
        Detector(model, settings).look([film])[0], abs=1e-3
    )


@pytest.mark.parametrize("shape", [(64, 64), (64, 50)], ids=["whole-strides", "part-of-a-stride"])
def test_with_flip_a_mirrored_film_has_the_mirrored_boxes(plain, shape):
    settings = settings_of("plain", flip=True, nms_threshold=1.0, max_detections=10_000)
    detector = Detector(plain, settings)
    film = film_of(1, shape)
    (ours,), (turned,) = detector.look([film]), detector.look([film[:, ::-1]])
    back = np.column_stack([mirrored(turned[:, :4], shape[1]), turned[:, 4:]])
    ours, back = (inner(rows, shape[1]) for rows in (ours, back))
    assert len(ours) > 20
    assert_same(ours, back)


def inner(rows: np.ndarray, width: int) -> np.ndarray:
    """Boxes that no side of the film has cut: the package leaves out the last column, but not the first."""
    return rows[(rows[:, 0] > 1) & (rows[:, 2] < width - 1)]


def test_flip_finds_what_either_look_finds_once(plain):
    once, twice = settings_of("plain"), settings_of("plain", flip=True)
    model, film = plain, film_of(1, (64, 64))
    (one,) = Detector(model, once).look([film])
    (other,) = Detector(model, once).look([film[:, ::-1]])
    (both,) = Detector(model, twice).look([film])
    assert both[0, 4] == pytest.approx(max(one[0, 4], other[0, 4]), abs=1e-5)
    assert len(both) < len(one) + len(other)


def test_the_mirror_image_alone_has_the_boxes_of_the_turned_film_turned_back(plain):
    same = {"nms_threshold": 1.0, "max_detections": 10_000}
    film = film_of(1, (64, 50))
    (found,) = Detector(plain, settings_of("plain", flip="only", **same)).look([film])
    (turned,) = Detector(plain, settings_of("plain", **same)).look([film[:, ::-1]])
    back = np.column_stack([mirrored(turned[:, :4], 50), turned[:, 4:]])
    found, back = inner(found, 50), inner(back, 50)
    assert len(found) > 20
    assert_same(found, back)


def test_weaker_doubles_are_dropped_and_boxes_clipped():
    boxes = np.array([[-5.0, 0, 20, 20], [0, 0, 20, 19], [30, 30, 90, 50], [70, 70, 80, 80]])
    kept = select_boxes(
        boxes, np.array([0.6, 0.9, 0.3, 0.9], "float32"), np.zeros(4, int), (64, 64), DetectSettings()
    )
    # As keras-retinanet's ClipBoxes: the last row and column are left out.
    assert kept[:, :4].tolist() == [[0, 0, 20, 19], [30, 30, 63, 50]]
    assert kept[:, 4] == pytest.approx([0.9, 0.3])


def test_doubles_of_another_class_stay():
    boxes = np.array([[0.0, 0, 20, 20], [0, 0, 20, 20]])
    kept = select_boxes(boxes, np.array([0.6, 0.9], "float32"), np.array([0, 1]), (64, 64), DetectSettings())
    assert kept[:, 5].tolist() == [1, 0]


def test_a_batch_holds_its_largest_film_and_whole_strides_if_padded():
    films = [(33, 64), (64, 20)]
    assert batch_shape(films, DetectSettings()) == (64, 64)
    assert batch_shape([(33, 65)], DetectSettings()) == (64, 96)
    assert batch_shape([(33, 65)], DetectSettings(pad=False)) == (33, 65)
