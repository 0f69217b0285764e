"""Folds, running means and trainings that stop early, from config to the tables of results: real runs."""

from __future__ import annotations

import pandas as pd
import pytest


@pytest.fixture(scope="module")
def models(tmp_path_factory, root, make_workplace):
    """A finished workplace: two folds, each with a running mean, and a training that stops after its first epoch."""
    workplace = make_workplace(tmp_path_factory.mktemp("models"), root)
    tiny = workplace.config["experiments"]["tiny"]
    # No loss gets better by so much: the second epoch is the last.
    short = {"monitor": "loss", "patience": 1, "min_delta": 1000.0}
    workplace.config["experiments"] = {
        "cut": tiny | {"folds": 2, "train": tiny["train"] | {"epochs": 1, "ema_decay": 0.9}},
        "short": tiny | {"train": tiny["train"] | {"epochs": 5, "early_stopping": short}},
    }
    del workplace.config["test_sets"]["normal"]
    workplace.config["ensembles"] = {
        "folds": {
            "members": {"best": 1, "per_experiment": True, "experiments": ["cut"], "metric": "sensitivity"},
            "test_sets": ["abn"],
        },
        "means": {"members": {"names": ["cut-fold1-ema_01", "cut-fold2-ema_01"]}, "test_sets": ["abn"]},
        "short": {
            "members": {"best": 2, "experiments": ["short"], "metric": "sensitivity"},
            "test_sets": ["abn"],
        },
    }
    workplace.run(targets=["results/all_snapshots.csv", "results/ensemble_abn.csv"])
    return workplace


def members_of(workplace, ensemble):
    return sorted(pd.read_csv(workplace.folder / f"results/ensembles/{ensemble}/members.csv")["member"])


def test_every_snapshot_of_every_model_has_its_rows(models):
    rows = pd.read_csv(models.folder / "results/all_snapshots.csv")
    assert sorted(set(rows["model"])) == [
        "cut-fold1-ema_01", "cut-fold1_01", "cut-fold2-ema_01", "cut-fold2_01", "short_01", "short_02",
    ]  # fmt: skip


def test_each_patient_validates_exactly_one_fold(models):
    patients = [
        set(pd.read_csv(models.folder / f"data/retinanet_val_all-fold{fold}of2.images.csv")["patient"])
        for fold in (1, 2)
    ]
    whole = [
        set(pd.read_csv(models.folder / f"data/retinanet_{side}_all-fold1of2.images.csv")["patient"])
        for side in ("train", "val")
    ]
    assert not patients[0] & patients[1]
    assert patients[0] | patients[1] == whole[0] | whole[1]


def test_ensembles_find_folds_running_means_and_what_came_before_an_early_stop(models):
    assert members_of(models, "folds") == ["cut-fold1_01", "cut-fold2_01"]
    assert members_of(models, "means") == ["cut-fold1-ema_01", "cut-fold2-ema_01"]
    assert members_of(models, "short") == ["short_01", "short_02"]


def test_a_running_mean_is_published_beside_the_snapshot_and_is_another_one(models):
    plain, mean = (
        (models.folder / f"snapshots/cut-fold1/plain_{kind}_01.h5").read_bytes() for kind in ("csv", "ema")
    )
    assert plain != mean


def test_nothing_is_left_to_do(models):
    assert models.would_run(["results/all_snapshots.csv", "results/ensemble_abn.csv"]) == set()


def test_the_data_report_speaks_of_every_fold(models):
    models.run(targets=["results/data_report.html"])
    sets = set(pd.read_csv(models.folder / "results/data_report.csv")["set"])
    assert {"all-fold1of2", "all-fold2of2"} <= sets


def test_a_member_after_the_last_epoch_is_told_that_the_training_stopped_early(models):
    models.config["ensembles"] = {"late": {"members": {"names": ["short_04"]}, "test_sets": ["abn"]}}
    run = models.snakemake(targets=["results/ensemble_abn.csv"])
    assert run.returncode != 0
    assert "has no epoch 4: the training stopped early, after epoch 2" in run.stdout + run.stderr
