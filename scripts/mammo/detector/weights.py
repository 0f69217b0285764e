"""Weights in HDF5 files, by layer name: ImageNet's, another file's, a snapshot's. No code of a file is ever run.

Formats: Keras 2's `save_weights` (layers at the root) and `save` (layers under `model_weights`).
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mammo.detector.keras import keras
from mammo.errors import UserError
from mammo.settings import ModelSettings, WeightSettings

LayerWeights = dict[str, list[np.ndarray]]


@dataclass(frozen=True)
class Source:
    """Where keras-retinanet fetches a backbone's ImageNet weights; `md5` is empty where nobody published one."""

    url: str
    md5: str = ""

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.url.rsplit("/", 1)[1]


_RESNET = "https://github.com/fizyr/keras-models/releases/download/v0.0.1/ResNet-{}-model.keras.h5"
_VGG = "https://storage.googleapis.com/tensorflow/keras-applications/{0}/{0}_weights_tf_dim_ordering_tf_kernels_notop.h5"
_DENSENET = (
    "https://github.com/fchollet/deep-learning-models/releases/download/v0.8/"
    "{}_weights_tf_dim_ordering_tf_kernels_notop.h5"
)
_MOBILENET = (
    "https://github.com/fchollet/deep-learning-models/releases/download/v0.6/mobilenet_{}_{}_tf_no_top.h5"
)
_ALPHAS = {1.0: "1_0", 0.75: "7_5", 0.5: "5_0", 0.25: "2_5"}

# ResNet's and VGG's sums are keras-retinanet's own; DenseNet's are those with which Keras 2.1 took the same files.
_SOURCES = {
    "resnet50": Source(_RESNET.format(50), "3e9f4e4f77bbe2c9bec13b53ee1c2319"),
    "resnet101": Source(_RESNET.format(101), "05dc86924389e5b401a9ea0348a3213c"),
    "resnet152": Source(_RESNET.format(152), "6ee11ef2b135592f8031058820bb9e71"),
    "vgg16": Source(_VGG.format("vgg16"), "6d6bbae143d832006294945121d1f1fc"),
    "vgg19": Source(_VGG.format("vgg19"), "253f8cb515780f3b799900260a226db6"),
    "densenet121": Source(_DENSENET.format("densenet121"), "4912a53fbd2a69346e7f2c0b5ec8c6d3"),
    "densenet169": Source(_DENSENET.format("densenet169"), "50662582284e4cf834ce40ab4dfa58c6"),
    "densenet201": Source(_DENSENET.format("densenet201"), "1c2de60ee40562448dbac34a0737e798"),
}


def imagenet_source(backbone: str) -> Source:
    """Where the ImageNet weights of a backbone are. Raises `UserError` where there are none."""
    if backbone in _SOURCES:
        return _SOURCES[backbone]
    if backbone.startswith("mobilenet"):
        rows, alpha = backbone.removeprefix("mobilenet").split("_")
        if float(alpha) in _ALPHAS:
            return Source(_MOBILENET.format(_ALPHAS[float(alpha)], rows))
        raise UserError(
            f"weights.source: ImageNet weights of MobileNet exist for alpha 1.0, 0.75, 0.5 and 0.25, not {alpha}"
        )
    raise UserError(
        f"weights.source: there are no ImageNet weights for the backbone {backbone}; set it to none"
    )


def weight_file(model: ModelSettings, weights: WeightSettings) -> Path | None:
    """The file that the initial weights come from, fetched if need be; None where they are random.

    Raises:
        UserError: offline, or where the file is missing or is not the one expected.
    """
    if weights.source == "none":
        return None
    if weights.source == "imagenet":
        source = imagenet_source(model.backbone)
        path = Path(weights.path).expanduser() if weights.path else _fetched(model.backbone, source)
    else:
        source, path = None, Path(weights.path).expanduser()
    if not path.is_file():
        raise UserError(f"weights.path: {path} does not exist")
    if source and source.md5 and _md5(path) != source.md5:
        raise UserError(
            f"{path}: is not the file of ImageNet weights for {model.backbone}: its MD5 is {_md5(path)}, "
            f"expected {source.md5}; remove it and fetch {source.url} again"
        )
    return path


def _fetched(backbone: str, source: Source) -> Path:
    """As keras-retinanet keeps it: in ~/.keras/models, or below KERAS_HOME."""
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    place = home / "models" / source.name
    if place.is_file():
        return place
    try:
        keras.utils.get_file(
            source.name, source.url, cache_dir=str(home), cache_subdir="models", file_hash=source.md5 or None,
            hash_algorithm="md5",
        )  # fmt: skip
    except Exception as error:  # urllib, sockets, proxies and Keras itself raise all sorts here
        place.unlink(missing_ok=True)  # what there is of a broken download
        checksum = f" (MD5 {source.md5})" if source.md5 else ""
        raise UserError(
            f"the ImageNet weights for {backbone} could not be fetched: {error}. On a machine with a connection fetch "
            f"{source.url}{checksum} and put it at {place}, or name it in weights.path; or set weights.source to none"
        ) from error
    return place


def _md5(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


# --- reading ----------------------------------------------------------------------------------------------------------


def read_layers(path: Path | str) -> LayerWeights:
    """Arrays of each layer that has any, in the layer's order. Raises `UserError` for any other kind of file."""
    try:
        with h5py.File(path, "r") as file:
            root = file.get("model_weights", file)
            names = [_text(name) for name in root.attrs["layer_names"]]
            found = {name: [root[name][key][()] for key in _weight_names(root[name])] for name in names}
    except (OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: is not a weight file or snapshot of Keras 2 (HDF5): {error}") from error
    return {name: arrays for name, arrays in found.items() if arrays}


def _weight_names(group: h5py.Group) -> list[str]:
    """Keras cuts a list that is too long for one attribute into weight_names0, weight_names1, …"""
    if "weight_names" in group.attrs:
        return [_text(name) for name in group.attrs["weight_names"]]
    names: list[str] = []
    chunk = 0
    while f"weight_names{chunk}" in group.attrs:
        names += [_text(name) for name in group.attrs[f"weight_names{chunk}"]]
        chunk += 1
    return names


def _text(value: bytes | str) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else value


# --- taking over ------------------------------------------------------------------------------------------------------


def load_exactly(model: Any, path: Path | str) -> None:
    """Take all weights of a snapshot. Raises `UserError` naming the first layers where the networks differ."""
    stored = read_layers(path)
    wanted = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
    faults = [f"{name} is missing in the snapshot" for name in wanted if name not in stored]
    faults += [f"{name} is not in the network" for name in stored if name not in wanted]
    for name in wanted.keys() & stored.keys():
        here, there = _shapes(wanted[name]), _shapes(stored[name])
        if here != there:
            faults.append(f"{name} has {_difference(there, here)}")
    if faults:
        raise UserError(
            f"{path}: is not a snapshot of the network that the settings describe: {'; '.join(sorted(faults)[:3])}"
            f"{f'; and {len(faults) - 3} more' if len(faults) > 3 else ''}. Check model and the class file"
        )
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(stored[layer.name])


def _difference(there: list[tuple[int, ...]], here: list[tuple[int, ...]]) -> str:
    for index, (stored, wanted) in enumerate(zip(there, here, strict=False)):
        if stored != wanted:
            return f"an array {index} of shape {stored}, the network wants {wanted}"
    return f"{len(there)} arrays, the network wants {len(here)}"


@dataclass(frozen=True)
class Taken:
    """What a model took from a file, layer by layer.

    Attributes:
        taken: layers whose weights were taken.
        absent: layers of the network that the file does not have; they keep their initial weights.
        unused: layers of the file that the network does not have.
        unlike: layers that both have, with other arrays: what the file has and what the network wants.
    """

    taken: tuple[str, ...]
    absent: tuple[str, ...]
    unused: tuple[str, ...]
    unlike: dict[str, str]

    def __str__(self) -> str:
        parts = [f"{len(self.taken)} layers taken"]
        parts += [f"{name} has {what}, so it keeps its initial weights" for name, what in self.unlike.items()]
        if self.absent:
            parts.append(f"not in the file, so as initialised: {', '.join(self.absent)}")
        if self.unused:
            parts.append(f"in the file only: {', '.join(self.unused)}")
        return "; ".join(parts)


def load_by_name(model: Any, path: Path | str) -> Taken:
    """Take the weights of those layers that have the same name and shapes, from a snapshot of any version of ours, from
    keras-retinanet's, or from a file of weights only.

    Raises:
        UserError: if none fits.
    """
    stored = read_layers(path)
    layers = {layer.name: layer for layer in model.layers if layer.weights}
    unlike, taken = {}, []
    for name in [name for name in layers if name in stored]:
        here, there = _shapes(layers[name].get_weights()), _shapes(stored[name])
        if here != there:
            unlike[name] = _difference(there, here)
            continue
        layers[name].set_weights(stored[name])
        taken.append(name)
    absent = tuple(name for name in layers if name not in stored)
    unused = tuple(name for name in stored if name not in layers)
    if not taken:
        raise UserError(
            f"{path}: none of its {len(stored)} layers fits the network by name and shape; "
            f"it has {', '.join(list(stored)[:4])}, …, the network {', '.join(list(layers)[:4])}, …"
        )
    return Taken(tuple(taken), absent, unused, unlike)


def _shapes(arrays: list[np.ndarray]) -> list[tuple[int, ...]]:
    return [tuple(array.shape) for array in arrays]


def load_initial(model: Any, path: Path | None, weights: WeightSettings) -> str:
    """Give the model its initial weights; returns a sentence that says what happened."""
    if path is None:
        return "weights: random"
    if weights.source == "snapshot":
        load_exactly(model, path)
        return f"weights: all from the snapshot {path}"
    return f"weights from {path}: {load_by_name(model, path)}"
