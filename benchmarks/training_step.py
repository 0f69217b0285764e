"""Time and memory of one training step on the CPU: ours against keras-retinanet's model and losses, compiled as its
bin/train.py does and stepped by Keras.

The same films, targets, batch and sides; both start from the same weights. Steps of the two sides take turns in one
process, so that a busy machine slows both; the least time of each counts. Peak memory is that of a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras_retinanet.models as package  # noqa: E402
import numpy as np  # noqa: E402
from keras_retinanet import losses as package_losses  # noqa: E402

from mammo.detector.anchors import Anchors  # noqa: E402
from mammo.detector.batches import Batch  # noqa: E402
from mammo.detector.keras import keras, tf  # noqa: E402
from mammo.detector.model import build_model, preprocessing_mode  # noqa: E402
from mammo.detector.preprocess import preprocess  # noqa: E402
from mammo.detector.step import Step, adam, training_strategy  # noqa: E402
from mammo.settings import ExperimentSettings  # noqa: E402

BACKBONES = ("resnet50", "mobilenet224_1.0", "vgg16", "densenet121")
FILMS, HEIGHT, WIDTH = 2, 320, 256
RATE, CLIP = 1e-5, 0.001  # keras-retinanet's own


def settings_of(backbone: str) -> ExperimentSettings:
    """Everything as keras-retinanet has it by default."""
    return ExperimentSettings.model_validate(
        {
            "train_set": "bench",
            "model": {"backbone": backbone},
            "weights": {"source": "none"},
            "train": {"batch_size": FILMS, "learning_rate": RATE, "clip_norm": CLIP},
        }
    )


def a_batch(model: Any, settings: ExperimentSettings) -> Batch:
    """Films of noise, a lesion on each."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (FILMS, HEIGHT, WIDTH), np.uint8)
    boxes = [np.array([[40.0, 60 + 20 * number, 110, 130 + 20 * number]]) for number in range(FILMS)]
    shapes = [(HEIGHT, WIDTH)] * FILMS
    targets = Anchors(model, settings.model.anchors).targets(
        (HEIGHT, WIDTH), shapes, boxes, [np.zeros(1, int)] * FILMS
    )
    return Batch(images, np.array(shapes, np.int32), *targets, ("bench",) * FILMS)


def our_step(backbone: str) -> tuple[Callable[[], Any], Batch, Any]:
    """Ours, as the training loop makes it."""
    settings = settings_of(backbone)
    model = build_model(settings.model, 1)
    optimizer = adam(settings, model.trainable_variables)
    step = Step(
        model, optimizer, settings, [1.0], training_strategy(1), static_shapes=True
    )  # films of one shape
    batch = a_batch(model, settings)
    return lambda: step(batch), batch, model


def their_model(backbone: str) -> Any:
    """keras-retinanet's model, compiled as its bin/train.py does (with the rate where today's Keras reads it)."""
    model = package.backbone(backbone).retinanet(1)
    model.compile(
        loss={"regression": package_losses.smooth_l1(), "classification": package_losses.focal()},
        optimizer=keras.optimizers.Adam(learning_rate=RATE, clipnorm=CLIP),
    )
    return model


def their_step(backbone: str, model: Any, batch: Batch) -> Callable[[], Any]:
    """The same batch in keras-retinanet's form, for a step of Keras's."""
    images = preprocess(tf.constant(batch.images), preprocessing_mode(backbone)).numpy()
    state = np.where(batch.assignment >= 0, 1, np.where(batch.assignment == -1, 0, -1)).astype("float32")
    labels = (batch.assignment >= 0).astype("float32")
    targets = [
        np.concatenate([batch.regression, state[..., None]], axis=2),
        np.stack([labels, state], axis=2),
    ]
    return lambda: model.train_on_batch(images, targets)


def least_times(steps: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Seconds a step; the first of each is tracing and does not count."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(rounds + 1):
        for name, step in steps.items():
            started = time.perf_counter()
            step()
            if turn:
                times[name].append(time.perf_counter() - started)
    return {name: min(found) for name, found in times.items()}


def peak_mb(side: str, backbone: str) -> float:
    """Peak memory of a process that makes two steps of one side."""
    command = [sys.executable, __file__, "--memory", side, backbone]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def measure_memory(side: str, backbone: str) -> None:
    """Two steps of one side, then what the process has held at most."""
    if side == "reference":
        model = their_model(backbone)
        step = their_step(backbone, model, a_batch(model, settings_of(backbone)))
    else:
        step, *_ = our_step(backbone)
    step()
    step()
    # Not getrusage's figure, which a process inherits from the one that started it.
    status = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    (peak,) = [line.split()[1] for line in status if line.startswith("VmHWM")]
    print(int(peak) * 1024 / 1e6)


def main() -> None:
    """Measure each backbone, print the records."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--memory", nargs=2, metavar=("SIDE", "BACKBONE"), help="for a process of its own")
    parser.add_argument("backbones", nargs="*", default=BACKBONES)
    arguments = parser.parse_args()
    if arguments.memory:
        measure_memory(*arguments.memory)
        return
    shape = f"{FILMS} films of {HEIGHT}×{WIDTH}, CPU, least of {arguments.rounds} steps that take turns"
    records = {}
    for backbone in arguments.backbones:
        step, batch, model = our_step(backbone)
        theirs = their_model(backbone)
        theirs.set_weights(model.get_weights())
        steps = {"ours": step, "reference": their_step(backbone, theirs, batch)}
        found = least_times(steps, arguments.rounds)
        records[f"training_step_{backbone}"] = found | {
            "ratio": found["reference"] / found["ours"], "unit": "s/step",
            "how": f"{shape}; reference: keras-retinanet's model, losses and Adam by Keras's train_on_batch",
        }  # fmt: skip
    for backbone in arguments.backbones[:1]:
        peak = {side: peak_mb(side, backbone) for side in ("ours", "reference")}
        records[f"training_step_memory_{backbone}"] = peak | {
            "ratio": peak["reference"] / peak["ours"], "unit": "MB",
            "how": f"peak memory of a process that makes two steps, {FILMS} films of {HEIGHT}×{WIDTH}, CPU",
        }  # fmt: skip
    print(json.dumps(records))


if __name__ == "__main__":
    main()
