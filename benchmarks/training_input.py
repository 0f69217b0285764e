"""Training films a second, ready for the network: our batches against keras-retinanet's CSVGenerator.

Films of 3328×4084 as JPEG, 800×1333, batches of one film, the augmentation that keras_retinanet.bin.train has behind
`--random-transform` (its hue and saturation too, which ours has not: films are grey). Ours begins with films at network
size, as the workflow keeps them; making them has a record of its own. Both sides use all processors: ours by threads,
the reference by as many worker processes (its own program has one unless told). Each side runs in a process of its own,
taking turns, the quickest of several rounds counts. The benchmark fails if a target differs from the package's.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from films import HEIGHT, WIDTH, film_pixels, peak_memory, record  # noqa: E402

from mammo.detector.ahead import processors  # noqa: E402
from mammo.detector.network_films import (  # noqa: E402
    NetworkFilm,
    NetworkFilms,
    write_network_films,
)
from mammo.settings import ExperimentSettings  # noqa: E402
from mammo.tables.csvio import read_table, write_table  # noqa: E402
from mammo.tables.records import Image  # noqa: E402
from mammo.tables.retinanet_csv import LabelledBox, write_annotations, write_classes  # noqa: E402

FILMS, ROUNDS = 8, 3
WARM_UP, OURS, STOCK = 4, 200, 12  # films before the clock runs, and while it does
FEW, MANY = 50, 1000  # films, for memory
SETTINGS = ExperimentSettings(train_set="bench", train={"group_by": "random"})


# --- the films --------------------------------------------------------------------------------------------------------


def write_films(folder: Path) -> None:
    """`FILMS` films with none to three lesions each, and the tables that both sides read."""
    pixels = (film_pixels() >> 4).astype(np.uint8)
    rng = np.random.default_rng(0)
    rows, table = [], []
    for number in range(FILMS):
        name = f"{number}.jpg"
        cv2.imwrite(str(folder / name), np.roll(pixels, 97 * number, axis=0), [cv2.IMWRITE_JPEG_QUALITY, 95])
        rows.append((name, [drawn_box(rng) for _ in range(number % 4)]))
        table.append(image_row(number, name))
    write_annotations(folder / "train.csv", rows)
    write_classes(folder / "class.csv", ["malignant"])
    write_table(folder / "train.images.csv", Image, table)


def drawn_box(rng: np.random.Generator) -> LabelledBox:
    """A lesion of 100 to 600 pixels anywhere on a film."""
    width, height = rng.integers(100, 600, 2)
    x, y = int(rng.integers(0, WIDTH - width)), int(rng.integers(0, HEIGHT - height))
    return LabelledBox(x, y, x + int(width), y + int(height), "malignant")


def image_row(number: int, name: str) -> Image:
    return Image(
        image_id=f"bench.{number:05d}", path=name, dataset="bench", delivery="", patient="p", study="", laterality="",
        view="", width=WIDTH, height=HEIGHT, pixel_mm=None, group="abn", lesion_types="", source=name,
        source_sha256="0" * 64, sha256="0" * 64,
    )  # fmt: skip


def write_many(folder: Path) -> None:
    """The films at network size once more, over and over under other names, and a table of them."""
    rows = read_table(folder / "network.csv", NetworkFilm)
    pixels = (folder / "network.pixels").read_bytes()
    many = []
    with open(folder / "many.pixels", "wb") as file:
        for start in range(0, MANY, FILMS):
            many += [
                row.model_copy(
                    update={
                        "image_id": f"bench.{start + place:05d}",
                        "path": f"{start + place}.jpg",
                        "offset": file.tell() + row.offset,
                    }
                )
                for place, row in enumerate(rows)
            ]
            file.write(pixels)
    write_table(folder / "many.csv", NetworkFilm, many)
    write_annotations(
        folder / "many.train.csv", [(row.path, [LabelledBox(9, 9, 400, 500, "malignant")]) for row in many]
    )


# --- the two sides; each in a process of its own ----------------------------------------------------------------------


def ours(folder: Path, table: str = "train", index: str = "network") -> Iterator[Any]:
    """Our batches without end, preprocessed."""
    from mammo.detector.anchors import Anchors
    from mammo.detector.batches import BatchMaker, read_train_set
    from mammo.detector.keras import tf
    from mammo.detector.model import build_model, preprocessing_mode
    from mammo.detector.preprocess import preprocess

    mode = preprocessing_mode(SETTINGS.model.backbone)
    graph = tf.function(
        lambda images: preprocess(images, mode),
        input_signature=[tf.TensorSpec((None, None, None), tf.uint8)],
    )
    films = NetworkFilms(folder / f"{index}.csv")
    train_films, _ = read_train_set(folder / f"{table}.csv", folder / "class.csv", films)
    anchors = Anchors(build_model(SETTINGS.model, 1), SETTINGS.model.anchors)
    check_targets(anchors)
    for batch in BatchMaker(films, train_films, anchors, SETTINGS).batches(0, 10**9):
        yield graph(batch.images), batch


def generator(folder: Path) -> Any:
    """keras-retinanet's generator as its train.py makes it: item k is batch k."""
    from keras_retinanet.bin.train import create_generators, parse_args
    from keras_retinanet.models import backbone

    tables = [str(folder / "train.csv"), str(folder / "class.csv")]
    arguments = parse_args(["--random-transform", "--group-method", "random", "csv", *tables])
    arguments.config = None
    return create_generators(arguments, backbone("resnet50").preprocess_image)[0]


def stock(folder: Path) -> Iterator[Any]:
    """keras-retinanet's batches without end, from as many worker processes as there are processors."""
    from mammo.detector.keras import keras

    queue = keras.utils.OrderedEnqueuer(generator(folder), use_multiprocessing=True, shuffle=False)
    queue.start(workers=processors(), max_queue_size=10)  # of its train.py
    try:
        yield from queue.get()
    finally:
        queue.stop()


def stock_alone(folder: Path) -> Iterator[Any]:
    """The same batches in this process: what they cost a processor."""
    import mammo.detector.keras  # noqa: F401 - Keras 2 in place, before the package asks for it

    batches = generator(folder)
    yield from (batches[number % FILMS] for number in range(10**9))


def check_targets(anchors: Any) -> None:
    """Our targets against `anchor_targets_bbox` for the same boxes and shapes: states equal, offsets within 1e-5."""
    from keras_retinanet.utils.anchors import anchor_targets_bbox

    from mammo.detector.targets import IGNORED

    rng = np.random.default_rng(1)
    scale = 800 / WIDTH
    for _ in range(20):
        boxes = np.array([[b.x1, b.y1, b.x2, b.y2] for b in (drawn_box(rng) for _ in range(3))]) * scale
        labels = np.zeros(3, int)
        found = anchors.targets((992, 800), [(982, 800)], [boxes], [labels])
        film = np.empty((982, 800, 0))
        offsets, states = anchor_targets_bbox(
            anchors.for_shape(992, 800), [film], [{"bboxes": boxes, "labels": labels}], 1
        )
        lesion = found.assignment >= 0
        state = np.where(lesion, 1, np.where(found.assignment == IGNORED, -1, 0))
        if not np.array_equal(state, states[..., -1]) or not lesion.any():
            raise RuntimeError("our anchors' states are not anchor_targets_bbox's")
        if np.abs(found.regression - offsets[..., :4])[lesion].max() > 1e-5:
            raise RuntimeError("our offsets are not anchor_targets_bbox's")


def rate(batches: Iterator[Any], count: int) -> dict[str, float]:
    """Films a second of `count`, after some that do not count, and this process's processor seconds for each."""
    for _ in range(WARM_UP):
        next(batches)
    start, cpu = time.perf_counter(), time.process_time()
    for _ in range(count):
        next(batches)
    cpu = time.process_time() - cpu
    return {"rate": count / (time.perf_counter() - start), "cpu": cpu / count}


def growth(folder: Path) -> dict[str, float]:
    """Largest memory in MB of a process of ours after a few films and after many, all different."""
    batches = ours(folder, "many.train", "many")
    for _ in range(FEW):
        next(batches)
    few = peak_memory()
    for _ in range(MANY - FEW):
        next(batches)
    return {"few": few, "many": peak_memory()}


def scaling(folder: Path) -> dict[str, float]:
    """Films a second brought to network size by us, and read and resized by keras-retinanet (in each epoch)."""
    from keras_retinanet.utils.image import read_image_bgr, resize_image

    import mammo.detector.keras  # noqa: F401

    start = time.perf_counter()
    write_network_films(folder / "train.images.csv", SETTINGS.sides, 8, folder / "again.csv")
    ours = FILMS / (time.perf_counter() - start)
    start = time.perf_counter()
    for number in range(FILMS):
        resize_image(read_image_bgr(str(folder / f"{number}.jpg")))
    return {"ours": ours, "stock": FILMS / (time.perf_counter() - start)}


PARTS: dict[str, Callable[[Path], dict[str, float]]] = {
    "ours": lambda folder: rate(ours(folder), OURS),
    "stock": lambda folder: rate(stock(folder), STOCK),
    "stock_alone": lambda folder: rate(stock_alone(folder), STOCK // 2),
    "growth": growth,
    "scaling": scaling,
}


# --- measuring --------------------------------------------------------------------------------------------------------


def measure(part: str, folder: Path) -> dict[str, float]:
    """What a process of its own found. Without a GPU: it would compute part of one side only."""
    done = subprocess.run(
        [sys.executable, __file__, "--part", part, "--folder", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
    )
    return json.loads(done.stdout.splitlines()[-1])


def compare(folder: Path) -> dict[str, dict[str, float | str]]:
    """All records."""
    write_films(folder)
    write_network_films(folder / "train.images.csv", SETTINGS.sides, 8, folder / "network.csv")
    write_many(folder)
    found: dict[str, list[dict[str, float]]] = {
        part: [] for part in ("ours", "stock", "stock_alone", "scaling")
    }
    for _ in range(ROUNDS):
        for part, rounds in found.items():
            rounds.append(measure(part, folder))
            print(part, rounds[-1], file=sys.stderr, flush=True)
    quickest = {part: max(round_["rate"] for round_ in found[part]) for part in ("ours", "stock")}
    cpu = {part: min(round_["cpu"] for round_ in found[part]) for part in ("ours", "stock_alone")}
    scaled = {side: max(round_[side] for round_ in found["scaling"]) for side in ("ours", "stock")}
    memory = measure("growth", folder)
    text = f"{WIDTH}x{HEIGHT} px JPEG, 800x1333, batch 1, default augmentation of bin/train.py"
    workers = (
        f"ours {processors()} threads from films at network size, reference {processors()} worker processes"
    )
    return {
        "training_input": record(
            quickest["ours"], quickest["stock"], quickest["ours"] / quickest["stock"], "films/s", f"{text}; {workers}"
        ),
        "training_input_cpu": record(
            cpu["ours"],
            cpu["stock_alone"],
            cpu["stock_alone"] / cpu["ours"],
            "s/film",
            f"{text}; processor's seconds, whatever else the machine does",
        ),
        "training_input_scaling": record(
            scaled["ours"],
            scaled["stock"],
            scaled["ours"] / scaled["stock"],
            "films/s",
            "decoding and scaling alone: ours once, all processors; reference in every epoch, one processor",
        ),
        "training_input_memory": record(
            memory["many"],
            memory["few"],
            memory["few"] / memory["many"],
            "MB",
            f"peak of our process, TensorFlow and network included, after {MANY} different films and after {FEW}",
        ),
    }  # fmt: skip


def main() -> None:
    """Compare, print the records; or be one of the processes that are measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.part:
        print(json.dumps(PARTS[args.part](args.folder)), flush=True)
        return
    with tempfile.TemporaryDirectory(prefix="training_input-") as folder:
        print(json.dumps(compare(Path(folder)), indent=2))


if __name__ == "__main__":
    main()
