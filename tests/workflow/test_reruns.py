"""What runs again after a change: exactly what depends on it. Measured with dry runs of a real, finished workflow."""

from __future__ import annotations

import copy
import os
import re

import pytest

FIRST_STATEMENT = "from __future__ import annotations"
PICTURES = {"overlays", "froc", "figures", "gallery"}
OF_ENSEMBLES = {"ensemble", "ensemble_table", "gain"} | PICTURES
FIGURES = {"evaluate", "all_snapshots", "validate", "members"} | OF_ENSEMBLES
AFTER_DETECTION = FIGURES | {"ensemble_validation"}
DETECTION = {"detect", "detect_validation"} | AFTER_DETECTION
AFTER_TRAINING = {"snapshot"} | DETECTION
TRAINING = {"train"} | AFTER_TRAINING
AFTER_TABLES = {"part", "train_set", "test_set", "network_films", "data_report"} | TRAINING
AFTER_FILMS = {"decode", "audit", "tabulate"} | AFTER_TABLES
FUSION = {"ensemble_validation"} | OF_ENSEMBLES


ALL = ["all"]


@pytest.fixture(scope="module", autouse=True)
def reported(finished):
    """The data report, beside what a finished workplace has."""
    finished.run(targets=ALL)


def test_nothing_runs_when_nothing_changed(finished):
    assert finished.would_run(ALL) == set()


def test_touched_sources_and_reordered_config_run_nothing(changed):
    for path in changed.project.rglob("*.py"):
        os.utime(path)
    changed.config = dict(reversed(changed.config.items()))
    assert changed.would_run(ALL) == set()


def experiment(config):
    return config["experiments"]["tiny"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(
            lambda c: experiment(c)["train"].update(learning_rate=0.002), TRAINING, id="learning-rate"
        ),
        pytest.param(
            lambda c: experiment(c).update(augmentation={"rotation": [-0.2, 0.2]}),
            TRAINING,
            id="augmentation",
        ),
        pytest.param(
            lambda c: experiment(c).update(sides={"min": 64, "max": 100}),
            {"data_report", "network_films"} | TRAINING,
            id="sides",
        ),
        pytest.param(lambda c: c.update(display={"jpeg_quality": 90}), AFTER_FILMS, id="jpeg-quality"),
        pytest.param(lambda c: c.update(display={"image_format": "png"}), AFTER_FILMS, id="image-format"),
        pytest.param(
            lambda c: c.update(labels={"policy": "by_pathology"}),
            {"classes"} | AFTER_TABLES,
            id="label-policy",
        ),
        pytest.param(
            lambda c: c["datasets"]["NCC"].update(annotations={"outline": {"min_chroma": 50}}),
            {"annotate", "tabulate"} | AFTER_TABLES,
            id="outline",
        ),
        pytest.param(
            lambda c: c["datasets"]["NCC"].update(annotations={"forms": ["outline"]}),
            {"annotate", "tabulate"} | AFTER_TABLES,
            id="forms",
        ),
        # What is behind an index depends on what it finds.
        pytest.param(lambda c: c["datasets"]["NCC"].update(frames="each"), {"index"}, id="frames"),
        pytest.param(
            lambda c: c["datasets"]["NCC"].update(classes={"Mass": {"use": False}}), {"index"}, id="classes"
        ),
        pytest.param(
            lambda c: c["datasets"]["NCC"].update(patient_pattern="(p)"), {"index"}, id="patient-pattern"
        ),
        pytest.param(
            lambda c: c.update(data_report={"contact_sheet": 5}), {"data_report"}, id="contact-sheet"
        ),
        pytest.param(
            lambda c: c.update(data_report={"allowed": ["FileName"]}), {"audit", "data_report"}, id="allowed"
        ),
        pytest.param(
            lambda c: c.update(data_report={"privacy": "stop"}),
            {"privacy", "train_set", "test_set", "network_films"} | TRAINING,
            id="privacy-gate",
        ),
        pytest.param(
            lambda c: experiment(c).update(detect={"nms_threshold": 0.4}),
            DETECTION,
            id="nms",
        ),
        pytest.param(lambda c: c["ensembles"]["best2"].update(fusion={"iou": 0.4}), FUSION, id="fusion-iou"),
        pytest.param(
            lambda c: c["ensembles"]["best2"]["members"].update(weights="validation"),
            {"members"} | FUSION,
            id="weights",
        ),
        pytest.param(
            lambda c: c["ensembles"]["best2"].update(fusion="sweep"),
            {"sweep", "members"} | FUSION,
            id="fusion-sweep",
        ),
        pytest.param(
            lambda c: c["ensembles"]["best2"].update(members={"greedy": 2}),
            {"greedy", "members"} | FUSION,
            id="greedy",
        ),
        pytest.param(
            lambda c: c["ensembles"]["best2"]["members"].update(flips=True),
            {"members"} | FUSION,
            id="flips",
        ),
        pytest.param(
            lambda c: experiment(c).update(averages=[[1, 2]]),
            {"average", "detect", "detect_validation", "evaluate", "all_snapshots", "validate", "members"}
            | FUSION,
            id="averages",
        ),
        pytest.param(
            lambda c: c.update(evaluation={"score_threshold": 0.2}), AFTER_DETECTION, id="metric-threshold"
        ),
        pytest.param(lambda c: c.update(evaluation={"resamples": 500}), AFTER_DETECTION, id="resamples"),
        pytest.param(lambda c: c.update(report={"overlays": 1}), {"overlays"}, id="overlays"),
        pytest.param(lambda c: c["report"].update(gallery=1), {"gallery"}, id="gallery"),
        pytest.param(
            lambda c: c["report"].update(overlay_score=0.2), {"overlays", "gallery"}, id="overlay-score"
        ),
        pytest.param(lambda c: experiment(c)["train"].update(epochs=3), TRAINING, id="epochs"),
        pytest.param(lambda c: experiment(c)["train"].update(ema_decay=0.9), TRAINING, id="ema-decay"),
        pytest.param(
            lambda c: experiment(c)["train"].update(early_stopping={"monitor": "loss", "patience": 2}),
            TRAINING,
            id="early-stopping",
        ),
        pytest.param(
            lambda c: experiment(c).update(folds=2),
            {"train_set", "network_films", "data_report"} | TRAINING,
            id="folds",
        ),
    ],
)
def test_a_changed_key_runs_what_depends_on_it(changed, change, expected):
    change(changed.config)
    assert changed.would_run(ALL) - {"all"} == expected


@pytest.fixture
def scaled(finished):
    """Films of all merged sets at network size, beside what a finished workplace has."""
    folder = "data/network_size/64x96x8"
    targets = [f"{folder}/{name}.csv" for name in ("train_all", "val_all", "test_abn", "test_normal")]
    finished.run(targets=targets)
    return targets


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            lambda c: experiment(c).update(augmentation={"rotation": [-0.2, 0.2]}), id="augmentation"
        ),
        pytest.param(lambda c: experiment(c)["train"].update(batch_size=2), id="batch-size"),
        pytest.param(lambda c: experiment(c)["model"].update(head_features=16), id="network"),
        pytest.param(lambda c: experiment(c).update(detect={"nms_threshold": 0.4}), id="nms"),
        pytest.param(
            lambda c: experiment(c).update(sides={"min": 64, "max": 100}), id="other-sides-lie-elsewhere"
        ),
    ],
)
def test_films_at_network_size_stay_when_only_what_looks_at_them_changes(changed, scaled, change):
    change(changed.config)
    assert changed.would_run(scaled) == set()


def test_a_changed_statement_of_augmentation_scales_no_film(changed, scaled, edit):
    edit("scripts/mammo/detector/films.py", FIRST_STATEMENT, f"{FIRST_STATEMENT}\n\nX = 1")
    assert changed.would_run(scaled) == set()


def test_a_changed_statement_of_scaling_scales_all_films(changed, scaled, edit):
    edit("scripts/mammo/detector/network_films.py", FIRST_STATEMENT, f"{FIRST_STATEMENT}\n\nX = 1")
    assert changed.would_run(scaled) == {"network_films"}


@pytest.mark.parametrize("folder", ["64x100x8", "72x96x8", "64x96x16"])
def test_other_sides_or_bits_scale_the_films(finished, scaled, folder):
    assert finished.would_run([f"data/network_size/{folder}/train_all.csv"]) == {"network_films"}


def test_changed_films_are_scaled_again(changed, scaled):
    changed.config["display"] = {"jpeg_quality": 90}
    assert "network_films" in changed.would_run(scaled)


def test_sides_that_no_film_was_ever_brought_to_are_not_overlooked(changed):
    """Nothing but the results is asked for, and all of them are there: of other sides."""
    experiment(changed.config).update(sides={"min": 64, "max": 90})
    assert {"network_films", "train", "ensemble_table"} <= changed.would_run()


def test_a_training_that_never_ran_and_may_stop_early_is_not_overlooked(changed):
    """How many snapshots it will leave is not known, and so nothing of them is listed."""
    late = copy.deepcopy(experiment(changed.config))
    late["train"]["early_stopping"] = {"monitor": "loss", "patience": 2}
    changed.config["experiments"]["late"] = late
    assert changed.would_run() == {
        "train", "all_snapshots", "members", "ensemble_validation", "ensemble", "ensemble_table", *PICTURES,
    }  # fmt: skip


def test_a_train_set_that_was_never_merged_is_not_overlooked(changed):
    changed.config["train_sets"]["other"] = {
        "tables": ["CBIS-DDSM/data_all"],
        "validation": {"fraction": 0.3},
    }
    experiment(changed.config)["train_set"] = "other"
    assert {"train_set", "train", "ensemble_table"} <= changed.would_run()


def test_classes_that_are_on_no_film_do_no_shard_again(changed):
    """A real run: the index finds the same films and lesions."""
    changed.config["datasets"]["NCC"]["classes"] = {"Mass": {"use": False}}
    said = changed.run(targets=["data/NCC/images.csv"])
    assert "Find the films of NCC" in said
    assert "Annotate shard" not in said and "Decode shard" not in said
    del changed.config["datasets"]["NCC"]["classes"]
    changed.run(targets=["data/NCC/images.csv"])


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("scripts/mammo/fusion/fuse.py", FIRST_STATEMENT, "X = 1", FUSION),
        (
            "scripts/mammo/dicom/display.py",
            FIRST_STATEMENT,
            "X = 1",
            # White marks are found by comparison with the film as it is shown.
            {"annotate"} | AFTER_FILMS,
        ),
    ],
    ids=["fusion", "dicom"],
)
def test_a_changed_statement_runs_what_uses_it(changed, edit, file, old, new, expected):
    edit(file, old, f"{old}\n\n{new}")
    assert changed.would_run(ALL) - {"all"} == expected


def test_a_changed_comment_runs_nothing(changed, edit):
    edit("scripts/mammo/dicom/display.py", "from __future__", "# another word\nfrom __future__")
    assert changed.would_run(ALL) == set()


def test_a_lost_intermediate_table_is_made_again_without_training(finished):
    (finished.folder / "results/snapshot_tiny_01.csv").unlink()
    assert finished.would_run() <= {"evaluate", "all_snapshots"}
    finished.run()
    assert finished.would_run() == set()


def test_a_further_test_set_is_the_only_one_that_is_looked_at(changed):
    """Real runs: one is added, and taken away again."""
    before = {path: path.read_bytes() for path in changed.folder.glob("results/detections/tiny_*/*.csv")}
    changed.config["test_sets"]["both"] = {"tables": ["NCC/data_abn", "NCC/data_normal"]}
    changed.run(targets=["results/detections/tiny_01/both.csv"])
    assert looks(changed) == {"abn": "looked at before", "normal": "looked at before", "both": "look"}
    assert {path: path.read_bytes() for path in before} == before
    del changed.config["test_sets"]["both"]
    changed.run(targets=ALL)
    assert set(looks(changed).values()) == {"looked at before"}
    assert changed.would_run(ALL) == set()
    (changed.folder / "results/detections/tiny_01/both.csv").unlink()


def looks(workplace):
    """Of each set that the first snapshot's last job was about, whether it looked at it."""
    said = (workplace.folder / "logs/detect/tiny_01.log").read_text()
    return dict(re.findall(r"^(\w+): (look|looked at before)$", said, re.MULTILINE))


def test_what_validates_a_snapshot_looks_at_no_test_set(changed):
    experiment(changed.config)["detect"] = {"nms_threshold": 0.4}
    assert changed.would_run(["results/validation/tiny_01.csv"]) == {"detect_validation", "validate"}


def test_raw_files_that_were_only_touched_make_nothing_again_but_the_index(finished):
    for path in (finished.folder / "data/inbreast/raw_files").rglob("*"):
        os.utime(path)
    said = finished.run()
    assert "Train tiny" not in said and "Decode shard" not in said
    assert finished.would_run() == set()


def test_no_epoch_is_trained_again_when_the_films_come_out_the_same(finished, edit):
    """Real runs: a converter's statement changes, the films do not. (Last: it leaves the workplace to the old code.)"""
    (resume,) = finished.folder.glob("snapshots/tiny/.state/*/resume.h5")  # written after every epoch
    trained = resume.stat().st_mtime_ns
    results = (finished.folder / "results/ensemble_abn.csv").read_bytes()
    pixels = sorted(finished.folder.glob("data/network_size/*/*.pixels"))
    scaled = [path.stat().st_ino for path in pixels]
    edit("scripts/mammo/dicom/display.py", FIRST_STATEMENT, f"{FIRST_STATEMENT}\n\nX = 1")
    assert "Decode shard" in finished.run()
    assert list(finished.folder.glob("snapshots/tiny/.state/*/resume.h5")) == [resume]
    assert resume.stat().st_mtime_ns == trained
    assert (finished.folder / "results/ensemble_abn.csv").read_bytes() == results
    # The same files, whether their job ran or not: no film was scaled again.
    assert pixels and [path.stat().st_ino for path in pixels] == scaled
