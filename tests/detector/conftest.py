"""Small films with bright discs, and a network small enough to train on them in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mammo.detector.network_films import write_network_films
from mammo.detector.train import TrainingFiles
from mammo.settings import ExperimentSettings
from mammo.tables.csvio import write_table
from mammo.tables.records import Image
from mammo.tables.retinanet_csv import LabelledBox, write_annotations, write_classes

FILMS = 6


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    for key, value in changes.items():
        base[key] = merged(dict(base.get(key, {})), value) if isinstance(value, dict) else value
    return base


def tiny_settings(**changes: Any) -> ExperimentSettings:
    """A plain network for films of 64×64; `changes` replace single keys, however deep."""
    anchors = {"pyramid_levels": (3, 4, 5), "sizes": (12.0, 24.0, 48.0), "strides": (8, 16, 32)}
    base = {
        "train_set": "tiny",
        "model": {
            "backbone": "plain",
            "plain_channels": (8, 8, 8, 8, 8),
            "pyramid_features": 8,
            "head_features": 8,
        },
        "weights": {"source": "none"},
        "sides": {"min": 64, "max": 64},
        "train": {
            "epochs": 2,
            "batch_size": 2,
            "learning_rate": 1e-3,
            "clip_norm": 10.0,
            "group_by": "random",
        },
    }
    base["train"]["schedule"] = {"kind": "constant"}
    base["model"]["anchors"] = anchors
    return ExperimentSettings(**merged(base, changes))


def draw_film(
    path: Path, box: tuple[int, int, int, int] | None, seed: int, shape: tuple[int, int] = (128, 128)
) -> None:
    film = np.random.default_rng(seed).normal(60, 12, shape)
    if box is not None:
        centre, radius = ((box[0] + box[2]) // 2, (box[1] + box[3]) // 2), (box[2] - box[0]) // 2
        film = film + cv2.circle(np.zeros(shape), centre, radius, 120.0, -1)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.clip(film, 0, 255).astype(np.uint8))


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """A folder with train.csv, class.csv and test.images.csv, to be changed at will."""
    return make_films(tmp_path)


def make_films(folder: Path) -> Path:
    """Six films of 128×128, the last two without a lesion, and their tables."""
    rows, table = [], []
    for index in range(FILMS):
        x, y = 16 + 12 * index, 70 - 8 * index
        box = (x, y, x + 32, y + 32) if index < FILMS - 2 else None
        draw_film(folder / f"img/{index}.png", box, index)
        rows.append((f"img/{index}.png", [LabelledBox(*box, "malignant")] if box else []))
        table.append(image_row(f"tiny.{index}", f"img/{index}.png", 128, 128))
    write_annotations(folder / "train.csv", rows)
    write_annotations(folder / "val.csv", rows[3:5])  # one with a lesion, one without
    write_annotations(folder / "normal.csv", rows[4:])
    write_classes(folder / "class.csv", ["malignant"])
    for name, chosen in (("train", table), ("test", table), ("val", table[3:5]), ("normal", table[4:])):
        write_table(folder / f"{name}.images.csv", Image, chosen)
    return folder


def network_index(folder: Path, name: str, settings: ExperimentSettings) -> Path:
    """Index of the films of `<name>.images.csv` at the settings' network size, made if need be."""
    sides = settings.sides
    index = folder / f"network/{sides.min}x{sides.max}x{settings.bits}/{name}.csv"
    if not index.is_file():
        write_network_films(folder / f"{name}.images.csv", sides, settings.bits, index)
    return index


def training_files(
    folder: Path, settings: ExperimentSettings, train: str = "train", validation: str | None = None
) -> TrainingFiles:
    """What a training reads; with the name of a set that is looked at after each epoch, if there is one."""
    looked_at = (
        (folder / f"{validation}.csv", network_index(folder, validation, settings)) if validation else ()
    )
    index = network_index(folder, train, settings)
    return TrainingFiles(folder / f"{train}.csv", index, folder / "class.csv", *looked_at)


def image_row(image_id: str, path: str, width: int, height: int) -> Image:
    return Image(
        image_id=image_id, path=path, dataset="tiny", delivery="", patient=image_id, study="", laterality="", view="",
        width=width, height=height, pixel_mm=None, group="abn", lesion_types="", source=path, source_sha256="0" * 64,
        sha256="0" * 64,
    )  # fmt: skip
