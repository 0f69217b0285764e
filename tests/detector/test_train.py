"""Training: what it leaves, and that it goes on where it was."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mammo.detector.keras import tf  # isort: skip
import keras_retinanet.models as package

from mammo.detector.publish import publish_snapshot
from mammo.detector.state import Snapshot, state_key
from mammo.detector.train import train
from mammo.errors import UserError
from mammo.files import sha256_file
from mammo.settings import section_json
from mammo.tables.csvio import read_table, write_table

from .conftest import tiny_settings

SCRIPTS = Path(__file__).parents[2] / "scripts"


def run(films: Path, out: str, code: str = "c", **changes):
    return train(
        films / "train.csv", films / "class.csv", tiny_settings(**changes), code=code, state=films / out / ".state",
        logs=films / out / "logs", say=lambda text: None,
    )  # fmt: skip


def digests(training) -> list[str]:
    return [row.sha256 for row in training.snapshots]


def test_two_trainings_give_the_same_bytes(films):
    assert digests(run(films, "a")) == digests(run(films, "b"))


def test_a_snapshot_loads_with_keras_retinanet(films):
    training = run(films, "a", train={"epochs": 1})
    model = package.load_model(str(training.folder / "epoch_01.h5"), backbone_name="resnet50")
    regression, classification = model(tf.zeros((1, 64, 64, 3)))
    assert regression.shape[2] == 4
    assert classification.shape[2] == 1


def test_more_epochs_go_on_from_those_there_are(films):
    whole = run(films, "a", train={"epochs": 3})
    run(films, "b", train={"epochs": 2})
    first = films / "b/.state" / whole.folder.name / "epoch_01.h5"
    before = first.stat().st_mtime_ns
    assert digests(run(films, "b", train={"epochs": 3})) == digests(whole)
    assert first.stat().st_mtime_ns == before


def test_fewer_epochs_train_nothing(films):
    longer = run(films, "a", train={"epochs": 3})
    assert digests(run(films, "a", train={"epochs": 2})) == digests(longer)[:2]


def test_a_lost_snapshot_is_trained_again(films):
    first = run(films, "a")
    (first.folder / "epoch_01.h5").unlink()
    assert digests(run(films, "a")) == digests(first)


def test_other_code_data_or_settings_begin_a_folder_of_their_own(films):
    folders = [run(films, "a", train={"epochs": 1}).folder]
    folders.append(run(films, "a", code="d", train={"epochs": 1}).folder)
    folders.append(run(films, "a", train={"epochs": 1, "learning_rate": 0.5e-3}).folder)
    (films / "train.images.csv").write_text("another film under the same name\n")
    folders.append(run(films, "a", train={"epochs": 1}).folder)
    assert len(set(folders)) == 4
    assert all(folder.is_dir() for folder in folders)


def test_the_key_leaves_out_what_decides_no_weight():
    key = state_key(tiny_settings(), "c", {})
    assert (
        state_key(tiny_settings(train={"epochs": 9}, detect={"score_floor": 0.2}, train_set="x"), "c", {})
        == key
    )
    cosine = {"schedule": {"kind": "cosine"}}
    assert state_key(tiny_settings(train={**cosine, "epochs": 9}), "c", {}) != state_key(
        tiny_settings(train=cosine), "c", {}
    )


def test_a_killed_training_goes_on_bit_for_bit(films):
    settings = tiny_settings(train={"epochs": 400})
    command = [
        sys.executable, SCRIPTS / "train.py", "--train", "train.csv", "--classes", "class.csv", "--settings",
        section_json(settings), "--code", "c", "--state", "k/.state", "--logs", "k/logs", "--manifest", "k/s.csv",
        "--history", "k/h.csv",
    ]  # fmt: skip
    with subprocess.Popen(command, cwd=films, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while (
            not list(films.glob("k/.state/*/epoch_03.h5"))
            and time.monotonic() < deadline
            and process.poll() is None
        ):
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    done = len(list(films.glob("k/.state/*/epoch_*.h5")))
    assert 3 <= done < 400
    assert not (films / "k/s.csv").exists()
    wanted = {"epochs": done + 1}
    assert digests(run(films, "k", train=wanted)) == digests(run(films, "whole", train=wanted))


@pytest.mark.parametrize("rate", [1e-5, 3e-3])
def test_the_first_step_is_as_long_as_the_learning_rate(films, rate):
    # Adam's first step moves every weight by the rate, whatever the gradient's size.
    from mammo.detector.model import build_model
    from mammo.detector.weights import read_layers

    changes = {"train": {"epochs": 1, "steps": 1, "learning_rate": rate}}
    training = run(films, "a", **changes)
    after = read_layers(training.folder / "epoch_01.h5")["P3"][0]
    before = build_model(tiny_settings(**changes).model, 1, 0).get_layer("P3").get_weights()[0]
    assert np.median(np.abs(after - before)) == pytest.approx(rate, rel=0.05)
    assert training.history[0].learning_rate == rate


def test_a_loss_that_is_no_number_stops_with_the_films_named(films):
    with pytest.raises(UserError, match=r"in epoch \d+, step \d+ .*films: .*img/\d.png"):
        run(films, "a", train={"learning_rate": 1e30, "epochs": 4})


@pytest.mark.parametrize("backbone", ["mobilenet128_0.25"])
def test_odd_sides_train(films, backbone):
    training = run(
        films,
        "a",
        model={"backbone": backbone},
        sides={"min": 75, "max": 75},
        train={"epochs": 1, "steps": 1},
    )
    assert np.isfinite(training.history[0].loss)


def test_the_log_for_tensorboard_holds_every_epoch(films):
    run(films, "a", train={"epochs": 1})
    run(films, "a", train={"epochs": 2})
    (log,) = (films / "a/logs").iterdir()
    events = [event for event in tf.compat.v1.train.summary_iterator(str(log)) if event.summary.value]
    assert [event.step for event in events if event.summary.value[0].tag == "loss"] == [1, 2]


def test_publishing_checks_the_snapshot(films):
    training = run(films, "a")
    write_table(films / "a/snapshots.csv", Snapshot, training.snapshots)
    out = films / "a/plain_csv_02.h5"
    publish_snapshot(films / "a/snapshots.csv", films / "a/.state", 2, out)
    assert sha256_file(out) == digests(training)[1]
    assert read_table(films / "a/snapshots.csv", Snapshot) == list(training.snapshots)
    with pytest.raises(UserError, match="has no epoch 7; there are 1, 2"):
        publish_snapshot(films / "a/snapshots.csv", films / "a/.state", 7, out)
    shutil.copy(training.folder / "epoch_01.h5", training.folder / "epoch_02.h5")
    with pytest.raises(UserError, match="its SHA-256 is"):
        publish_snapshot(films / "a/snapshots.csv", films / "a/.state", 2, out)
