"""An ensemble against what costs less."""

from __future__ import annotations

import subprocess
import sys
from functools import partial

import numpy as np
import pytest

from mammo.fusion.fuse import Looked, fuse
from mammo.metrics.films import join_films
from mammo.metrics.gain import HEADLINES, GainRow, gain_rows
from mammo.metrics.members import best_on_validation, by_snapshot
from mammo.metrics.row import ResultRow, result_row
from mammo.settings import EvaluationSettings, FusionSettings
from mammo.tables.csvio import read_table, write_table
from mammo.tables.detections import as_columns, write_detections
from mammo.tables.records import Image, Lesion

EVALUATION = EvaluationSettings(resamples=200)
FUSION = FusionSettings(iou=0.5)


@pytest.fixture
def tested(image, lesion):
    """Twenty patients with a film each, the first twelve with a lesion."""
    images = [image(f"{number:02d}", f"p{number:02d}") for number in range(20)]
    return images, [lesion(one.image_id, 10, 10, 30, 30) for one in images[:12]]


def voter(tested, detection, seed: int, chance: float, weight: float = 1.0) -> Looked:
    """Finds each lesion by chance, and here and there something else."""
    rng = np.random.default_rng(seed)
    images, lesions = tested
    found = [
        detection(lesion.image_id, round(rng.uniform(0.3, 1), 3), 11, 11, 31, 31)
        for lesion in lesions
        if rng.random() < chance
    ]
    found += [
        detection(one.image_id, round(rng.uniform(0.05, 0.8), 3), 60, 60, 80, 80)
        for one in images
        if rng.random() < 0.4
    ]
    return Looked(frozenset(one.image_id for one in images), as_columns(found), weight)


@pytest.fixture
def members(tested, detection):
    names = ["a_01", "a-flip_01", "b_01", "b-flip_01", "c_01"]
    return {name: voter(tested, detection, seed, 0.6, 1.0 + seed) for seed, name in enumerate(names)}


def rows_of(tested, members, best="b_01", settings=EVALUATION) -> list[GainRow]:
    return gain_rows(
        partial(join_films, *tested), members, best, FUSION, settings, test_set="abn", ensemble="all"
    )  # fmt: skip


def value_of(tested, detections, figure: str) -> float | None:
    films = join_films(*tested, detections)
    names = {"test_set": "abn", "model": "m", "kind": "ensemble", "members": ["m"], "run_id": "0" * 12}
    return getattr(result_row(films, EVALUATION, **names), figure)


def test_each_figure_is_held_against_the_best_the_mean_and_the_rest(tested, members):
    rows = rows_of(tested, members)
    assert [(row.against, row.model, row.figure) for row in rows] == [
        (against, model, figure)
        for against, model in (
            ("best_member", "b_01"), ("mean_member", "a_01;b_01;c_01"),
            ("without", "a_01"), ("without", "b_01"), ("without", "c_01"),
        )
        for figure in HEADLINES
    ]  # fmt: skip


def test_values_are_those_of_the_tables_of_results(tested, members):
    whole = fuse(list(members.values()), FUSION)
    without_a = fuse([look for name, look in members.items() if not name.startswith("a")], FUSION)
    for row in rows_of(tested, members):
        assert row.value == value_of(tested, whole, row.figure)
        if row.against == "best_member":
            assert row.other == value_of(tested, members["b_01"].detections, row.figure)
        elif row.against == "mean_member":
            alone = [
                value_of(tested, members[name].detections, row.figure) for name in ("a_01", "b_01", "c_01")
            ]
            assert row.other == pytest.approx(np.mean(alone), abs=2e-6)
        elif row.model == "a_01":
            assert row.other == value_of(tested, without_a, row.figure)
        assert row.difference == pytest.approx(row.value - row.other, abs=2e-6)
        assert row.low <= row.difference <= row.high and 0 < row.p <= 1 and row.resamples == 200


def test_an_ensemble_of_one_gains_nothing_and_has_no_row_without_it(tested, members):
    rows = rows_of(tested, {"a_01": members["a_01"]}, "a_01")
    assert {row.against for row in rows} == {"best_member", "mean_member"}
    assert {(row.difference, row.low, row.high, row.p) for row in rows if row.figure == "sensitivity"} == {
        (0, 0, 0, 1)
    }


def test_a_set_without_lesions_has_figures_of_normals_only(tested, members):
    rows = rows_of((tested[0], []), members)
    known = {row.figure for row in rows if row.difference is not None}
    assert known == {"clean_images", "clean_cases"}


def test_without_figures_on_validation_no_member_is_the_best(tested, members):
    assert "best_member" not in {row.against for row in rows_of(tested, members, None)}


def test_the_order_of_members_changes_nothing(tested, members):
    turned = dict(reversed(members.items()))
    rows = {row.model: row for row in rows_of(tested, members) if row.against == "without"}
    assert rows == {row.model: row for row in rows_of(tested, turned) if row.against == "without"}


def test_a_look_at_mirror_images_belongs_to_its_snapshot():
    assert by_snapshot(["a_01", "a-flip_01", "b_01"]) == {"a_01": ["a_01", "a-flip_01"], "b_01": ["b_01"]}


def validated(image, lesion, model: str, froc_mean: float | None):
    films = join_films([image("1")], [lesion("1", 1, 1, 5, 5)], [])
    names = {"model": model, "kind": "snapshot", "members": [model], "run_id": "0" * 12}
    row = result_row(films, EVALUATION, test_set="validation", **names)
    return row.model_copy(update={"froc_mean": froc_mean})


def test_the_best_member_is_the_best_on_validation(image, lesion):
    rows = [validated(image, lesion, *one) for one in (("b_01", 0.7), ("a_01", 0.7), ("c_01", None))]
    assert best_on_validation("froc_mean", rows) == "a_01"
    assert best_on_validation("froc_mean", rows[2:]) is None and best_on_validation("ap50", []) is None


def test_the_script_writes_the_table(tested, members, image, lesion, root, tmp_path):
    write_table(tmp_path / "images.csv", Image, tested[0])
    write_table(tmp_path / "lesions.csv", Lesion, tested[1])
    for name in ("a_01", "b_01"):
        (tmp_path / name).mkdir()
        write_detections(tmp_path / name / "abn.csv", members[name].detections)
        write_table(tmp_path / f"{name}.csv", ResultRow, [validated(image, lesion, name, 0.5)])
    subprocess.run(
        [
            sys.executable, root / "scripts/gain.py", "--name", "both", "--test-set", "abn",
            "--images", "images.csv", "--lesions", "lesions.csv", "--members", "a_01/abn.csv", "b_01/abn.csv",
            "--validation", "a_01.csv", "b_01.csv", "--fusion", "{}", "--evaluation", '{"resamples": 100}',
            "--out", "gain.csv",
        ],
        check=True, cwd=tmp_path,
    )  # fmt: skip
    rows = read_table(tmp_path / "gain.csv", GainRow)
    assert {(row.against, row.model) for row in rows} == {
        ("best_member", "a_01"), ("mean_member", "a_01;b_01"), ("without", "a_01"), ("without", "b_01"),
    }  # fmt: skip
