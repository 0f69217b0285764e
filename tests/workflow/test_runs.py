"""Whole runs: the same bytes twice, also after a kill; what bad input and bad configs get."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pandas as pd
import pytest

PRODUCTS = (
    "data/**/*.jpg",
    "data/**/*.csv",
    "snapshots/*/*.csv",
    "snapshots/*/*.h5",
    "results/**/*.csv",
    "results/**/*.png",
)


def products(folder):
    """Content of every table, image and snapshot by its path."""
    files = {path for pattern in PRODUCTS for path in folder.glob(pattern)}
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_the_ensemble_table_has_its_members_and_the_ensemble_last(finished):
    rows = pd.read_csv(finished.folder / "results/ensemble_abn.csv")
    assert list(rows["kind"]) == ["member", "member", "ensemble"]
    assert set(rows["test_set"]) == {"abn"}
    assert rows["lesions"].min() > 0


def test_every_snapshot_is_in_the_table_for_every_test_set(finished):
    rows = pd.read_csv(finished.folder / "results/all_snapshots.csv")
    assert sorted(zip(rows["model"], rows["test_set"], strict=True)) == [
        (model, test_set) for model in ("tiny_01", "tiny_02") for test_set in ("abn", "normal")
    ]


def test_what_was_not_used_has_a_row_with_a_reason(finished):
    truth = pd.read_csv(finished.folder / "truth/NCC/rejects.csv")
    rejects = pd.read_csv(finished.folder / "data/NCC/rejects.csv")
    assert set(truth["source"]) <= set(rejects["source"])
    assert rejects["reason"].str.len().min() > 0


def test_a_run_killed_in_training_and_run_again_ends_with_the_same_bytes(finished, fresh):
    kill_in_training(fresh)
    fresh.snakemake("--unlock")
    fresh.run()
    ours, theirs = products(fresh.folder), products(finished.folder)
    assert sorted(ours) == sorted(theirs)
    assert [name for name in ours if ours[name] != theirs[name]] == []


def kill_in_training(workplace):
    """SIGKILL Snakemake and all its jobs once the first epoch is on disk."""
    run = subprocess.Popen(
        workplace.command(), cwd=workplace.folder, env=workplace.environment(), start_new_session=True
    )
    deadline = time.monotonic() + 300
    while not list((workplace.folder / "snapshots/tiny/.state").glob("**/*.h5")):
        assert run.poll() is None, "the run ended before its first snapshot"
        assert time.monotonic() < deadline
        time.sleep(0.2)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.update(epochs=3), "epochs: unknown key"),
        (lambda c: c["train_sets"]["all"].update(tables=["nothing/data"]), "'nothing/data' names no dataset"),
        (
            lambda c: c["experiments"]["tiny"]["model"]["anchors"].update(negative_overlap=0.6),
            "experiments.tiny.model.anchors: negative_overlap 0.6 is above positive_overlap 0.5",
        ),
        (lambda c: c.update(data_dir="nowhere"), "raw folder nowhere/"),
    ],
    ids=["unknown-key", "unknown-dataset", "impossible-overlaps", "missing-raw-folder"],
)
def test_a_wrong_config_stops_before_anything_runs(changed, change, said):
    change(changed.config)
    run = changed.snakemake("--dry-run")
    assert run.returncode != 0
    assert said in run.stdout + run.stderr
    assert "Traceback (most recent call last)" not in run.stdout + run.stderr


def test_a_patient_who_is_trained_and_tested_on_stops_the_run(changed):
    changed.config["test_sets"]["leak"] = {"tables": ["inbreast/data"]}
    run = changed.snakemake()
    assert run.returncode != 0
    assert "patients are in retinanet_train_all and in retinanet_test_leak" in run.stdout + run.stderr
    assert "Train tiny" not in run.stdout + run.stderr


def test_a_config_without_test_sets_trains_and_validates(changed):
    changed.config.update(test_sets={}, ensembles={})
    assert "detect" not in changed.would_run(["results/validation/tiny_01.csv"])
    assert changed.snakemake("--dry-run", targets=["data/retinanet_train_all.csv"]).returncode == 0


def test_too_many_rejects_stop_the_run_and_name_the_worst(changed):
    changed.config["datasets"]["NCC"]["max_reject_share"] = 0.01
    run = changed.snakemake()
    assert run.returncode != 0
    assert "NCC/dicom/" in run.stdout + run.stderr
