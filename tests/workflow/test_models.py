"""Folds, running means and trainings that stop early, from config to the tables of results: real runs."""

from __future__ import annotations

import h5py
import numpy as np
import pandas as pd
import pytest

TARGETS = [
    "results/all_snapshots.csv",
    "results/ensemble_abn.csv",
    "results/ensembles/swept/abn.gain.csv",
    "results/ensembles/greedy/abn.gain.csv",
    "results/ensembles/folds/abn.gain.csv",
]


@pytest.fixture(scope="module")
def models(tmp_path_factory, root, make_workplace):
    """A finished workplace: two folds, each with a running mean, and a training that stops after its first epoch."""
    workplace = make_workplace(tmp_path_factory.mktemp("models"), root)
    tiny = workplace.config["experiments"]["tiny"]
    # No loss gets better by so much: the second epoch is the last.
    short = {"monitor": "loss", "patience": 1, "min_delta": 1000.0}
    workplace.config["experiments"] = {
        "cut": tiny | {"folds": 2, "train": tiny["train"] | {"epochs": 1, "ema_decay": 0.9}},
        "short": tiny
        | {"train": tiny["train"] | {"epochs": 5, "early_stopping": short}, "averages": [[1, 2]]},
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
        "swept": {
            "members": {
                "pattern": "short*_0?",
                "flips": True,
                "weights": {"short_01": 2.0, "short_02": 1.0, "short-avg_01": 1.0},
                "metric": "sensitivity",
            },
            "test_sets": ["abn"],
            "fusion": "sweep",
            "sweep": {"methods": ["nms", "wbf"], "ious": [0.5], "score_floors": [0.01], "k": [1, 2]},
        },
        "greedy": {
            "members": {"greedy": 2, "experiments": ["short", "short-avg"], "metric": "sensitivity"},
            "test_sets": ["abn"],
        },
    }
    workplace.run(targets=TARGETS)
    return workplace


def members_of(workplace, ensemble):
    return sorted(pd.read_csv(workplace.folder / f"results/ensembles/{ensemble}/members.csv")["member"])


def test_every_snapshot_of_every_model_has_its_rows(models):
    rows = pd.read_csv(models.folder / "results/all_snapshots.csv")
    assert sorted(set(rows["model"])) == [
        "cut-fold1-ema_01", "cut-fold1_01", "cut-fold2-ema_01", "cut-fold2_01", "short-avg_01",
        "short_01", "short_02",
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


def test_an_average_lies_between_the_snapshots_that_it_is_the_mean_of(models):
    weights = []
    for name in ("csv_01", "csv_02", "avg_01"):
        with h5py.File(models.folder / f"snapshots/short/plain_{name}.h5") as file:
            found = []
            file["model_weights"].visititems(
                lambda _, item, found=found: found.append(item[()]) if hasattr(item, "shape") else None
            )
            weights.append(found)
    for one, other, mean in zip(*weights, strict=True):
        np.testing.assert_allclose(mean, (one.astype(float) + other) / 2, atol=1e-6)


def test_a_sweep_names_a_winner_and_the_ensemble_has_so_many_members_each_with_its_flip(models):
    folder = models.folder / "results/ensembles/swept"
    tried = pd.read_csv(folder / "sweep.csv")
    assert len(tried) == 4 and tried["winner"].sum() == 1
    members = members_of(models, "swept")
    assert len(members) == 2 * tried.loc[tried["winner"], "k"].item()
    assert [name for name in members if "-flip_" not in name] == sorted(
        name.replace("-flip_", "_") for name in members if "-flip_" in name
    )
    rows = pd.read_csv(folder / "abn.csv")
    assert sorted(rows["model"]) == sorted([*members, "swept"])
    weights = pd.read_csv(folder / "members.csv")
    assert weights[weights["member"] == "short_01"]["weight"].tolist() in ([], [2.0])


def test_a_look_at_mirror_images_is_made_for_the_ensemble_alone(models):
    looks = {path.parent.name for path in models.folder.glob("results/detections/*-flip_*/abn.csv")}
    assert looks == {name for name in members_of(models, "swept") if "-flip_" in name}
    assert not list(models.folder.glob("results/snapshot_*-flip_*.csv"))


def test_forward_selection_says_what_it_tried(models):
    tried = pd.read_csv(models.folder / "results/ensembles/greedy/greedy.csv")
    assert set(tried[tried["step"] == 1]["candidate"]) == {"short_01", "short_02", "short-avg_01"}
    assert sorted(tried[tried["chosen"]]["candidate"]) == members_of(models, "greedy")


def test_an_ensemble_whose_members_share_no_validation_film_has_no_operating_point(models):
    folder = models.folder / "results/ensembles"
    rows = pd.read_csv(folder / "folds/abn.csv").set_index("model")
    assert pd.read_csv(folder / "folds/validation.images.csv").empty
    assert pd.isna(rows.loc["folds", "operating_threshold"])
    assert not pd.read_csv(folder / "swept/validation.images.csv").empty


def test_a_sweep_over_members_that_share_no_validation_film_is_refused(models):
    before = models.config["ensembles"]
    models.config["ensembles"] = {"bad": {"members": {"best": 2, "experiments": ["cut"]}, "fusion": "sweep"}}
    run = models.snakemake(targets=["results/ensembles/bad/sweep.csv"])
    models.config["ensembles"] = before
    assert run.returncode != 0
    assert "no film stands in the validation sets of all of cut-fold1, cut-fold2" in run.stdout + run.stderr


def test_nothing_is_left_to_do(models):
    assert models.would_run(TARGETS) == set()


def test_the_data_report_speaks_of_every_fold(models):
    models.run(targets=["results/data_report.html"])
    sets = set(pd.read_csv(models.folder / "results/data_report.csv")["set"])
    assert {"all-fold1of2", "all-fold2of2"} <= sets


def test_a_member_after_the_last_epoch_is_told_that_the_training_stopped_early(models):
    models.config["ensembles"] = {"late": {"members": {"names": ["short_04"]}, "test_sets": ["abn"]}}
    run = models.snakemake(targets=["results/ensemble_abn.csv"])
    assert run.returncode != 0
    assert "has no epoch 4: the training stopped early, after epoch 2" in run.stdout + run.stderr
