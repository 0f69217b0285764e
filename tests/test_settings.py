"""Every fault of a config is one readable line that names the key; config.yaml shows every key."""

from __future__ import annotations

import copy
import re
import subprocess
import sys
import typing

import pytest
import yaml

from mammo.errors import UserError
from mammo.settings import (
    Config,
    DisplaySettings,
    LabelSettings,
    Section,
    load_config,
    parse_config,
    parse_section,
    section_json,
)

BASE = """
datasets:
  A: {format: inbreast, parts: {data: {}}}
  N: {format: ncc, deliveries: {one: {group: abn}}, parts: {data_one: {deliveries: [one]}}}
train_sets: {main: {tables: [A/data]}, whole: {tables: [A/data], validation: {fraction: 0.0}}}
test_sets: {abn: {tables: [N/data_one]}}
experiments: {first: {train_set: main, train: {epochs: 3}}}
ensembles: {best: {members: {best: 2}}}
"""


def changed(key: str, value: object) -> dict:
    """The base config with one value set; the key is a path with points."""
    config = yaml.safe_load(BASE)
    *folders, last = key.split(".")
    place = config
    for name in folders:
        place = place.setdefault(name, {})
    place[last] = value
    return config


def faults(config: object) -> list[str]:
    with pytest.raises(UserError) as caught:
        parse_config(config)
    return str(caught.value).splitlines()


EXPERIMENT = "experiments.first"
IMPOSSIBLE = [
    ("colour", 1, "colour", "unknown key"),
    ("display.jpeg", 90, "display.jpeg", "unknown key"),
    (f"{EXPERIMENT}.train.lr", 0.1, f"{EXPERIMENT}.train.lr", "unknown key"),
    ("data_dir", "", "data_dir", "at least 1 character"),
    ("display.jpeg_quality", "high", "display.jpeg_quality", "integer, found 'high'"),
    ("display.jpeg_quality", 101, "display.jpeg_quality", "found 101"),
    ("display.jpeg_quality", True, "display.jpeg_quality", "integer, found True"),
    ("display.percentiles", [99, 1], "display", "percentiles must rise"),
    ("display.percentiles", [1], "display.percentiles.1", "is missing"),
    ("display.percentiles", [1, float("nan")], "display.percentiles.1", "finite"),
    ("labels.policy", "all", "labels.policy", "'by_pathology'"),
    ("datasets", {}, "datasets", "at least 1"),
    ("datasets.A.parts", {}, "datasets.A.parts", "at least 1"),
    ("datasets.A.parts", {"train": {}}, "datasets.A", "must begin with 'data'"),
    ("datasets.A.letters", {"X": "mass"}, "datasets.A", "mean nothing for format inbreast"),
    ("datasets.A.shards", 0, "datasets.A.shards", "found 0"),
    ("datasets.A.max_reject_share", 1.5, "datasets.A.max_reject_share", "found 1.5"),
    ("datasets.N.deliveries", {}, "datasets.N", "must list its deliveries"),
    ("datasets.N.parts.data_one.deliveries", ["two"], "datasets.N", "does not have: two"),
    ("datasets.N.letters", {"X": ""}, "datasets.N", "stands for no lesion type"),
    ("train_sets.main.tables", [], "train_sets.main.tables", "at least 1"),
    ("train_sets.main.tables", ["B/data"], "train_sets.main.tables", "names no dataset; there are A, N"),
    ("train_sets.main.tables", ["A/data_x"], "train_sets.main.tables", "names no part of A; there are data"),
    ("train_sets.main.tables", ["A/data", "A/data"], "train_sets.main.tables", "stands twice"),
    ("train_sets.main.validation.fraction", -0.1, "train_sets.main.validation.fraction", "found -0.1"),
    ("test_sets.validation", {"tables": ["A/data"]}, "test_sets.validation", "name is taken"),
    ("experiments.first_02", {"train_set": "main"}, "experiments.first_02", "may not end in _<number>"),
    (f"{EXPERIMENT}.train_set", "other", f"{EXPERIMENT}.train_set", "is no train set; there are main"),
    (f"{EXPERIMENT}.test_sets", ["normal"], f"{EXPERIMENT}.test_sets", "does not exist; there are abn"),
    (f"{EXPERIMENT}.train.epochs", 0, f"{EXPERIMENT}.train.epochs", "found 0"),
    (f"{EXPERIMENT}.train.steps", 0, f"{EXPERIMENT}.train", "at least 1 or auto, found 0"),
    (f"{EXPERIMENT}.train.learning_rate", 0, f"{EXPERIMENT}.train.learning_rate", "greater than 0, found 0"),
    (f"{EXPERIMENT}.train.learning_rate", float("inf"), f"{EXPERIMENT}.train.learning_rate", "finite"),
    (f"{EXPERIMENT}.train.schedule.kind", "linear", f"{EXPERIMENT}.train.schedule.kind", "'cosine'"),
    (f"{EXPERIMENT}.train.schedule.drop", 0.5, f"{EXPERIMENT}.train.schedule.drop", "unknown key"),
    (f"{EXPERIMENT}.train.schedule.factor", 1.0, f"{EXPERIMENT}.train.schedule.factor", "found 1.0"),
    (f"{EXPERIMENT}.model.backbone", "resnet51", f"{EXPERIMENT}.model.backbone", "found 'resnet51'"),
    (f"{EXPERIMENT}.model.backbone", "plain", f"{EXPERIMENT}.weights.source", "no ImageNet weights"),
    (f"{EXPERIMENT}.model.anchors.negative_overlap", 0.6, f"{EXPERIMENT}.model.anchors", "is above positive"),
    (f"{EXPERIMENT}.model.anchors.sizes", [16], f"{EXPERIMENT}.model.anchors", "one entry for each level"),
    (
        f"{EXPERIMENT}.model.anchors.pyramid_levels",
        [7, 6, 5, 4, 3],
        f"{EXPERIMENT}.model.anchors",
        "must rise",
    ),
    (
        f"{EXPERIMENT}.model.anchors.strides",
        [8, 16, 32, 64, 100],
        f"{EXPERIMENT}.model.anchors",
        "2^p pixels",
    ),
    (f"{EXPERIMENT}.sides", {"min": 900, "max": 800}, f"{EXPERIMENT}.sides", "min 900 is above max 800"),
    (f"{EXPERIMENT}.augmentation.rotation", [0.1, -0.1], f"{EXPERIMENT}.augmentation", "rotation must rise"),
    (f"{EXPERIMENT}.augmentation.scaling", [0, 1], f"{EXPERIMENT}.augmentation.scaling.0", "greater than 0"),
    (f"{EXPERIMENT}.folds", 1, f"{EXPERIMENT}.folds", "greater than or equal to 2, found 1"),
    ("train_sets.main.validation", {"folds": 3}, "train_sets.main.validation", "folds and fold go together"),
    (
        "train_sets.main.validation",
        {"folds": 3, "fold": 4},
        "train_sets.main.validation",
        "there are 3 folds, found fold 4",
    ),
    (f"{EXPERIMENT}.weights.source", "file", f"{EXPERIMENT}.weights", "path is needed for source file"),
    ("evaluation.hit_rule", "touch", "evaluation.hit_rule", "found 'touch'"),
    ("ensembles.best.members", {}, "ensembles.best.members", "needs either names or best"),
    (
        "ensembles.best.members",
        {"best": 1, "names": ["first_01"]},
        "ensembles.best.members",
        "either names or",
    ),
    ("ensembles.best.members.best", 4, "ensembles.best.members.best", "there are 3"),
    ("ensembles.best.members.experiments", ["x"], "ensembles.best.members.experiments", "'x' does not exist"),
    ("ensembles.best.members", {"names": ["x_01"]}, "ensembles.best.members.names", "no <experiment>_<NN>"),
    ("ensembles.best.members", {"names": ["first_04"]}, "ensembles.best.members.names", "has 3 epochs"),
    ("ensembles.best.members", {"names": ["first_2"]}, "ensembles.best.members.names", "write first_02"),
    (
        "ensembles.best.members",
        {"names": ["first_²"]},
        "ensembles.best.members.names",
        "no <experiment>_<NN>",
    ),
    ("ensembles.best.members", {"names": ["first_01"] * 2}, "ensembles.best.members.names", "stands twice"),
    (f"{EXPERIMENT}.train_set", "whole", "ensembles.best.members.best", "no validation set to choose on"),
    ("ensembles.best.test_sets", ["normal"], "ensembles.best.test_sets", "does not exist; there are abn"),
    ("ensembles.best.fusion.iou", 2, "ensembles.best.fusion.iou", "found 2"),
    ("report.overlay_side", 10, "report.overlay_side", "found 10"),
]


@pytest.mark.parametrize(
    ("key", "value", "named", "says"),
    IMPOSSIBLE,
    ids=[f"{key}={value!r}"[:70] for key, value, _, _ in IMPOSSIBLE],
)
def test_a_fault_is_one_line_that_names_the_key(key, value, named, says):
    config = changed(key, value)
    (line,) = faults(config)
    assert line.startswith(f"config.yaml: {named}: ") and says in line


def test_the_base_of_these_tests_is_without_fault():
    assert parse_config(yaml.safe_load(BASE)).experiments["first"].train.epochs == 3


FOLDED = {"train_set": "main", "folds": 3, "train": {"epochs": 3}}


def test_an_experiment_with_folds_becomes_so_many_experiments_on_train_sets_of_their_own():
    config = parse_config(changed(EXPERIMENT, FOLDED))
    assert {name: settings.train_set for name, settings in config.experiments.items()} == {
        f"first-fold{fold}": f"main-fold{fold}of3" for fold in (1, 2, 3)
    }
    second = config.train_sets["main-fold2of3"]
    assert second.tables == ("A/data",)
    assert (second.validation.folds, second.validation.fold, second.validation.seed) == (3, 2, 1)


def test_experiments_with_as_many_folds_of_one_train_set_share_them():
    raw = changed(EXPERIMENT, FOLDED)
    raw["experiments"]["other"] = FOLDED
    raw["experiments"]["more"] = FOLDED | {"folds": 2}
    train_sets = parse_config(raw).train_sets
    assert [name for name in train_sets if "fold" in name] == [
        "main-fold1of3", "main-fold2of3", "main-fold3of3", "main-fold1of2", "main-fold2of2",
    ]  # fmt: skip


def test_an_ensemble_that_looks_at_an_experiment_with_folds_looks_at_all_of_them():
    raw = changed(EXPERIMENT, FOLDED | {"train": {"epochs": 3, "ema_decay": 0.9}})
    raw["ensembles"]["best"]["members"]["experiments"] = ["first-ema", "first"]
    assert parse_config(raw).ensembles["best"].members.experiments == (
        "first-fold1-ema", "first-fold2-ema", "first-fold3-ema", "first-fold1", "first-fold2", "first-fold3",
    )  # fmt: skip


def test_a_fold_can_be_named_alone():
    raw = changed(EXPERIMENT, FOLDED)
    raw["ensembles"]["best"]["members"] = {"names": ["first-fold3_02"]}
    assert parse_config(raw).ensembles["best"].members.names == ("first-fold3_02",)


def test_the_snapshots_of_a_running_mean_are_named_like_an_experiment_s():
    raw = changed(f"{EXPERIMENT}.train.ema_decay", 0.9)
    raw["ensembles"] = {
        "named": {"members": {"names": ["first-ema_03"]}},
        "best": {"members": {"best": 6}},
        "means": {"members": {"best": 3, "experiments": ["first-ema"]}},
    }
    assert parse_config(raw).models == {"first": "first", "first-ema": "first"}
    (line,) = faults(changed("ensembles.best.members", {"names": ["first-ema_03"]}))
    assert "'first-ema_03' is no <experiment>_<NN>; experiments are first" in line


TAKEN = [
    (
        "first-fold2",
        {"first": FOLDED},
        "experiments.first-fold2: the name is taken by a fold of experiments.first",
    ),
    (
        "first-ema",
        {"first": {"train_set": "main", "train": {"ema_decay": 0.9}}},
        "experiments.first-ema: the name is taken by the running mean of first",
    ),
    (
        "first-fold2-ema",
        {"first": FOLDED | {"train": {"ema_decay": 0.9}}},
        "experiments.first-fold2-ema: the name is taken by the running mean of first-fold2",
    ),
]


@pytest.mark.parametrize("folds", [{}, {"folds": 2}], ids=["plain", "folded"])
@pytest.mark.parametrize(("name", "experiments", "said"), TAKEN, ids=[name for name, _, _ in TAKEN])
def test_names_that_folds_and_running_means_take_are_refused(name, experiments, said, folds):
    raw = changed("experiments", experiments | {name: {"train_set": "main"} | folds})
    raw["ensembles"] = {}
    (line,) = faults(raw)
    assert line.startswith(f"config.yaml: {said}")


@pytest.mark.parametrize(
    ("key", "value"),
    [("early_stopping", {"patience": 2}), ("schedule", {"kind": "plateau", "monitor": "val_loss"})],
)
def test_a_training_that_goes_by_validation_needs_a_validation_set(key, value):
    raw = changed(EXPERIMENT, {"train_set": "whole", "train": {"epochs": 3, key: value}})
    raw["ensembles"] = {}
    (line,) = faults(raw)
    assert (
        line.startswith(f"config.yaml: {EXPERIMENT}.train.{key}.monitor: val_") and "no patient apart" in line
    )
    raw["experiments"]["first"]["folds"] = 2
    assert parse_config(raw)


def test_a_train_set_with_the_name_of_a_fold_is_refused():
    raw = changed(EXPERIMENT, FOLDED)
    raw["train_sets"]["main-fold1of3"] = {"tables": ["A/data"]}
    (line,) = faults(raw)
    assert line.startswith(
        "config.yaml: train_sets.main-fold1of3: the name is taken by a fold of experiments.first"
    )


def test_folds_of_a_fold_are_refused():
    raw = changed(EXPERIMENT, FOLDED)
    raw["train_sets"]["main"]["validation"] = {"folds": 5, "fold": 1}
    (line,) = faults(raw)
    assert line.startswith("config.yaml: experiments.first.folds: the train set main is one of several folds")


def test_a_fault_of_an_experiment_with_folds_is_told_once_and_by_its_own_name():
    raw = changed(EXPERIMENT, FOLDED | {"train_set": "none", "model": {"backbone": "plain"}})
    assert sorted(line.split(": ")[1] for line in faults(raw)) == [
        "experiments.first.train_set", "experiments.first.weights.source",
    ]  # fmt: skip


def test_several_faults_are_several_lines():
    config = changed("display.jpeg_quality", 0)
    config["colour"] = "blue"
    config["experiments"]["first"]["train"]["epochs"] = "many"
    assert len(faults(config)) == 3


def test_several_broken_names_are_several_lines():
    config = changed("train_sets.main.tables", ["B/data", "A/none"])
    assert len(faults(config)) == 2


@pytest.mark.parametrize("raw", [None, [], "text", 3])
def test_a_config_that_is_no_mapping_is_refused(raw):
    assert faults(raw)[0].startswith("config.yaml: a config is a mapping")


@pytest.mark.parametrize(
    ("written", "way_out"),
    [
        ("1e-5", "write 1.0e-5"),
        ("1e5", "write 1.0e+5"),
        ("2E-3", "write 2.0e-3"),
        ("1.5e3", "write 1.5e+3"),
        ("'0.01'", "write 0.01 without quotes"),
    ],
)
def test_a_number_that_yaml_reads_as_text_comes_with_the_way_to_write_it(written, way_out):
    config = changed(f"{EXPERIMENT}.train.learning_rate", yaml.safe_load(written))
    (line,) = faults(config)
    assert line.startswith(f"config.yaml: {EXPERIMENT}.train.learning_rate: ") and way_out in line
    if "write 1" in way_out and "quotes" not in way_out:
        assert isinstance(yaml.safe_load(way_out.removeprefix("write ")), float)


def test_a_word_that_yaml_reads_as_a_truth_value_is_explained():
    (line,) = faults(changed("labels.policy", yaml.safe_load("no")))
    assert "in quotes" in line


def test_merge_keys_of_yaml_work(tmp_path):
    text = BASE.replace("experiments: {first:", "experiments: {first: &first").replace(
        "ensembles:", "# none:"
    )
    text = text.replace("epochs: 3}}}", "epochs: 3}}, second: {<<: *first, train_set: whole}}")
    (tmp_path / "c.yaml").write_text(text)
    config = load_config(tmp_path / "c.yaml")
    assert config.experiments["second"].train.epochs == 3
    assert config.experiments["second"].train_set == "whole"


def test_a_key_that_stands_twice_is_refused(tmp_path):
    (tmp_path / "c.yaml").write_text(BASE + "experiments: {}\n")
    with pytest.raises(UserError, match="'experiments' stands twice"):
        load_config(tmp_path / "c.yaml")


@pytest.mark.parametrize("text", ["a: [", "\t- x"])
def test_a_file_that_is_no_yaml_is_refused_by_name(tmp_path, text):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(UserError, match=r"c\.yaml: not a readable YAML file"):
        load_config(tmp_path / "c.yaml")


def test_a_missing_config_is_refused_by_name(tmp_path):
    with pytest.raises(UserError, match=r"none\.yaml"):
        load_config(tmp_path / "none.yaml")


@pytest.mark.parametrize(("written", "path"), [("data/", "data"), ("./data", "data"), ("/a//b/", "/a/b")])
def test_data_dir_has_one_spelling(written, path):
    assert parse_config(changed("data_dir", written)).data_dir == path


@pytest.mark.parametrize("name", ["config.yaml", "profiles/demo/workflow.yaml"])
def test_the_configs_of_the_project_are_without_fault(root, name):
    assert load_config(root / name).datasets


def test_both_ncc_sets_of_config_yaml_are_annotated_in_the_same_way(root):
    datasets = load_config(root / "config.yaml").datasets
    assert datasets["NCC_trainset"].annotations == datasets["NCC"].annotations


def test_config_yaml_gives_the_defaults_where_it_says_nothing_else(root):
    config = load_config(root / "config.yaml")
    assert config.display == DisplaySettings() and config.labels == LabelSettings()


def models(kind: object, seen: set[type[Section]]) -> set[type[Section]]:
    for inner in typing.get_args(kind):
        models(inner, seen)
    if isinstance(kind, type) and issubclass(kind, Section) and kind not in seen:
        seen.add(kind)
        for field in kind.model_fields.values():
            models(field.annotation, seen)
    return seen


SECTIONS = sorted(models(Config, set()), key=lambda model: model.__name__)


@pytest.mark.parametrize("model", SECTIONS, ids=lambda model: model.__name__)
def test_config_yaml_names_every_key(root, model):
    text = (root / "config.yaml").read_text(encoding="utf-8")
    assert [key for key in model.model_fields if not re.search(rf"\b{key}:", text)] == []


@pytest.mark.parametrize("model", SECTIONS, ids=lambda model: model.__name__)
def test_every_key_is_explained(model):
    assert [key for key, field in model.model_fields.items() if not field.description] == []


def test_a_section_survives_its_way_through_a_command_line():
    config = parse_config(yaml.safe_load(BASE))
    experiment = config.experiments["first"]
    assert parse_section(type(experiment), section_json(experiment)) == experiment


def test_a_section_s_text_does_not_depend_on_the_order_of_keys():
    base = yaml.safe_load(BASE)
    turned = copy.deepcopy(base)
    turned["experiments"]["first"] = dict(reversed(turned["experiments"]["first"].items()))
    texts = {section_json(parse_config(raw).experiments["first"]) for raw in (base, turned)}
    assert len(texts) == 1


def test_a_broken_section_on_a_command_line_names_its_key():
    with pytest.raises(UserError, match="policy: "):
        parse_section(LabelSettings, '{"policy": "none"}')
    with pytest.raises(UserError):
        parse_section(LabelSettings, "{")


def test_the_committed_schemas_are_those_of_the_models(root, tmp_path):
    subprocess.run([sys.executable, root / "scripts/schemas.py", "--out", tmp_path], check=True)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    committed = {path.name: path.read_bytes() for path in (root / "schemas").iterdir()}
    assert made == committed, "run: python scripts/schemas.py --out schemas"
    assert set(made) == {
        f"{name}.schema.json"
        for name in ("config", "images", "lesions", "rejects", "detections", "results", "figures")
    }
    assert all(b"\r" not in content for content in made.values())
