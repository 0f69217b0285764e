"""Nothing is lost: kills at any moment, full disks, losses that are no numbers."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mammo.detector.state import Progress, TrainingState
from mammo.detector.train import train
from mammo.errors import UserError
from mammo.files import sha256_file
from mammo.metrics.epoch import epoch_figures
from mammo.settings import section_json

from .conftest import make_films, tiny_settings, training_files

SCRIPTS = Path(__file__).parents[2] / "scripts"
# Saved after every step, so that a kill meets every kind of moment; five steps an epoch.
LONG = {"epochs": 4, "steps": 5, "save_minutes": 0.0, "ema_decay": 0.9}


def run(films, out, said=None, train_set="train", **changes):
    settings = tiny_settings(**changes)
    return train(
        training_files(films, settings, train=train_set), settings, code="c", state=films / out / ".state",
        logs=films / out / "logs", figures=epoch_figures, say=said.append if said is not None else lambda text: None,
    )  # fmt: skip


def digests(training) -> list[tuple[str, str | None]]:
    return [(row.sha256, row.ema_sha256) for row in training.snapshots]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """Films, and a training that nothing disturbed."""
    folder = make_films(tmp_path_factory.mktemp("survival"))
    return folder, run(folder, "whole", train=LONG)


def command(films: Path, out: str, settings) -> list[str]:
    files = training_files(films, settings)
    return [
        sys.executable, str(SCRIPTS / "train.py"), "--train", str(files.table), "--films", str(files.films),
        "--classes", str(files.classes), "--settings", section_json(settings), "--code", "c",
        "--state", f"{out}/.state", "--logs", f"{out}/logs", "--manifest", f"{out}/s.csv", "--history", f"{out}/h.csv",
    ]  # fmt: skip


def environment(films: Path) -> dict[str, str]:
    """With a sitecustomize that kills the process where the test says: at a write that it counts, before or after."""
    (films / "sitecustomize.py").write_text(ASSASSIN)
    return os.environ | {"PYTHONPATH": str(films), "CUDA_VISIBLE_DEVICES": ""}


# Kills this process at the replacement of a file of state that the environment names by number: before it, after it, or
# when the file beside it is half written.
ASSASSIN = """
import os, signal
at, moment = int(os.environ.get("KILL_AT", "0")), os.environ.get("KILL_WHEN", "")
real, done = os.replace, [0]
def kill():
    os.kill(os.getpid(), signal.SIGKILL)
def replace(a, b):
    if str(b).endswith(".h5"):
        done[0] += 1
        if done[0] == at and moment == "half":
            os.truncate(a, os.path.getsize(a) // 2)
            kill()
        if done[0] == at and moment == "before":
            kill()
        real(a, b)
        if done[0] == at and moment == "after":
            kill()
    else:
        real(a, b)
os.replace = replace
"""


def test_ten_kills_at_random_moments_change_no_bit(shared):
    """Seven at writes of snapshots and states, chosen by chance; three by the clock, in a step or wherever."""
    films, whole = shared
    settings, out = tiny_settings(train=LONG), films / "killed"
    chance = random.Random(20180116)
    call = command(films, str(out), settings)
    kills = [
        {"KILL_AT": str(chance.randint(1, 6)), "KILL_WHEN": chance.choice(["half", "before", "after"])}
        for _ in range(7)
    ] + [{"seconds": str(chance.uniform(0.0, 1.5))} for _ in range(3)]
    chance.shuffle(kills)
    met = 0
    for kill in kills:
        process = subprocess.Popen(
            call, env=environment(films) | kill, cwd=films, stderr=subprocess.PIPE, text=True
        )
        if "seconds" in kill:
            for line in process.stderr:  # the clock starts with the training, not with TensorFlow
                if "steps an epoch" in line:
                    break
            time.sleep(float(kill["seconds"]))
            process.kill()
        process.stderr.read()
        met += process.wait() == -signal.SIGKILL
    assert met >= 8, "the training ended before it could be killed"
    subprocess.run(call, env=os.environ, cwd=films, check=True, capture_output=True)
    assert digests(run(films, "killed", train=LONG)) == digests(whole)
    assert not list(out.glob(".state/*/.tmp-*"))


def test_more_epochs_go_on_and_keep_those_that_are_there(shared):
    films, whole = shared
    state = whole.folder
    before = {path.name: path.stat().st_mtime_ns for path in state.glob("e*.h5")}
    longer = run(films, "whole", train=LONG | {"epochs": 5})
    assert digests(longer)[:4] == digests(whole)
    assert {name: (state / name).stat().st_mtime_ns for name in before} == before


def test_a_state_from_another_attempt_at_the_epoch_is_not_taken_up(shared, tmp_path):
    """within.h5 of an epoch that is whole meanwhile, as a kill between two writes leaves it."""
    films = make_films(tmp_path)
    run(films, "a", train=LONG | {"epochs": 1})
    (folder,) = (films / "a/.state").iterdir()
    stale = (folder / "resume.h5").read_bytes()
    second = run(films, "a", train=LONG | {"epochs": 2})
    (folder / "within.h5").write_bytes(stale)
    assert digests(run(films, "a", train=LONG | {"epochs": 3}))[:2] == digests(second)


# --- full disks -------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 000 kB: two or three epochs of the tiny network."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1000k", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small file system can only be mounted by root")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_an_error_that_says_how_much_is_missing_and_costs_no_snapshot(shared, small_disk):
    films, whole = shared
    expected = [plain for plain, _ in digests(whole)]
    plain = {"epochs": 4, "steps": 5}  # running means and saves within epochs change no other snapshot
    said = r"written \(No space left.*it takes 0.[1-9] MB, 0.\d MB are free.*last whole snapshot is .*epoch_0"
    with pytest.raises(UserError, match=said):
        run(films, small_disk / "a", train=plain)
    (folder,) = (small_disk / "a/.state").iterdir()
    kept = sorted(folder.glob("epoch_*.h5"))
    assert kept
    assert [sha256_file(path) for path in kept] == expected[: len(kept)]
    assert not list(folder.glob(".tmp-*"))
    subprocess.run(["mount", "-o", "remount,size=20m", small_disk], check=True)
    assert [first for first, _ in digests(run(films, small_disk / "a", train=plain))] == expected


# --- losses that are no numbers ---------------------------------------------------------------------------------------

EXPLODING = {"learning_rate": 1e30, "epochs": 4}


def test_a_loss_that_is_no_number_stops_with_step_films_and_snapshot_named(films):
    with pytest.raises(
        UserError, match=r"in epoch \d+, step \d+ .*films: .*img/\d.png; .*train.on_nan to rollback"
    ):
        run(films, "a", train=EXPLODING)


def test_after_an_epoch_the_last_good_snapshot_is_named(films, monkeypatch):
    from mammo.detector import trainer

    rates = iter([1e-3] * 3 + [1e30] * 99)
    monkeypatch.setattr(trainer, "learning_rate", lambda *_: next(rates))
    with pytest.raises(UserError, match=r"epoch 2, step \d.*the last whole snapshot is .*epoch_01.h5"):
        run(films, "a", train={"epochs": 2})


def test_a_rollback_goes_on_behind_the_last_whole_epoch_with_a_smaller_rate(films):
    said = []
    back = {"on_nan": "rollback", "rollback_factor": 1e-16, "epochs": 2, "learning_rate": 1e13}
    done = run(films, "a", said=said, train=back)
    assert any("is not a number any more" in text and "going on behind it" in text for text in said)
    assert len(done.snapshots) == 2
    assert done.history[-1].learning_rate == pytest.approx(1e-3)
    # Once gone through, it is the training's own way: the same from nothing, and known after a restart.
    assert digests(run(films, "b", train=back)) == digests(done)
    assert digests(run(films, "a", train=back)) == digests(done)


def test_a_training_that_stopped_at_a_nan_goes_on_when_told_to_roll_back(films):
    with pytest.raises(UserError):
        run(films, "a", train={"epochs": 1, "learning_rate": 1e13})
    back = {"on_nan": "rollback", "rollback_factor": 1e-16, "epochs": 1, "learning_rate": 1e13}
    assert len(run(films, "a", train=back).snapshots) == 1


def test_rollbacks_come_to_an_end(films):
    with pytest.raises(UserError, match="After 5 rollbacks that is no accident"):
        run(films, "a", train=EXPLODING | {"on_nan": "rollback", "rollback_factor": 0.9})


# --- the folder of state ----------------------------------------------------------------------------------------------


def test_a_broken_state_begins_anew_and_says_so(shared, tmp_path):
    said: list[str] = []
    keeper = TrainingState(tmp_path, "key", "{}")
    (keeper.folder / "resume.h5").write_bytes(b"no HDF5")
    assert keeper.restore(said.append) is None
    assert "cannot be read" in said[0]


def test_progress_begins_with_nothing_done():
    assert Progress().losses.shape == (0, 2)
