"""The RetinaNet: a backbone of keras-retinanet or our small plain one, its pyramid, and heads of any width."""

from __future__ import annotations

import hashlib
from contextlib import nullcontext
from functools import partial
from typing import Any

import keras_retinanet.models as package
from keras_retinanet.initializers import PriorProbability
from keras_retinanet.models import retinanet as package_retinanet

from mammo.detector.keras import keras, make_deterministic
from mammo.errors import UserError
from mammo.settings import ModelSettings

PLAIN = "plain"
GROUPS = 8  # of the plain backbone's group normalisation, where the channels can be cut so
HEAD_DEVIATION = 0.01  # of the package's initial weights in the heads

layers = keras.layers


def build_model(
    settings: ModelSettings, classes: int, seed: int = 0, precision: str = "float32", strategy: Any = None
) -> Any:
    """The training model: images (B, H, W, 3) float32 → [regression (B, A, 4), classification (B, A, classes)].

    The same seed gives the same initial weights. Layer names are keras-retinanet's, so that snapshots are exchangeable.
    `strategy`: of tf.distribute, whose devices hold the weights; a scope around this call would be lost in it.
    With a `precision` of bfloat16 or float16 the network computes in it; weights and both outputs stay float32.

    Raises:
        UserError: where the backbone cannot serve the pyramid levels asked for, or does not exist in this width.
    """
    make_deterministic(seed)
    policy = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy("float32" if precision == "float32" else f"mixed_{precision}")
    try:
        with strategy.scope() if strategy else nullcontext():
            return _build(settings, classes, seed)
    finally:
        keras.mixed_precision.set_global_policy(policy)


def _build(settings: ModelSettings, classes: int, seed: int) -> Any:
    anchors = len(settings.anchors.ratios) * len(settings.anchors.scales)
    arguments: dict[str, Any] = {
        "num_classes": classes,
        "num_anchors": anchors,
        "pyramid_levels": list(settings.anchors.pyramid_levels),
        "create_pyramid_features": partial(_pyramid_features, feature_size=settings.pyramid_features),
        "submodels": _heads(settings, classes, anchors, seed),
    }
    if settings.backbone == PLAIN:
        return _plain_retinanet(settings, seed, **arguments)
    if 2 in settings.anchors.pyramid_levels and settings.backbone.startswith(("vgg", "mobilenet")):
        raise UserError(
            f"anchors.pyramid_levels: keras-retinanet's {settings.backbone} offers no level 2; take 3 and up"
        )
    try:
        return package.backbone(settings.backbone).retinanet(**arguments)
    except ValueError as error:
        raise UserError(
            f"model.backbone: keras-retinanet cannot build '{settings.backbone}': {error}"
        ) from error


def preprocessing_mode(backbone: str) -> str:
    """How keras-retinanet feeds the backbone: `caffe` (BGR means off; ResNet, VGG) or `tf` (-1..1; all others)."""
    return "caffe" if backbone.startswith(("resnet", "vgg")) else "tf"


def _pyramid_features(*arguments: Any, **named: Any) -> dict[str, Any]:
    """The package's feature pyramid; the two underscores are its own name for it.

    What the package builds behind it joins the heads' outputs of all levels. Scores of 16 bits would lose what the
    focal loss lives on, so whatever the network computes in, from here on it is float32.
    """
    features = getattr(package_retinanet, "__create_pyramid_features")(*arguments, **named)
    keras.mixed_precision.set_global_policy("float32")
    return features


def _layer_seed(seed: int, name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:4], "big")


# --- heads ------------------------------------------------------------------------------------------------------------


def _heads(settings: ModelSettings, classes: int, anchors: int, seed: int) -> list[tuple[str, Any]]:
    """The package's two heads, with two differences.

    The package hands one unseeded initialiser to several layers of one shape, to which Keras gives equal weights: here
    each layer draws its own. And behind the plain backbone, which always starts from nothing, the hidden layers begin
    with He et al.'s deviation (2015, √(2 / inputs)): the package's 0.01 is made for 256 channels and for features
    learned on ImageNet; in narrow heads it lets next to no gradient through, and a short training never gets going.
    """
    prior = PriorProbability(probability=settings.prior_probability)
    return [
        ("regression", _head("regression", 4, anchors, settings, seed, "zeros", None)),
        ("classification", _head("classification", classes, anchors, settings, seed, prior, "sigmoid")),
    ]


def _head(
    kind: str,
    values: int,
    anchors: int,
    settings: ModelSettings,
    seed: int,
    last_bias: Any,
    activation: str | None,
) -> Any:
    def convolution(name: str, filters: int, deviation: float, **arguments: Any) -> Any:
        kernel = keras.initializers.RandomNormal(0.0, deviation, seed=_layer_seed(seed, name))
        return layers.Conv2D(filters, 3, padding="same", kernel_initializer=kernel, name=name, **arguments)

    inputs = outputs = layers.Input((None, None, settings.pyramid_features), name=f"{kind}_input")
    channels = settings.pyramid_features
    for index in range(4):
        deviation = (2 / (9 * channels)) ** 0.5 if settings.backbone == PLAIN else HEAD_DEVIATION
        outputs = convolution(
            f"pyramid_{kind}_{index}", settings.head_features, deviation, activation="relu"
        )(outputs)
        channels = settings.head_features
    outputs = convolution(f"pyramid_{kind}", values * anchors, HEAD_DEVIATION, bias_initializer=last_bias)(
        outputs
    )
    outputs = layers.Reshape((-1, values), name=f"pyramid_{kind}_reshape", dtype="float32")(outputs)
    if activation:
        outputs = layers.Activation(activation, name=f"pyramid_{kind}_{activation}", dtype="float32")(outputs)
    return keras.models.Model(inputs=inputs, outputs=outputs, name=f"{kind}_submodel")


# --- the plain backbone -----------------------------------------------------------------------------------------------


def _plain_retinanet(settings: ModelSettings, seed: int, **arguments: Any) -> Any:
    inputs = layers.Input((None, None, 3), name="image")
    stages: dict[str, Any] = {}
    outputs = inputs
    for number, channels in enumerate(settings.plain_channels, start=1):
        outputs = _plain_convolution(outputs, channels, f"plain_{number}a", 2, seed)
        if number > 1:
            outputs = _plain_convolution(outputs, channels, f"plain_{number}b", 1, seed)
        stages[f"C{number}"] = outputs
    return package_retinanet.retinanet(inputs=inputs, backbone_layers=stages, **arguments)


def _plain_convolution(inputs: Any, channels: int, name: str, stride: int, seed: int) -> Any:
    """3×3 convolution, group normalisation, ReLU: learns from random weights, at a batch of one film too."""
    kernel = keras.initializers.HeNormal(seed=_layer_seed(seed, name))
    outputs = layers.Conv2D(
        channels, 3, strides=stride, padding="same", use_bias=False, kernel_initializer=kernel, name=name
    )(inputs)
    groups = next(groups for groups in range(GROUPS, 0, -1) if channels % groups == 0)
    outputs = layers.GroupNormalization(groups, name=f"{name}_norm")(outputs)
    return layers.ReLU(name=f"{name}_relu")(outputs)
