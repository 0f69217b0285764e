"""The ways to do each part of the training input, side by side: the table of docs/training-input.md, on stderr.

Targets and warping in NumPy and OpenCV or in TensorFlow's graph; batches fed by threads or by tf.data. One film of
982×800 at network size. `python benchmarks/_training_input_ways.py`; no part of `make bench`, which compares with
keras-retinanet.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from mammo.detector.keras import tf  # isort: skip
import cv2
import numpy as np
from keras_retinanet.utils.anchors import anchor_targets_bbox

from mammo.detector.anchors import Anchors
from mammo.detector.batches import BatchMaker
from mammo.detector.model import build_model
from mammo.detector.network_films import NetworkFilms, write_network_films
from mammo.detector.preprocess import preprocess
from mammo.detector.train_set import TrainingFilm
from mammo.settings import ExperimentSettings, ModelSettings
from mammo.tables.csvio import write_table
from mammo.tables.records import Image

SHAPE, FILM = (992, 800), (982, 800)
MATRIX = np.array([[0.95, 0.05, 10], [-0.05, 1.02, -8]])
FILMS, FED = 16, 60


def measure(name: str, work: Callable[[], Any], times: int = 20) -> None:
    """Print the processor's milliseconds of one call, and the quickest call's by the clock."""
    for _ in range(2):
        work()
    cpu, quickest = time.process_time(), float("inf")
    for _ in range(times):
        start = time.perf_counter()
        work()
        quickest = min(quickest, time.perf_counter() - start)
    cpu = (time.process_time() - cpu) / times
    print(
        f"{name:44s} processor {1e3 * cpu:8.2f} ms   clock {1e3 * quickest:8.2f} ms",
        file=sys.stderr,
        flush=True,
    )


def every_anchor(anchors: np.ndarray, dtype: Any) -> Callable[[Any, Any], Any]:
    """Targets in the graph: every anchor against every box."""
    held = tf.constant(anchors, dtype)
    sides, middle = held[:, 2:] - held[:, :2], (held[:, :2] + held[:, 2:]) / 2
    beyond = tf.reduce_any(middle >= tf.constant(FILM[::-1], dtype), axis=1)

    def targets(boxes: Any, labels: Any) -> Any:
        common = tf.minimum(held[:, tf.newaxis, 2:], boxes[:, 2:]) - tf.maximum(
            held[:, tf.newaxis, :2], boxes[:, :2]
        )
        common = tf.reduce_prod(tf.maximum(common, 0), axis=2)
        areas = tf.reduce_prod(sides, axis=1)[:, tf.newaxis] + tf.reduce_prod(
            boxes[:, 2:] - boxes[:, :2], axis=1
        )
        overlap = common / (areas - common)
        best, box = tf.reduce_max(overlap, axis=1), tf.argmax(overlap, axis=1)
        state = tf.where(best >= 0.5, tf.gather(labels, box), tf.where(best > 0.4, -2, -1))
        state = tf.where(beyond, -2, state)
        offsets = (tf.gather(boxes, box) - held) / tf.tile(sides, [1, 2]) / 0.2
        return tf.where((state >= 0)[:, tf.newaxis], tf.cast(offsets, tf.float32), 0.0), state

    return targets


def compare_targets(anchors: Anchors, boxes: np.ndarray) -> None:
    """Ours, the package's, and the graph's."""
    labels, held = np.zeros(len(boxes), np.int32), anchors.for_shape(*SHAPE)
    film, annotations = np.empty((*FILM, 0)), {"bboxes": boxes, "labels": labels}
    print(f"targets of {len(boxes)} lesion(s), {len(held)} anchors", file=sys.stderr)
    measure("  NumPy, anchors nearby (ours)", lambda: anchors.targets(SHAPE, [FILM], [boxes], [labels]))
    measure("  anchor_targets_bbox", lambda: anchor_targets_bbox(held, [film], [annotations], 1))
    for dtype in (tf.float64, tf.float32):
        for xla in (False, True):
            graph = tf.function(every_anchor(held, dtype), jit_compile=xla)
            arguments = tf.constant(boxes, dtype), tf.constant(labels)
            name = f"  graph, every anchor, {dtype.name}{', XLA' if xla else ''}"
            measure(name, lambda graph=graph, arguments=arguments: graph(*arguments))


def compare_warping(film: np.ndarray) -> None:
    """OpenCV and the graph."""
    back = tf.constant([[*cv2.invertAffineTransform(MATRIX).ravel(), 0, 0]], tf.float32)
    graph = tf.function(
        lambda images: tf.raw_ops.ImageProjectiveTransformV3(
            images=images, transforms=back, output_shape=FILM, fill_value=0.0, interpolation="BILINEAR",
            fill_mode="NEAREST",
        )
    )  # fmt: skip
    grey = tf.constant(film[np.newaxis, :, :, np.newaxis])
    print("warping a film", file=sys.stderr)
    measure(
        "  OpenCV (ours)",
        lambda: cv2.warpAffine(
            film, MATRIX, FILM[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        ),
    )
    measure("  graph, uint8", lambda: graph(grey))


def compare_feeding(maker: BatchMaker) -> None:
    """Threads and tf.data around the same making of batches."""
    graph = tf.function(
        lambda images: preprocess(images, "caffe"),
        input_signature=[tf.TensorSpec((None, None, None), tf.uint8)],
    )

    def made(number: np.ndarray) -> tuple[np.ndarray, ...]:
        batch = maker.make(int(number))
        return batch.images, batch.regression, batch.assignment

    def by_threads() -> None:
        for batch in maker.batches(0, FED):
            graph(batch.images)

    def by_data() -> None:
        types = [tf.uint8, tf.float32, tf.int16]
        numbers = tf.data.Dataset.range(FED).map(
            lambda number: tf.numpy_function(made, [number], types), num_parallel_calls=tf.data.AUTOTUNE
        )
        for images, *_ in numbers.prefetch(tf.data.AUTOTUNE):
            graph(tf.ensure_shape(images, (None, None, None)))

    print(f"{FED} batches of one film, to the preprocessed film", file=sys.stderr)
    measure("  threads (ours)", by_threads, 3)
    measure("  tf.data", by_data, 3)


def main() -> None:
    """Compare the ways of each part."""
    rng = np.random.default_rng(0)
    model = ModelSettings(backbone="plain")
    anchors = Anchors(build_model(model, 1), model.anchors)
    middle, half = rng.uniform(150, 650, (3, 2)), rng.uniform(15, 75, (3, 2))
    boxes = np.concatenate([middle - half, middle + half], axis=1)
    for count in (1, 3):
        compare_targets(anchors, boxes[:count])
    film = cv2.GaussianBlur(rng.integers(0, 256, FILM, np.uint8), (0, 0), 3)
    compare_warping(film)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cv2.imwrite(str(folder / "film.png"), film)
        row = dict.fromkeys(Image.model_fields, "x") | {
            "path": "film.png",
            "width": FILM[1],
            "height": FILM[0],
        }
        row |= {"pixel_mm": None, "source_sha256": "0" * 64, "sha256": "0" * 64}
        rows = [Image(**row | {"image_id": str(number)}) for number in range(FILMS)]
        write_table(folder / "images.csv", Image, rows)
        settings = ExperimentSettings(train_set="x", train={"group_by": "none"})
        write_network_films(folder / "images.csv", settings.sides, 8, folder / "network.csv")
        train_films = [
            TrainingFilm(number, "film.png", boxes[:1], np.zeros(1, int)) for number in range(FILMS)
        ]
        compare_feeding(BatchMaker(NetworkFilms(folder / "network.csv"), train_films, anchors, settings))


if __name__ == "__main__":
    main()
