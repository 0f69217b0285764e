"""TensorBoard's files of a training: losses, figures and rates by epoch, a few films with lesions and detections.

The files of earlier runs are replaced by one that begins with the whole history, so that a resumed training shows one
curve. Written without the tensorboard package, which only a viewer needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mammo.detector.keras import tf
from mammo.detector.state import Epoch

LESION, DETECTION = (255, 160, 0), (80, 160, 255)  # as in the overlays: orange, blue; RGB
DRAWN_SCORE, DRAWN = 0.1, 5  # no detection below is drawn, and of the others the strongest


class Board:
    """A folder of events. `history`: epochs that are done already."""

    def __init__(self, folder: Path, history: Sequence[Epoch]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for old in sorted(folder.glob("events.out.tfevents.*")):
            old.unlink()
        self._writer = tf.summary.create_file_writer(str(folder))
        for epoch in history:
            self.write(epoch)

    def write(self, epoch: Epoch, **more: float) -> None:
        """All figures of an epoch, and others by name."""
        figures = {name: getattr(epoch, name) for name in Epoch.model_fields if name != "epoch"} | more
        with self._writer.as_default(step=epoch.epoch):
            for name, value in figures.items():
                if value is not None:
                    # What tf.summary.scalar does; that one wants the tensorboard package.
                    tf.summary.write(name, tf.constant(value, tf.float32), metadata=_plugin("scalars", 1))
        self._writer.flush()

    def show(self, epoch: int, name: str, film: np.ndarray, lesions: np.ndarray, found: np.ndarray) -> None:
        """A grey film (H, W) uint8 or uint16 with its lesions (n, 4) and what was found, (m, 5) box and score."""
        picture = draw(film, lesions, found)
        encoded = cv2.imencode(".png", picture[:, :, ::-1])[1].tobytes()
        height, width = picture.shape[:2]
        with self._writer.as_default(step=epoch):
            values = tf.constant([str(width).encode(), str(height).encode(), encoded])
            tf.summary.write(f"films/{name}", values, metadata=_plugin("images", 2))
        self._writer.flush()

    def close(self) -> None:
        """Nothing is written any more."""
        self._writer.close()


def _plugin(name: str, data_class: int) -> object:
    metadata = tf.compat.v1.SummaryMetadata
    return metadata(plugin_data=metadata.PluginData(plugin_name=name), data_class=data_class)


def draw(film: np.ndarray, lesions: np.ndarray, found: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB: lesions orange, the strongest detections from `DRAWN_SCORE` on blue, with their scores."""
    grey = film if film.dtype == np.uint8 else (film // 257).astype(np.uint8)
    picture = np.ascontiguousarray(np.repeat(grey[:, :, np.newaxis], 3, axis=2))
    for box in lesions:
        _rectangle(picture, box, LESION)
    for *box, score in found[found[:, 4] >= DRAWN_SCORE][:DRAWN][::-1]:
        _rectangle(picture, box, DETECTION)
        place = (int(box[0]) + 2, max(10, int(box[1]) - 3))
        cv2.putText(picture, f"{score:.2f}", place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, DETECTION, 1, cv2.LINE_AA)
    return picture


def _rectangle(picture: np.ndarray, box: Sequence[float], colour: tuple[int, int, int]) -> None:
    x1, y1, x2, y2 = (round(float(side)) for side in box)
    cv2.rectangle(picture, (x1, y1), (x2 - 1, y2 - 1), colour, 1)
