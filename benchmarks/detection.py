"""Films a second that a snapshot looks at: ours from films at network size, against keras-retinanet's evaluate.

Phantoms as JPEGs of two sizes in turn, and a ResNet-50 snapshot with random weights whose heads are scaled so that
tens of scores of a film are above 0.05. The reference is the loop of `keras_retinanet.utils.eval` with a
`CSVGenerator` and the inference model that `convert_model` makes of the same snapshot. Both look at all films once
before the clock runs; the quickest of several rounds that take turns counts. Loading is on no side's clock.

Boxes and scores are compared on PNGs of the films at network size, because the two scale differently (area
interpolation against linear). `python benchmarks/detection.py [--films 12] [--sides 400 667]`
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import cv2
import numpy as np

import mammo.detector.keras  # noqa: F401 - lets keras-retinanet find Keras

# isort: split
from keras_retinanet import models as package
from keras_retinanet.preprocessing.csv_generator import CSVGenerator
from keras_retinanet.utils.eval import _get_detections

from mammo.detector.detect import detections
from mammo.detector.keras import tf
from mammo.detector.look import Detector
from mammo.detector.model import build_model
from mammo.detector.network_films import NetworkFilms, write_network_films
from mammo.detector.weights import load_exactly
from mammo.errors import UserError
from mammo.files import sha256_bytes
from mammo.phantom.film import FilmSpec, make_film
from mammo.phantom.settings import DifficultySettings
from mammo.settings import ExperimentSettings
from mammo.tables.boxes import iou_matrix
from mammo.tables.csvio import write_table
from mammo.tables.records import Image
from mammo.tables.retinanet_csv import write_annotations, write_classes

SIZES = ((1664, 2042), (1328, 2042))  # width and height, taken in turn
FLOOR, MOST = 0.05, 300
PASSED = 0.998  # share of the scores below the floor; with more above, two boxes in competition may tie to rounding
ROUNDS = 3


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def settings_of(sides: list[int], *, pad: bool = False) -> ExperimentSettings:
    """A ResNet-50 that keeps what keras-retinanet's inference model keeps."""
    return ExperimentSettings(
        train_set="bench",
        weights={"source": "none"},
        sides={"min": sides[0], "max": sides[1]},
        detect={"score_floor": FLOOR, "max_detections": MOST, "pad": pad},
    )


# --- films and snapshot -----------------------------------------------------------------------------------------------


def write_films(folder: Path, count: int) -> list[Image]:
    """JPEGs of phantoms, in the folder."""
    rows = []
    for number in range(count):
        width, height = SIZES[number % len(SIZES)]
        side, view = "LR"[number % 2], ("CC", "MLO")[number // 2 % 2]
        spec = FilmSpec(
            f"f{number}",
            f"c{number}",
            height // 2,
            width // 2,
            side,
            view,
            ("mass",),
            DifficultySettings(),
            0.02,
        )
        breast = cv2.resize(make_film(spec).pixels, (width, height), interpolation=cv2.INTER_CUBIC)
        name = f"{number:03d}.jpg"
        cv2.imwrite(
            str(folder / name), np.clip(breast * 255, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 95]
        )
        rows.append(image_row(name, width, height))
    return rows


def image_row(name: str, width: int, height: int) -> Image:
    return Image(
        image_id=name, path=name, dataset="bench", delivery="", patient=name, study="", laterality="", view="",
        width=width, height=height, pixel_mm=None, group="abn", lesion_types="", source=name,
        source_sha256="0" * 64, sha256=sha256_bytes(name.encode()),
    )  # fmt: skip


def write_set(folder: Path, rows: list[Image], settings: ExperimentSettings) -> float:
    """Tables for both sides and the films at network size; returns the seconds that scaling took."""
    write_table(folder / "images.csv", Image, rows)
    write_annotations(folder / "set.csv", [(row.path, []) for row in rows])
    write_classes(folder / "classes.csv", ["malignant"])
    begun = time.perf_counter()
    write_network_films(folder / "images.csv", settings.sides, 8, folder / "index.csv")
    return time.perf_counter() - begun


def write_small_films(folder: Path, films: NetworkFilms) -> list[Image]:
    """The films at network size as PNGs, which either side takes as they are."""
    rows = []
    for position, film in enumerate(films.rows):
        name = f"{Path(film.path).stem}.png"
        cv2.imwrite(str(folder / name), films.read(position))
        rows.append(image_row(name, film.width, film.height))
    return rows


def write_snapshot(path: Path, settings: ExperimentSettings, film: np.ndarray) -> None:
    """Random weights; the heads scaled so that a film's offsets spread by 1 and one score in 500 passes."""
    model = build_model(settings.model, 1, 0)
    rng = np.random.default_rng(0)
    detector = Detector(model, settings)
    for output, kind in enumerate(("regression", "classification")):
        head = model.get_layer(f"{kind}_submodel")
        for layer in head.layers:
            if layer.weights:
                shape = layer.kernel.shape
                layer.set_weights(
                    [rng.normal(0, (2 / np.prod(shape[:3])) ** 0.5, shape), np.zeros(shape[-1])]
                )
        last = head.get_layer(f"pyramid_{kind}")
        spread = 0.0
        while not 0.9 < spread < 1.1:  # at first the scores are all 0 or 1, and their logits are cut off
            said = detector.outputs(detector.lay_out([film]))[output].numpy().astype(float)
            said = said if kind == "regression" else logits(said)
            spread = float(np.std(said))
            last.set_weights([last.kernel.numpy() / spread, last.bias.numpy()])
    shift = logits(np.array(FLOOR)) - np.quantile(said, PASSED)
    last.set_weights([last.kernel.numpy(), last.bias.numpy() + shift])
    model.save(path, save_format="h5")


def logits(scores: np.ndarray) -> np.ndarray:
    scores = np.clip(scores, 1e-7, 1 - 1e-7)
    return np.log(scores / (1 - scores))


# --- the two sides ----------------------------------------------------------------------------------------------------


class Ours:
    """A snapshot loaded as `detect_sets` loads it."""

    def __init__(self, snapshot: Path, settings: ExperimentSettings) -> None:
        model = build_model(settings.model, 1, 0)
        load_exactly(model, snapshot)
        self._settings = settings
        self._detector = Detector(model, settings, frozen=not tf.config.list_physical_devices("GPU"))

    def look(self, folder: Path) -> dict[str, np.ndarray]:
        """Rows of x1, y1, x2, y2, score by image_id."""
        found: dict[str, list] = {}
        for row in detections(
            self._detector, NetworkFilms(folder / "index.csv"), ["malignant"], self._settings.detect
        ):
            found.setdefault(row.image_id, []).append((row.x1, row.y1, row.x2, row.y2, row.score))
        return {name: np.array(rows) for name, rows in found.items()}


class Theirs:
    """The same snapshot loaded by keras-retinanet."""

    def __init__(self, snapshot: Path, settings: ExperimentSettings) -> None:
        self._sides = settings.sides
        self._model: Any = package.convert_model(package.load_model(str(snapshot), backbone_name="resnet50"))

    def look(self, folder: Path) -> dict[str, np.ndarray]:
        """The same rows."""
        generator = CSVGenerator(
            str(folder / "set.csv"), str(folder / "classes.csv"), image_min_side=self._sides.min,
            image_max_side=self._sides.max, preprocess_image=package.backbone("resnet50").preprocess_image,
        )  # fmt: skip
        found, _ = _get_detections(generator, self._model, score_threshold=FLOOR, max_detections=MOST)
        return dict(zip(generator.image_names, (of_class[0] for of_class in found), strict=True))


def assert_same(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> str:
    """Raises `UserError` unless each box of either side has one of the other: IoU > 0.99, scores within 1e-4."""
    least, most, boxes = 1.0, 0.0, 0
    for name, rows in theirs.items():
        rows = rows[(rows[:, 2] > rows[:, 0]) & (rows[:, 3] > rows[:, 1])]
        own = ours.get(name, np.zeros((0, 5)))
        if len(own) != len(rows):
            raise UserError(f"{name}: {len(own)} boxes, keras-retinanet has {len(rows)}")
        overlap = iou_matrix(rows[:, :4], own[:, :4]) * (np.abs(rows[:, 4, None] - own[None, :, 4]) < 1e-4)
        partner = overlap.argmax(axis=1)
        if len(rows) and (overlap.max(axis=1).min() <= 0.99 or len(set(partner)) < len(rows)):
            raise UserError(f"{name}: a box of keras-retinanet has no counterpart with an IoU above 0.99")
        boxes += len(rows)
        least = min([least, *overlap.max(axis=1)])
        most = max([most, *np.abs(rows[:, 4] - own[partner, 4])])
    if not boxes:
        raise UserError("there are no boxes to compare")
    return f"{boxes} boxes, least IoU {least:.5f}, greatest difference of scores {most:.1e}"


def seconds(side: Ours | Theirs, folder: Path) -> tuple[float, float]:
    """By the clock, and of the processor's."""
    begun = time.perf_counter(), time.process_time()
    side.look(folder)
    return time.perf_counter() - begun[0], time.process_time() - begun[1]


def main() -> None:
    """Make, compare, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--films", type=int, default=12)
    parser.add_argument("--sides", type=int, nargs=2, default=[400, 667], metavar=("MIN", "MAX"))
    args = parser.parse_args()
    settings = settings_of(args.sides)
    with tempfile.TemporaryDirectory() as name:
        large, small = Path(name, "large"), Path(name, "small")
        large.mkdir()
        small.mkdir()
        scaling = write_set(large, write_films(large, args.films), settings)
        films = NetworkFilms(large / "index.csv")
        write_set(small, write_small_films(small, films), settings)
        snapshot = large / "resnet50_csv_01.h5"
        write_snapshot(snapshot, settings, films.read(0))
        ours, theirs = Ours(snapshot, settings), Theirs(snapshot, settings)
        padded = Ours(snapshot, settings_of(args.sides, pad=True))
        same = assert_same(ours.look(small), theirs.look(small))
        say(f"\nthe same boxes: {same}")
        sides = {"ours": ours, "padded": padded, "reference": theirs}
        times: dict[str, list[tuple[float, float]]] = {key: [] for key in sides}
        for side in sides.values():
            side.look(large)
        for _ in range(ROUNDS):
            for key, side in sides.items():
                times[key].append(seconds(side, large))
    rates = {key: args.films / min(clock for clock, _ in taken) for key, taken in times.items()}
    busy = {key: min(processor for _, processor in taken) / args.films for key, taken in times.items()}
    spread = ", ".join(f"{key} {min(taken)[0]:.2f} to {max(taken)[0]:.2f} s" for key, taken in times.items())
    say(
        f"\n{args.films} films, {ROUNDS} rounds: {spread}; scaling them took {scaling:.2f} s, once for all snapshots"
    )
    sizes = " and ".join(f"{width}x{height}" for width, height in SIZES)
    how = (
        f"ResNet-50, {args.films} JPEGs of {sizes} at sides {args.sides[0]} and {args.sides[1]}, one class; ours from "
        f"films at network size (made once for all snapshots, {scaling / args.films:.3f} s a film) with detect.pad "
        f"false; with true {rates['padded']:.3g}; reference: evaluate's loop on the JPEGs; processor's time "
        f"{busy['ours']:.2f} s a film against {busy['reference']:.2f}; {same}"
    )
    record = {
        "ours": rates["ours"], "reference": rates["reference"], "ratio": rates["ours"] / rates["reference"],
        "unit": "films/s", "how": how,
    }  # fmt: skip
    print(json.dumps({"detection": record}))


if __name__ == "__main__":
    main()
