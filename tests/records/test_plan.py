"""What the config asks for, as names and paths, and what each stage's settings depend on."""

from __future__ import annotations

import copy
import re

import pytest
import yaml

from mammo.errors import UserError
from mammo.records.plan import Plan, set_file
from mammo.settings import DatasetSettings, ExperimentSettings, parse_config, parse_section

BASE = yaml.safe_load("""
data_dir: d
datasets:
  A: {format: inbreast, shards: 2, parts: {data: {}, data_mass: {lesion_types: [mass]}}}
  N: {format: ncc, letters: {X: mass}, deliveries: {one: {group: abn}, two: {group: normal}},
      parts: {data_one: {deliveries: [one]}}}
train_sets: {main: {tables: [A/data]}, spare: {tables: [A/data_mass]}}
test_sets: {abn: {tables: [N/data_one]}, more: {tables: [N/data_one]}, rest: {tables: [N/data_one]}}
experiments:
  e-1: {train_set: main, test_sets: [abn], train: {epochs: 2}, model: {backbone: resnet101}}
  e-2: {train_set: main, test_sets: [more], train: {epochs: 1}, weights: {source: file, path: w.h5}}
ensembles:
  named: {members: {names: [e-1_02]}, test_sets: [more]}
  chosen: {members: {best: 1, experiments: [e-1]}, test_sets: [more, abn]}
""")


def plan(key: str = "", value: object = None) -> Plan:
    config = copy.deepcopy(BASE)
    *folders, last = key.split(".")
    place = config
    for name in folders:
        place = place.setdefault(name, {})
    if last:
        place[last] = value
    return Plan(parse_config(config))


def test_names_and_paths():
    base = plan()
    assert base.parts() == ["A/data", "A/data_mass", "N/data_one"]
    assert base.tables(["A/data", "N/data_one"]) == ["d/A/data.csv", "d/N/data_one.csv"]
    assert base.shards("A") == ["00", "01"]
    assert (
        base.unpacked("N") == ["d/N/dicom/one.files.csv", "d/N/dicom/two.files.csv"]
        and base.unpacked("A") == []
    )
    assert [base.image_folder(name) for name in ("A", "N")] == ["imgs", "img_retinanet"]
    assert base.snapshots(["e-1", "e-2"]) == ["e-1_01", "e-1_02", "e-2_01"]
    assert base.snapshot_file("e-1", "02") == "snapshots/e-1/resnet101_csv_02.h5"
    assert base.initial_weights("e-1") == [] and base.initial_weights("e-2") == ["w.h5"]
    assert base.looked_at("e-1", "abn") == "d/retinanet_test_abn.csv"
    assert base.looked_at("e-1", "validation") == "d/retinanet_val_main.csv"
    assert set_file("d/x.csv", "images") == "d/x.images.csv"
    assert base.beside(["d/x.csv"]) == ["d/x.images.csv", "d/x.lesions.csv"]


def test_merged_sets_and_their_films_at_network_size():
    base = plan("experiments.e-1.sides", {"min": 64, "max": 96})
    assert base.merged_sets() == [
        "train_main", "val_main", "train_spare", "val_spare", "test_abn", "test_more", "test_rest",
    ]  # fmt: skip
    assert base.training_set("e-1") == "train_main"
    assert base.looked_at_set("e-1", "validation") == "val_main"
    assert base.looked_at_set("e-1", "abn") == "test_abn"
    assert base.network_index("e-1", "val_main") == "d/network_size/64x96x8/val_main.csv"
    assert base.network_index("e-2", "val_main") == "d/network_size/800x1333x8/val_main.csv"


def test_the_running_mean_of_an_experiment_is_one_more_model_with_the_same_sets_and_settings():
    base = plan("experiments.e-1.train", {"epochs": 2, "ema_decay": 0.9})
    assert base.trained("e-1-ema") == base.trained("e-1") == "e-1"
    assert base.snapshots(["e-1-ema"]) == ["e-1-ema_01", "e-1-ema_02"]
    assert base.snapshot_file("e-1-ema", "02") == "snapshots/e-1/resnet101_ema_02.h5"
    for answer in (base.tests_of, base.train_set, base.network_size, base.detection_settings):
        assert answer("e-1-ema") == answer("e-1")
    assert base.looked_at_set("e-1-ema", "validation") == "val_main"


def test_an_ensemble_that_names_no_experiment_looks_at_running_means_too():
    config = copy.deepcopy(BASE)
    config["experiments"]["e-1"]["train"]["ema_decay"] = 0.9
    config["ensembles"]["chosen"]["members"]["experiments"] = []
    assert Plan(parse_config(config)).candidates("chosen") == [
        "e-1_01", "e-1_02", "e-2_01", "e-1-ema_01", "e-1-ema_02",
    ]  # fmt: skip


def test_how_many_snapshots_a_training_has_that_may_stop_early_is_read_from_its_own_table(tmp_path):
    config = copy.deepcopy(BASE)
    config["experiments"]["e-1"]["train"] |= {"early_stopping": {"patience": 1}, "ema_decay": 0.9}
    base = Plan(parse_config(config))
    models = list(base.config.models)
    assert base.snapshots(models) == ["e-2_01"]
    assert base.open_ended(models) == ["e-1", "e-1-ema"]
    assert base.manifests(base.open_ended(models)) == ["snapshots/e-1/snapshots.csv"]
    (tmp_path / "snapshots.csv").write_text("epoch,file\n1,k/epoch_01.h5\n2,k/epoch_02.h5\n")
    assert base.snapshots_in(str(tmp_path / "snapshots.csv"), "e-1-ema") == ["e-1-ema_01", "e-1-ema_02"]


def test_a_training_has_a_validation_set_where_patients_are_kept_apart():
    assert plan().validation_set("e-1") == "val_main"
    named = {"named": BASE["ensembles"]["named"]}
    whole = BASE | {
        "ensembles": named,
        "train_sets": {"main": {"tables": ["A/data"], "validation": {"fraction": 0.0}}},
    }
    assert Plan(parse_config(whole)).validation_set("e-1") is None
    fold = plan("train_sets.main.validation", {"fraction": 0.0, "folds": 2, "fold": 1})
    assert fold.validation_set("e-1") == "val_main"


def test_the_index_of_every_dataset_behind_a_merged_set_is_known():
    base = plan()
    assert base.indexes(base.tables_behind("train_main")) == ["d/A/shards/index"]
    assert base.indexes(base.tables_behind("val_main")) == ["d/A/shards/index"]
    assert base.indexes(base.tables_behind("test_abn")) == ["d/N/shards/index"]
    assert base.indexes(base.tables_compared("main")) == ["d/A/shards/index", "d/N/shards/index"]
    assert base.indexes(base.tables_compared("spare")) == ["d/A/shards/index"]


def test_a_look_names_the_films_of_each_set():
    base = plan("experiments.e-1.sides", {"min": 64, "max": 96})
    assert base.look_arguments("e-1", ["abn", "validation"]) == [
        "abn=d/network_size/64x96x8/test_abn.csv", "validation=d/network_size/64x96x8/val_main.csv"
    ]  # fmt: skip


def test_sets_of_ensembles_and_experiments():
    base = plan()
    assert base.tests_of("e-1") == ["abn"] and base.ensemble_tests() == ["abn", "more"]
    assert base.ensembles_on("more") == ["named", "chosen"] and base.ensembles_on("abn") == ["chosen"]
    assert base.candidates("named") == [] and base.candidates("chosen") == ["e-1_01", "e-1_02"]
    assert plan("ensembles.named.test_sets", []).ensemble_tests() == ["abn", "more", "rest"]


def test_a_train_set_is_held_against_every_test_set_that_it_is_tested_on():
    assert plan().test_tables_of("main") == ["d/retinanet_test_abn.csv", "d/retinanet_test_more.csv"]
    assert plan().test_tables_of("spare") == []


def test_arguments_of_an_evaluation_name_images_lesions_and_detections():
    assert plan().evaluation_arguments("e-1", "02", ["abn"]) == [
        "abn=d/retinanet_test_abn.images.csv,d/retinanet_test_abn.lesions.csv,results/detections/e-1_02/abn.csv"
    ]


def test_an_evaluation_takes_its_operating_point_from_validation_where_there_is_one():
    assert plan().validation_arguments("e-1", "02") == [
        "--validation",
        "d/retinanet_val_main.images.csv,d/retinanet_val_main.lesions.csv,results/detections/e-1_02/validation.csv",
    ]
    config = copy.deepcopy(BASE)
    config["train_sets"]["spare"]["validation"] = {"fraction": 0.0}
    config["experiments"]["e-2"]["train_set"] = "spare"
    assert Plan(parse_config(config)).validation_arguments("e-2", "01") == []


def test_a_pattern_matches_exactly_the_names():
    pattern = re.compile(Plan.pattern(["a.b", "a", "a"]))
    assert pattern.fullmatch("a.b") and pattern.fullmatch("a") and not pattern.fullmatch("axb")
    assert not re.compile(Plan.pattern([])).match("")


def test_members_are_read_from_the_table_that_names_them(tmp_path):
    (tmp_path / "m.csv").write_text("member,metric,value,rank\ne-1_02,ap50,0.5,1\ne-2_01,ap50,0.4,2\n")
    assert Plan.members(str(tmp_path / "m.csv")) == ["e-1_02", "e-2_01"]


def test_settings_of_stages_can_be_read_by_the_stages():
    base = plan()
    for text in (base.index_settings("N"), base.annotation_settings("N"), base.index_settings("A")):
        assert parse_section(DatasetSettings, text)
    for text in (base.training_settings("e-1"), base.detection_settings("e-1")):
        assert parse_section(ExperimentSettings, text).model.backbone == "resnet101"


STAGES = {
    "index": lambda plan: plan.index_settings("N"),
    "annotate": lambda plan: plan.annotation_settings("N"),
    "train": lambda plan: plan.training_settings("e-1"),
    "detect": lambda plan: plan.detection_settings("e-1"),
}


@pytest.mark.parametrize(
    ("key", "value", "stages"),
    [
        ("datasets.N.shards", 3, {"index"}),
        ("datasets.N.patients", "clinic", {"index"}),
        # What letters and classes mean stands in the records of the films, which annotating reads.
        ("datasets.N.letters", {"X": "calcification"}, {"index"}),
        ("datasets.N.classes", {"Mass": {"use": False}}, {"index"}),
        ("datasets.N.frames", "each", {"index"}),
        ("datasets.N.patient_pattern", "(p)", {"index"}),
        ("datasets.N.annotations", {"outline": {"min_chroma": 50}}, {"annotate"}),
        (
            "datasets.N.deliveries.one",
            {"group": "abn", "annotations": {"outline": {"min_side": 9}}},
            {"annotate"},
        ),
        ("datasets.N.deliveries.one", {"group": "abn", "tars": ["x.tar"]}, set()),
        ("datasets.N.deliveries.one", {"group": "normal"}, {"index", "annotate"}),
        ("datasets.N.max_reject_share", 0.5, set()),
        ("datasets.N.parts.data_two", {}, set()),
        ("experiments.e-1.train.learning_rate", 0.1, {"train"}),
        ("experiments.e-1.augmentation", {"flip_x": 0.0}, {"train"}),
        ("experiments.e-1.sides", {"min": 100}, {"train", "detect"}),
        ("experiments.e-1.model.pyramid_features", 64, {"train", "detect"}),
        ("experiments.e-1.detect", {"score_floor": 0.1}, {"detect"}),
        ("experiments.e-1.averages", [[1, 2]], set()),
        ("experiments.e-1.test_sets", ["more"], set()),
        ("evaluation", {"score_threshold": 0.3}, set()),
        ("display", {"jpeg_quality": 80}, set()),
    ],
)
def test_a_changed_key_changes_the_settings_of_the_stages_that_use_it(key, value, stages):
    base, now = plan(), plan(key, value)
    assert {name for name, settings in STAGES.items() if settings(base) != settings(now)} == stages


def test_the_raw_state_is_the_tree_s_or_the_manifests(tmp_path):
    here = plan("data_dir", str(tmp_path))
    with pytest.raises(UserError, match="raw folder"):
        here.raw_state("A")
    (tmp_path / "A" / "raw_files").mkdir(parents=True)
    (tmp_path / "N" / "tar").mkdir(parents=True)
    assert len(here.raw_state("A")) == 16 and here.raw_state("N") == ""
    with pytest.raises(UserError, match=r"datasets\.N\.deliveries\.one"):
        here.archives("N", "one")


AVERAGED = {"train_set": "main", "train": {"epochs": 3}, "averages": [[1, 3], [2, 3]]}


def test_averages_are_snapshots_of_a_model_of_their_own_also_where_a_training_may_stop_early():
    base = plan("experiments.e-1", AVERAGED | {"train": {"epochs": 3, "early_stopping": {"patience": 1}}})
    assert base.snapshots(["e-1-avg"]) == ["e-1-avg_01", "e-1-avg_02"]
    assert base.open_ended(["e-1", "e-1-avg"]) == ["e-1"]
    assert base.snapshot_file("e-1-avg", "02") == "snapshots/e-1/resnet50_avg_02.h5"
    assert base.averaged("e-1", "02") == [f"snapshots/e-1/resnet50_csv_{epoch}.h5" for epoch in ("02", "03")]
    assert parse_section(ExperimentSettings, base.averaging_settings("e-1")).model.backbone == "resnet50"


def test_looks_at_mirror_images_are_of_the_same_snapshots_and_sets():
    base = plan("ensembles.named.members.flips", True)
    assert base.with_flips("named", ["e-1_02"]) == ["e-1_02", "e-1-flip_02"]
    assert base.with_flips("chosen", ["e-1_02"]) == ["e-1_02"]
    for answer in (base.tests_of, base.train_set, base.network_size, base.trained):
        assert answer("e-1-flip") == answer("e-1")
    assert base.snapshot_file("e-1-flip", "02") == base.snapshot_file("e-1", "02")
    looks = [
        parse_section(ExperimentSettings, base.detection_settings(model)).detect.flip
        for model in ("e-1", "e-1-flip")
    ]
    assert looks == [False, "only"]
    assert "e-1-flip" in base.models() and "e-1-flip" not in base.config.models


def test_the_candidates_of_an_ensemble_are_what_validation_chooses_among_or_weighs():
    def candidates(ensemble: dict) -> list[str]:
        return plan("ensembles.named", ensemble).candidates("named")

    everything = ["e-1_01", "e-1_02", "e-2_01"]
    assert candidates({"members": {"greedy": 2}}) == everything
    assert candidates({"members": {"pattern": "e-?_01"}}) == ["e-1_01", "e-2_01"]
    assert candidates({"members": {"names": ["e-1_02"], "weights": "validation"}}) == ["e-1_02"]
    assert candidates({"members": {"names": ["e-1_02"]}, "fusion": "sweep"}) == ["e-1_02"]


def test_a_training_that_may_stop_early_is_waited_for_where_a_pattern_can_match_its_snapshots():
    config = copy.deepcopy(BASE)
    config["experiments"]["e-1"]["train"] |= {"early_stopping": {"patience": 1}}
    config["ensembles"]["late"] = {"members": {"pattern": "*_02"}}
    config["ensembles"]["other"] = {"members": {"pattern": "e-2*"}}
    base = Plan(parse_config(config))
    assert base.open_ended_candidates("late") == ["e-1"] and base.open_ended_candidates("other") == []
    assert base.candidates("late") == [] and base.matching("late", ["e-1_01", "e-1_02"]) == ["e-1_02"]


def test_fusion_is_said_by_settings_or_by_the_table_of_a_sweep():
    assert '"method":"wbf"' in plan().fusion_argument("named") and plan().sweep_table("named") == []
    swept = plan("ensembles.named.fusion", "sweep")
    assert swept.fusion_argument("named") == "results/ensembles/named/sweep.csv"
    assert swept.sweep_table("named") == ["results/ensembles/named/sweep.csv"]
    assert plan("ensembles.named.members", {"greedy": 1}).greedy_table("named") == [
        "results/ensembles/named/greedy.csv"
    ]
