"""Training: what it leaves, and that it goes on where it was."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mammo.detector.keras import tf  # isort: skip
import keras_retinanet.models as package

from mammo.detector.publish import publish_snapshot
from mammo.detector.state import Snapshot, state_key
from mammo.detector.train import data_digests, train
from mammo.errors import UserError
from mammo.files import sha256_file
from mammo.settings import section_json
from mammo.tables.csvio import read_table, write_table

from .conftest import make_films, tiny_settings

SCRIPTS = Path(__file__).parents[2] / "scripts"


def run(films: Path, out: str, code: str = "c", **changes):
    return train(
        films / "train.csv", films / "class.csv", tiny_settings(**changes), code=code, state=films / out / ".state",
        logs=films / out / "logs", say=lambda text: None,
    )  # fmt: skip


def digests(training) -> list[str]:
    return [row.sha256 for row in training.snapshots]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Three epochs on the films, for all to look at and nobody to change."""
    folder = make_films(tmp_path_factory.mktemp("trained"))
    return folder, run(folder, "a", train={"epochs": 3})


@pytest.fixture
def own(trained, tmp_path):
    """The same, to be changed."""
    shutil.copytree(trained[0], tmp_path / "own")
    return tmp_path / "own", trained[1]


def test_training_in_two_parts_gives_the_bytes_of_one(films, trained):
    _, whole = trained
    shorter = run(films, "b", train={"epochs": 2})
    assert digests(shorter) == digests(whole)[:2]
    before = (shorter.folder / "epoch_01.h5").stat().st_mtime_ns
    assert digests(run(films, "b", train={"epochs": 3})) == digests(whole)
    assert (shorter.folder / "epoch_01.h5").stat().st_mtime_ns == before
    (log,) = (films / "b/logs").iterdir()
    events = [event for event in tf.compat.v1.train.summary_iterator(str(log)) if event.summary.value]
    assert [event.step for event in events if event.summary.value[0].tag == "loss"] == [1, 2, 3]


def test_a_snapshot_loads_with_keras_retinanet(trained):
    model = package.load_model(str(trained[1].folder / "epoch_03.h5"), backbone_name="resnet50")
    regression, classification = model(tf.zeros((1, 64, 64, 3)))
    assert regression.shape[2] == 4
    assert classification.shape[2] == 1


def test_fewer_epochs_train_nothing(own):
    folder, whole = own
    before = sorted(path.stat().st_mtime_ns for path in folder.rglob("*.h5"))
    assert digests(run(folder, "a", train={"epochs": 2})) == digests(whole)[:2]
    assert sorted(path.stat().st_mtime_ns for path in folder.rglob("*.h5")) == before


def test_a_lost_snapshot_is_trained_again(own):
    folder, whole = own
    next(folder.glob("a/.state/*/epoch_01.h5")).unlink()
    assert digests(run(folder, "a", train={"epochs": 1})) == digests(whole)[:1]


def test_other_code_data_or_settings_have_a_key_of_their_own(films):
    def key(code="c", **changes):
        data = data_digests(films / "train.csv", films / "class.csv", None)
        return state_key(tiny_settings(**changes), code, data)[0]

    keys = [key(), key(code="d"), key(train={"learning_rate": 0.5}), key(sides={"min": 32})]
    (films / "train.images.csv").write_text("another film under the same name\n")
    keys.append(key())
    assert len(set(keys)) == 5


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


def test_a_killed_training_goes_on_bit_for_bit(films, trained):
    settings = section_json(tiny_settings(train={"epochs": 3}))
    command = [
        sys.executable, SCRIPTS / "train.py", "--train", "train.csv", "--classes", "class.csv", "--settings", settings,
        "--code", "c", "--state", "k/.state", "--logs", "k/logs", "--manifest", "k/s.csv", "--history", "k/h.csv",
    ]  # fmt: skip
    # Once an epoch is whole, the next replacement of resume.h5 kills the process: the second snapshot lies there, and
    # nothing knows of it yet.
    assassin = "import os, signal; real = os.replace; seen = []\n"
    assassin += "def replace(a, b):\n    seen.append(str(b).endswith('resume.h5'))\n"
    assassin += (
        "    os.kill(os.getpid(), signal.SIGKILL) if sum(seen) == 2 else real(a, b)\nos.replace = replace\n"
    )
    (films / "sitecustomize.py").write_text(assassin)
    killed = subprocess.run(
        command, cwd=films, env={**os.environ, "PYTHONPATH": str(films)}, stderr=subprocess.DEVNULL
    )
    assert killed.returncode == -signal.SIGKILL
    assert len(list(films.glob("k/.state/*/epoch_*.h5"))) == 2
    assert not (films / "k/s.csv").exists()
    assert digests(run(films, "k", train={"epochs": 3})) == digests(trained[1])


def test_the_first_step_is_as_long_as_the_learning_rate(films):
    # Adam's first step moves every weight by the rate, whatever the gradient's size; 1e-3 is what Keras would take.
    rate = 1e-4
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


def test_odd_sides_train_a_mobilenet(films):
    training = run(
        films,
        "a",
        model={"backbone": "mobilenet128_0.25"},
        sides={"min": 75, "max": 75},
        train={"epochs": 1, "steps": 1},
    )
    assert np.isfinite(training.history[0].loss)


def test_publishing_checks_the_snapshot(own):
    films, training = own
    write_table(films / "a/snapshots.csv", Snapshot, training.snapshots)
    out = films / "a/plain_csv_02.h5"
    publish_snapshot(films / "a/snapshots.csv", films / "a/.state", 2, out)
    assert sha256_file(out) == digests(training)[1]
    assert read_table(films / "a/snapshots.csv", Snapshot) == list(training.snapshots)
    with pytest.raises(UserError, match="has no epoch 7; there are 1, 2, 3"):
        publish_snapshot(films / "a/snapshots.csv", films / "a/.state", 7, out)
    state = films / "a/.state" / training.folder.name
    shutil.copy(state / "epoch_01.h5", state / "epoch_02.h5")
    with pytest.raises(UserError, match="its SHA-256 is"):
        publish_snapshot(films / "a/snapshots.csv", films / "a/.state", 2, out)
