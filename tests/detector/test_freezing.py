"""Freezing by depth, of every kind of backbone."""

from __future__ import annotations

from functools import cache

import pytest

from mammo.detector.freezing import Freezer, backbone_layers
from mammo.detector.model import build_model
from mammo.settings import FreezeSettings

from .conftest import tiny_settings

# A layer of the stage, and one of the next, by the names that the packages give them.
STAGES = [
    ("resnet50", 2, "res2c_branch2c", "res3a_branch2a"),
    ("resnet50", 4, "res4f_branch2c", "res5a_branch2a"),
    ("vgg16", 2, "block2_conv2", "block3_conv1"),
    ("vgg16", 3, "block3_conv3", "block4_conv1"),
    ("mobilenet128_0.25", 3, "conv_pw_5", "conv_dw_6"),
    ("densenet121", 3, "conv3_block12_2_conv", "conv4_block1_1_conv"),
    ("plain", 2, "plain_2b", "plain_3a"),
]


@pytest.fixture(scope="module")
def built():
    """Models by backbone: some take seconds to build."""
    return cache(lambda backbone: build_model(tiny_settings(model={"backbone": backbone}).model, 1))


@pytest.mark.parametrize(("backbone", "stage", "last", "after"), STAGES)
def test_a_stage_ends_where_the_next_stride_begins(backbone, stage, last, after, built):
    names = [layer.name for layer in backbone_layers(built(backbone), stage)]
    assert last in names
    assert after not in names


def trainable(model) -> set[str]:
    return {weight.name.split("/")[0] for weight in model.trainable_weights}


def test_through_c5_only_the_pyramid_and_the_heads_are_trained():
    model = build_model(tiny_settings().model, 1)
    Freezer(model, FreezeSettings(through="C5")).apply(1)
    assert not {name for name in trainable(model) if name.startswith("plain")}
    assert {"P3", "pyramid_regression_0"} <= trainable(model)


def test_layers_thaw_in_their_epoch_and_those_that_were_always_frozen_do_not():
    model = build_model(tiny_settings(model={"backbone": "resnet50"}).model, 1)
    before = trainable(model)
    freezer = Freezer(model, FreezeSettings(through="C3", thaw_epoch=3))
    assert freezer.apply(1)
    assert "res2a_branch2a" not in trainable(model)
    assert not freezer.apply(2)
    assert freezer.apply(3)
    assert trainable(model) == before


def test_none_freezes_nothing():
    freezer = Freezer(build_model(tiny_settings().model, 1), FreezeSettings())
    assert not freezer.apply(1)
