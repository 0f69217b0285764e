"""A step: the same answer as keras-retinanet's, in parts and on several devices as in one, in 16 bits nearly."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mammo.detector.keras import keras, tf  # isort: skip
import keras_retinanet.models as package
from keras_retinanet import losses as package_losses
from keras_retinanet.preprocessing.csv_generator import CSVGenerator

from mammo.detector.anchors import Anchors
from mammo.detector.batches import BatchMaker, read_train_set
from mammo.detector.model import build_model, preprocessing_mode
from mammo.detector.network_films import NetworkFilms
from mammo.detector.preprocess import preprocess
from mammo.detector.step import FIRST_SCALE, LossScale, Step, adam, training_strategy
from mammo.detector.weights import load_exactly
from mammo.tables.csvio import write_table
from mammo.tables.records import Image
from mammo.tables.retinanet_csv import LabelledBox, write_annotations, write_classes

from .conftest import draw_film, image_row, make_films, tiny_settings, training_files

STEPS = 20


def batches(folder: Path, settings, model, augment=True) -> BatchMaker:
    files = training_files(folder, settings)
    films = NetworkFilms(files.films)
    members, _ = read_train_set(files.table, files.classes, films)
    return BatchMaker(films, members, Anchors(model, settings.model.anchors), settings, augment=augment)


def made(settings):
    """Model and step as the training loop makes them."""
    strategy = training_strategy(settings.train.devices)
    model = build_model(settings.model, 1, settings.train.seed, settings.train.precision, strategy)
    with strategy.scope():
        optimizer = adam(settings, model.trainable_variables)
    return model, Step(model, optimizer, settings, [1.0], strategy)


# --- the same answer as keras-retinanet -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def at_network_size(tmp_path_factory) -> Path:
    """Films of 128×96 that nobody scales, one of them without a lesion, and their tables."""
    folder = tmp_path_factory.mktemp("same")
    rows, table = [], []
    for index in range(5):
        box = (10 + 9 * index, 20 + 6 * index, 50 + 9 * index, 60 + 6 * index) if index else None
        draw_film(folder / f"img/{index}.png", box, index, (128, 96))
        rows.append((f"img/{index}.png", [LabelledBox(*box, "malignant")] if box else []))
        table.append(image_row(f"same.{index}", f"img/{index}.png", 96, 128))
    write_annotations(folder / "train.csv", rows)
    write_classes(folder / "class.csv", ["malignant"])
    write_table(folder / "train.images.csv", Image, table)
    return folder


def give_sane_norms(model, films) -> None:
    """Make random weights behave as trained ones, in which a rounding error stays one.

    Every batch normalisation gets statistics of these films (without any, activations explode), and those at the end of
    a residual branch a small factor.
    """
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.freeze, layer.trainable, layer.momentum = False, True, 0.0
            if layer.name.endswith("branch2c"):
                layer.gamma.assign(0.1 * tf.ones_like(layer.gamma))
    model(films, training=True)


@pytest.mark.parametrize("backbone", ["resnet50", "mobilenet128_0.25"])
def test_losses_follow_keras_retinanets_own_loop(at_network_size, tmp_path, backbone):
    settings = tiny_settings(
        model={"backbone": backbone, "pyramid_features": 256, "head_features": 256,
               "anchors": {"pyramid_levels": (3, 4, 5, 6, 7), "sizes": (32.0, 64.0, 128.0, 256.0, 512.0),
                           "strides": (8, 16, 32, 64, 128)}},
        sides={"min": 96, "max": 128},
        train={"batch_size": 1, "learning_rate": 1e-5, "clip_norm": 0.001, "group_by": "none"},
    )  # fmt: skip
    start = package.backbone(backbone).retinanet(1)
    model, step = made(settings)
    maker = batches(at_network_size, settings, model, augment=False)
    give_sane_norms(start, preprocess(tf.constant(maker.make(1).images), preprocessing_mode(backbone)))
    start.save_weights(tmp_path / "start.h5")
    load_exactly(model, tmp_path / "start.h5")
    ours = [step(maker.make(number)) for number in range(STEPS)]

    reference = package.backbone(backbone).retinanet(1)
    reference.load_weights(tmp_path / "start.h5", by_name=True)
    reference.compile(
        loss={"regression": package_losses.smooth_l1(), "classification": package_losses.focal()},
        optimizer=keras.optimizers.Adam(learning_rate=1e-5, clipnorm=0.001),
    )
    generator = CSVGenerator(
        str(at_network_size / "train.csv"), str(at_network_size / "class.csv"), batch_size=1, group_method="none",
        shuffle_groups=False, image_min_side=96, image_max_side=128,
        preprocess_image=package.backbone(backbone).preprocess_image,
    )  # fmt: skip
    theirs = [
        reference.train_on_batch(*generator[number % len(generator)], return_dict=True)
        for number in range(STEPS)
    ]
    assert [each.classification for each in ours] == pytest.approx(
        [each["classification_loss"] for each in theirs], rel=1e-4
    )
    assert [each.regression for each in ours] == pytest.approx(
        [each["regression_loss"] for each in theirs], rel=1e-4
    )
    assert ours[0].classification != pytest.approx(ours[5].classification, rel=1e-4)  # something is learned


def test_a_snapshot_of_keras_retinanet_and_one_of_ours_are_each_other_s(tmp_path):
    settings = tiny_settings(
        model={"backbone": "mobilenet128_0.25", "pyramid_features": 256, "head_features": 256,
               "anchors": {"pyramid_levels": (3, 4, 5, 6, 7), "sizes": (32.0, 64.0, 128.0, 256.0, 512.0),
                           "strides": (8, 16, 32, 64, 128)}},
    )  # fmt: skip
    film = np.random.default_rng(0).normal(0, 1, (1, 64, 96, 3)).astype("float32")
    theirs = package.backbone("mobilenet128_0.25").retinanet(1)
    theirs.compile(
        loss={"regression": package_losses.smooth_l1(), "classification": package_losses.focal()},
        optimizer=keras.optimizers.Adam(learning_rate=1e-5, clipnorm=0.001),
    )
    theirs.save(tmp_path / "theirs.h5", save_format="h5")  # with losses and optimizer, as its train.py
    expected = [each.numpy() for each in theirs(film)]
    ours = build_model(settings.model, 1, 9)
    load_exactly(ours, tmp_path / "theirs.h5")
    for found, wanted in zip(ours(film), expected, strict=True):
        assert np.allclose(found, wanted, atol=1e-6)
    ours.save(tmp_path / "ours.h5", save_format="h5", include_optimizer=False)
    back = package.load_model(str(tmp_path / "ours.h5"), backbone_name="mobilenet128_0.25")
    for found, wanted in zip(back(film), expected, strict=True):
        assert np.allclose(found, wanted, atol=1e-6)


# --- parts and devices ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> Path:
    return make_films(tmp_path_factory.mktemp("films"))


def gradients(films, number=0, **train):
    """Losses and gradients of the first batch of four films, however it is cut."""
    settings = tiny_settings(train=train)
    model, step = made(settings)
    batch = batches(films, settings, model).make(number)
    assert len(batch.images) == 4
    losses, found = step._of_batch(batch)
    return step._first(losses).numpy(), [step._first(each).numpy() for each in found]


def test_gradients_that_are_accumulated_are_those_of_the_whole_batch(films):
    whole_losses, whole = gradients(films, batch_size=4)
    losses, parts = gradients(films, batch_size=1, accumulate=4)
    assert losses == pytest.approx(whole_losses, rel=1e-5)
    for part, one in zip(parts, whole, strict=True):
        assert np.allclose(part, one, rtol=1e-4, atol=1e-6 * np.abs(one).max() + 1e-12)


# TensorFlow's devices can be cut up only before it starts, so this runs in a process of its own.
TWO_DEVICES = """
import sys
from pathlib import Path
from mammo.detector.keras import tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import numpy as np
from detector.test_step import gradients
films = Path(sys.argv[1])
whole_losses, whole = gradients(films, batch_size=4)
losses, parts = gradients(films, batch_size=2, devices=2)
assert np.allclose(losses, whole_losses, rtol=1e-5), (losses, whole_losses)
for part, one in zip(parts, whole):
    assert np.allclose(part, one, rtol=1e-4, atol=1e-6 * np.abs(one).max() + 1e-12)

from detector.conftest import tiny_settings, training_files
from mammo.detector.train import train
from mammo.metrics.epoch import epoch_figures
from mammo.detector.weights import read_layers
after = []
for name, cut in (("one", {"batch_size": 4}), ("two", {"batch_size": 2, "devices": 2})):
    settings = tiny_settings(train={"epochs": 1, "ema_decay": 0.9, **cut})
    done = train(training_files(films, settings, validation="val"), settings, code="c", state=films / name,
                 logs=films / name / "logs", figures=epoch_figures)
    after.append(read_layers(done.folder / "epoch_01.h5")["P3"][0])
assert np.allclose(*after, atol=1e-4), np.abs(after[0] - after[1]).max()
print("equal")
"""


def test_two_devices_step_as_one_with_the_summed_batch(films):
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES, films], capture_output=True, text=True, timeout=300,
        cwd=root, env={"PYTHONPATH": f"{root / 'tests'}:{root / 'scripts'}", "PATH": "", "CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip
    assert done.stdout.strip().endswith("equal"), done.stderr[-3000:]


def test_more_devices_than_there_are_is_an_error_that_says_so():
    from mammo.errors import UserError

    with pytest.raises(UserError, match=r"train.devices asks for 3 GPUs, TensorFlow sees 0"):
        training_strategy(3)


# --- precision and XLA ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def in_float32(films):
    return one_step(films)


def one_step(films, **train):
    settings = tiny_settings(train=train)
    model, step = made(settings)
    return step(batches(films, settings, model).make(0)), model, step


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_sixteen_bits_compute_nearly_the_same_and_learn_in_32(films, in_float32, precision):
    losses, model, _ = one_step(films, precision=precision)
    assert losses.finite
    assert losses.classification == pytest.approx(in_float32[0].classification, rel=0.03)
    assert {weight.dtype for weight in model.weights} == {"float32"} or all(
        weight.dtype == tf.float32 for weight in model.weights
    )
    assert [output.dtype for output in model.outputs] == [tf.float32, tf.float32]
    assert model.get_layer("plain_2a").compute_dtype == precision


def test_an_overflow_of_float16_halves_the_scale_and_the_step_is_made(films):
    settings = tiny_settings(train={"precision": "float16"})
    model, step = made(settings)
    assert step.loss_scale.factor == FIRST_SCALE
    step.loss_scale = LossScale(2.0**60)
    before = model.get_layer("P3").get_weights()[0]
    assert step(batches(films, settings, model).make(0)).finite
    assert step.loss_scale.factor < 2.0**60
    assert not np.array_equal(model.get_layer("P3").get_weights()[0], before)


def test_xla_computes_the_same(films, in_float32):
    losses, model, _ = one_step(films, xla=True)
    assert losses.regression == pytest.approx(in_float32[0].regression, rel=1e-4)
    assert losses.classification == pytest.approx(in_float32[0].classification, rel=1e-4)
    after = in_float32[1].get_layer("P3").get_weights()[0]
    assert np.median(np.abs(model.get_layer("P3").get_weights()[0] - after)) < 1e-5
