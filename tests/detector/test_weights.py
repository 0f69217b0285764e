"""Initial weights."""

from __future__ import annotations

import urllib.request

import h5py
import numpy as np
import pytest

from mammo.detector.model import build_model
from mammo.detector.weights import imagenet_source, load_by_name, load_exactly, load_initial, weight_file
from mammo.errors import UserError
from mammo.settings import WeightSettings

from .conftest import tiny_settings

IMAGENET = WeightSettings(source="imagenet")
RESNET = tiny_settings(model={"backbone": "resnet50"}).model


def test_offline_the_error_says_which_file_to_put_where(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setattr("tf_keras.src.utils.data_utils.urlretrieve", refuse)
    with pytest.raises(UserError) as error:
        weight_file(RESNET, IMAGENET)
    for part in (
        "no route to host",
        "https://github.com/fizyr/keras-models/releases/download/v0.0.1/ResNet-50-model.keras.h5",
        "MD5 3e9f4e4f77bbe2c9bec13b53ee1c2319",
        f"put it at {tmp_path}/models/ResNet-50-model.keras.h5",
        "weights.path",
    ):
        assert part in str(error.value)


def test_a_file_with_another_checksum_is_refused(tmp_path):
    (tmp_path / "w.h5").write_bytes(b"not the weights")
    with pytest.raises(UserError, match=r"its MD5 is .*, expected 3e9f4e4f77bbe2c9bec13b53ee1c2319"):
        weight_file(RESNET, WeightSettings(source="imagenet", path=str(tmp_path / "w.h5")))


def test_the_plain_backbone_has_no_imagenet_weights():
    with pytest.raises(UserError, match="no ImageNet weights for the backbone plain"):
        weight_file(tiny_settings().model, IMAGENET)


@pytest.mark.parametrize("backbone", ["vgg19", "densenet169", "resnet152", "mobilenet224_1.0"])
def test_every_backbone_has_a_source(backbone):
    assert imagenet_source(backbone).url.startswith("https://")


def test_weights_are_taken_by_layer_name_and_shape(tmp_path):
    stored = build_model(tiny_settings(model={"pyramid_features": 16}).model, 1, 5)
    stored.save_weights(tmp_path / "w.h5")
    wanted = stored.get_layer("plain_3a").get_weights()
    model = build_model(tiny_settings().model, 1, 6)
    report = load_by_name(model, tmp_path / "w.h5")
    assert "plain_3a" in report.taken
    assert report.unlike["P3"] == "an array 0 of shape (3, 3, 16, 16), the network wants (3, 3, 8, 8)"
    assert np.array_equal(model.get_layer("plain_3a").get_weights()[0], wanted[0])


def test_a_file_of_which_nothing_fits_is_refused(tmp_path):
    build_model(tiny_settings(model={"backbone": "mobilenet128_0.25"}).model, 1).save_weights(
        tmp_path / "w.h5"
    )
    other = tiny_settings(model={"pyramid_features": 16, "head_features": 16}).model
    with pytest.raises(UserError, match=r"none of its .* layers fits"):
        load_by_name(build_model(other, 1), tmp_path / "w.h5")


def test_a_snapshot_gives_all_its_weights(tmp_path):
    stored = build_model(tiny_settings().model, 1, 5)
    stored.save(tmp_path / "s.h5", save_format="h5")
    wanted = stored.get_weights()
    model = build_model(tiny_settings().model, 1, 6)
    load_initial(model, tmp_path / "s.h5", WeightSettings(source="snapshot", path="s.h5"))
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), wanted, strict=True))


def test_a_network_with_other_classes_is_named(tmp_path):
    build_model(tiny_settings().model, 2).save_weights(tmp_path / "s.h5")
    with pytest.raises(UserError, match="classification_submodel has an array"):
        load_exactly(build_model(tiny_settings().model, 1), tmp_path / "s.h5")


def test_the_report_says_what_did_not_match_on_either_side(tmp_path):
    levels = {"pyramid_levels": (3, 4, 5, 6), "sizes": (12.0, 24.0, 48.0, 96.0), "strides": (8, 16, 32, 64)}
    build_model(tiny_settings(model={"anchors": levels}).model, 1).save(tmp_path / "w.h5", save_format="h5")
    report = load_by_name(build_model(tiny_settings().model, 2), tmp_path / "w.h5")
    assert report.unused == ("P6",)
    assert report.absent == ()
    assert list(report.unlike) == ["classification_submodel"]
    text = str(report)
    assert "in the file only: P6" in text
    assert "classification_submodel has an array" in text


@pytest.mark.parametrize("whole", [True, False], ids=["full model", "weights only"])
def test_a_file_of_an_earlier_version_is_read_without_running_anything_in_it(tmp_path, whole):
    """Full models of Keras 2 carry a config that loading by Keras would execute, layers of code included."""
    stored = build_model(tiny_settings().model, 1, 5)
    if whole:
        stored.save(tmp_path / "w.h5", save_format="h5")
        with h5py.File(tmp_path / "w.h5", "r+") as file:
            file.attrs["model_config"] = (
                '{"class_name": "Lambda", "config": {"function": "no JSON that Keras knows"}}'
            )
    else:
        stored.save_weights(tmp_path / "w.h5")
    model = build_model(tiny_settings().model, 1, 6)
    report = load_by_name(model, tmp_path / "w.h5")
    assert not report.absent and not report.unused and not report.unlike
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), stored.get_weights(), strict=True))
