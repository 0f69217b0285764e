"""From detections to average precision: ours from stored tables, keras-retinanet's `evaluate` from arrays in memory.

2 000 films with 100 boxes each and one to three lesions on two films of three, a third of the boxes near a lesion. No
two scores are equal: keras-retinanet leaves the order of equal ones to an unstable sort. The reference is handed the
boxes where it would run its network and read its annotations; it runs once, since it takes a minute or more. Ours reads
images, lesions and detections (CSV), joins them and computes the figure: the best of three. Both use one core, and the
processor's time counts, so that other work on the machine does not. `python benchmarks/evaluation.py [--films 2000]`
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import numpy as np

import mammo.detector.keras  # noqa: F401 - lets keras-retinanet find Keras

# isort: split
from keras_retinanet.utils import eval as package

from mammo.errors import UserError
from mammo.metrics.average_precision import average_precision
from mammo.metrics.inputs import SetFiles
from mammo.tables.csvio import read_table, write_table
from mammo.tables.records import Detection, Image, Lesion

BOXES, SIDE, ROUNDS = 100, 3000, 3


def boxes_of(rng: np.random.Generator, count: int) -> np.ndarray:
    corners = rng.uniform(0, SIDE - 600, (count, 2))
    return np.hstack([corners, corners + rng.uniform(60, 600, (count, 2))]).round(2)


def corners(box: np.ndarray) -> dict[str, float]:
    return dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))


def write_set(folder: Path, films: int) -> SetFiles:
    """The three tables of a set, scores all different."""
    rng = np.random.default_rng(0)
    scores = (rng.permutation(films * BOXES) + 1) / (films * BOXES + 1)
    files = SetFiles("bench", *(str(folder / f"{name}.csv") for name in ("images", "lesions", "detections")))
    images, lesions, detections = [], [], []
    for number in range(films):
        name = f"bench.{number:05d}"
        truth = boxes_of(rng, number % 3 and rng.integers(1, 4))
        found = boxes_of(rng, BOXES)
        if len(truth):
            near = BOXES // 3
            found[:near] = truth[rng.integers(0, len(truth), near)] + rng.normal(0, 40, (near, 4))
            found[:near, 2:] = np.maximum(found[:near, 2:], found[:near, :2] + 1)
        images.append(
            Image(
                image_id=name, path=name, dataset="bench", delivery="", patient=name, study="", laterality="", view="",
                width=SIDE, height=SIDE, pixel_mm=None, group="abn", lesion_types="", source=name,
                source_sha256="0" * 64, sha256="0" * 64,
            )
        )  # fmt: skip
        lesions += [
            Lesion(
                image_id=name, lesion_id=f"{place:02d}", lesion_type="", pathology="", annotation_form="mask",
                **corners(box),
            )
            for place, box in enumerate(truth)
        ]  # fmt: skip
        own = np.sort(scores[number * BOXES : (number + 1) * BOXES])[::-1]
        detections += [
            Detection(image_id=name, score=score, label="malignant", **corners(box))
            for box, score in zip(found.round(2), own, strict=True)
        ]
    write_table(files.images, Image, images)
    write_table(files.lesions, Lesion, lesions)
    write_table(files.detections, Detection, detections)
    return files


class NoGenerator:
    """Stands for the generator where `evaluate` asks it for its size and classes."""

    def __init__(self, films: int) -> None:
        self.size = lambda: films
        self.num_classes = lambda: 1
        self.has_label = lambda label: label == 0


def reference(files: SetFiles) -> tuple[float, float]:
    """Seconds and AP of keras-retinanet's evaluate, which is given what it would have found."""
    places = {image.image_id: place for place, image in enumerate(read_table(files.images, Image))}
    found: list[list] = [[] for _ in places]
    truth: list[list] = [[] for _ in places]
    for row in read_table(files.detections, Detection):
        if row.score > 0.05:  # as its _get_detections does
            found[places[row.image_id]].append([row.x1, row.y1, row.x2, row.y2, row.score])
    for row in read_table(files.lesions, Lesion):
        truth[places[row.image_id]].append([row.x1, row.y1, row.x2, row.y2])
    detections = [[np.array(rows, float).reshape(-1, 5)] for rows in found]
    annotations = [[np.array(rows, float).reshape(-1, 4)] for rows in truth]
    given = {
        "_get_detections": lambda *_, **__: (detections, [0.0] * len(places)),
        "_get_annotations": lambda _: annotations,
    }
    with mock.patch.multiple(package, **given):
        begun = time.process_time()
        figures, _ = package.evaluate(NoGenerator(len(places)), None)
        return time.process_time() - begun, float(figures[0][0])


def ours(files: SetFiles) -> tuple[float, float]:
    """Seconds and AP from the tables."""
    begun = time.process_time()
    figure = average_precision(files.films())
    return time.process_time() - begun, float(figure or 0)


def main() -> None:
    """Measure, compare, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--films", type=int, default=2000)
    films = parser.parse_args().films
    with tempfile.TemporaryDirectory() as folder:
        files = write_set(Path(folder), films)
        seconds, figure = min(ours(files) for _ in range(ROUNDS))
        joined = files.films()
        begun = time.process_time()
        average_precision(joined)
        bare = time.process_time() - begun
        their_seconds, their_figure = reference(files)
    print(
        f"AP {figure:.12f}, keras-retinanet's {their_figure:.12f}; {bare:.3f} s without reading and joining",
        file=sys.stderr,
    )
    if abs(figure - their_figure) > 1e-9:
        raise UserError(f"AP is {figure}, keras-retinanet's {their_figure}: they differ by more than 1e-9")
    how = (
        f"{films} films x {BOXES} boxes, AP the same to 1e-9; ours from three CSV tables, {bare:.3f} s without them; "
        "reference: keras_retinanet.utils.eval.evaluate from arrays, once"
    )
    record = {
        "ours": seconds,
        "reference": their_seconds,
        "ratio": their_seconds / seconds,
        "unit": "s",
        "how": how,
    }
    print(json.dumps({"evaluation": record}))


if __name__ == "__main__":
    main()
