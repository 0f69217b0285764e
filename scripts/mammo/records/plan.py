"""What the config asks for, as names and paths: which tables, snapshots and members each target is made from."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from mammo.records.raw import archives_of, raw_folders, tree_digest
from mammo.settings import (
    FORMATS,
    Config,
    ExperimentSettings,
    FusionSettings,
    Model,
    mirrored_name,
    section_json,
)


class Plan:
    """Answers of the config to the questions that rules ask. Paths are relative to the working folder."""

    def __init__(self, config: Config) -> None:
        self.config = config
        # Asked for by every snapshot of the plan.
        self._models = {**config.models, **config.mirrored}

    @staticmethod
    def pattern(names: Iterable[str]) -> str:
        """Regular expression that matches exactly the given names; of none: matches nothing."""
        return "|".join(sorted({re.escape(name) for name in names})) or r"(?!)"

    # --- raw files and shards

    def archives(self, dataset: str, delivery: str) -> list[str]:
        """Archives of a delivery. Raises `UserError` where there is none."""
        return archives_of(Path(self.config.data_dir) / dataset, delivery, self.config.datasets[dataset])

    def unpacked(self, dataset: str) -> list[str]:
        """Lists of unpacked files of a dataset's deliveries; empty for datasets that come without archives."""
        deliveries = self.config.datasets[dataset].deliveries
        return [f"{self.config.data_dir}/{dataset}/dicom/{delivery}.files.csv" for delivery in deliveries]

    def raw_state(self, dataset: str) -> str:
        """Digest of a dataset's raw tree (unpacked deliveries are known by their manifests instead)."""
        settings = self.config.datasets[dataset]
        folders = raw_folders(Path(self.config.data_dir) / dataset, settings)
        return "" if settings.deliveries else tree_digest(folders)

    def image_folder(self, dataset: str) -> str:
        """Name of the folder for written images, as the team knows it."""
        return FORMATS[self.config.datasets[dataset].format].images

    def shards(self, dataset: str) -> list[str]:
        """Two-digit names of a dataset's shards."""
        return [f"{number:02d}" for number in range(self.config.datasets[dataset].shards)]

    def images_of_shard(self, dataset: str, shard: str) -> str:
        """Table of a shard's written images."""
        folder = self.image_folder(dataset)
        return f"{self.config.data_dir}/{dataset}/shards/{folder}/images_{shard}.csv"

    def index_settings(self, dataset: str) -> str:
        """What finding and pairing films depends on."""
        return self._dataset_settings(
            dataset,
            ("shards", "patients", "letters", "frames", "classes", "patient_pattern"),
            of_deliveries=("group",),
        )

    def annotation_settings(self, dataset: str) -> str:
        """What recognising lesions depends on."""
        return self._dataset_settings(dataset, ("annotations",), of_deliveries=("group", "annotations"))

    def _dataset_settings(self, dataset: str, keys: Iterable[str], of_deliveries: Iterable[str]) -> str:
        whole = self.config.datasets[dataset].model_dump(mode="json")
        deliveries = {
            name: {key: delivery[key] for key in of_deliveries}
            for name, delivery in whole["deliveries"].items()
        }
        chosen = {key: whole[key] for key in ("format", *keys)}
        return section_json(chosen | {"deliveries": deliveries, "parts": {"data": {}}})

    # --- tables

    def parts(self) -> list[str]:
        """All tables of all datasets, as <dataset>/<part>."""
        return [f"{name}/{part}" for name, dataset in self.config.datasets.items() for part in dataset.parts]

    def tables(self, names: Iterable[str]) -> list[str]:
        """Paths of tables named <dataset>/<part>."""
        return [f"{self.config.data_dir}/{name}.csv" for name in names]

    def beside(self, tables: Iterable[str]) -> list[str]:
        """The images and lesions of tables, given as paths: a changed film changes nothing in the table itself."""
        return [set_file(table, kind) for table in tables for kind in ("images", "lesions")]

    def indexes(self, tables: Iterable[str]) -> list[str]:
        """The index of every dataset behind tables named <dataset>/<part>."""
        return [f"{self.config.data_dir}/{dataset}/shards/index" for dataset in datasets_of(tables)]

    def test_tables_of(self, train_set: str) -> list[str]:
        """Test tables on which an experiment or an ensemble of this train set is tested: they must share no patient."""
        return [
            f"{self.config.data_dir}/retinanet_test_{test}.csv" for test in self._tests_against(train_set)
        ]

    def _tests_against(self, train_set: str) -> list[str]:
        trained = [
            name for name, settings in self.config.experiments.items() if settings.train_set == train_set
        ]
        tests = {test for name in trained for test in self.tests_of(name)}
        return sorted(tests.union(self.ensemble_tests() if trained else ()))

    def tables_compared(self, train_set: str) -> list[str]:
        """Tables <dataset>/<part> of a train set and of the test sets that it must share no patient with."""
        tests = [self.config.test_sets[test] for test in self._tests_against(train_set)]
        return [table for sets in (self.config.train_sets[train_set], *tests) for table in sets.tables]

    def audits(self, kind: str) -> list[str]:
        """Tables of all shards of all datasets: audit (what headers and margins say) or looks (of the images)."""
        return [
            f"{self.config.data_dir}/{dataset}/shards/audit/{kind}_{shard}.csv"
            for dataset in self.config.datasets
            for shard in self.shards(dataset)
        ]

    def data_report_settings(self) -> str:
        """What the data report is about and depends on (mammo/report/data_sets.py, DataReportPlan)."""
        config = self.config
        return section_json(
            {
                "datasets": {name: dataset.max_reject_share for name, dataset in config.datasets.items()},
                "train_sets": {
                    name: sets.model_dump(mode="json") for name, sets in config.train_sets.items()
                },
                "test_sets": {name: sets.model_dump(mode="json") for name, sets in config.test_sets.items()},
                "experiments": {
                    name: {
                        "train_set": experiment.train_set,
                        "test_sets": list(experiment.test_sets),
                        "anchors": experiment.model.anchors.model_dump(mode="json"),
                        "sides": experiment.sides.model_dump(mode="json"),
                    }
                    for name, experiment in config.experiments.items()
                },
                "labels": config.labels.model_dump(mode="json"),
                "report": config.data_report.model_dump(
                    mode="json", include={"contact_sheet", "contact_side"}
                ),
            }
        )

    def privacy_gates(self, tables: Iterable[str]) -> list[str]:
        """What stands between a merged set and datasets that are not anonymised; nothing unless the config stops there.

        `tables`: <dataset>/<part>, the parts that are merged.
        """
        if self.config.data_report.privacy != "stop":
            return []
        return [f"{self.config.data_dir}/{dataset}/privacy.csv" for dataset in datasets_of(tables)]

    def tables_reported(self) -> list[str]:
        """Tables that the data report reads: all of the datasets, and the parts that merged sets are made from."""
        config = self.config
        whole = [
            f"{config.data_dir}/{name}/{table}.csv"
            for name in config.datasets
            for table in ("images", "lesions", "rejects")
        ]
        parts = {
            table
            for sets in (config.train_sets, config.test_sets)
            for merged in sets.values()
            for table in merged.tables
        }
        return whole + [
            f"{config.data_dir}/{table}.{kind}.csv"
            for table in sorted(parts)
            for kind in ("images", "lesions")
        ]

    # --- models and their snapshots. A model is an experiment; the running mean of its weights, <experiment>-ema; means
    # of chosen epochs, <experiment>-avg; or any of them looking at mirror images only, <model>-flip.

    def models(self) -> dict[str, Model]:
        """All models that can be asked for, those that look at mirror images only among them."""
        return self._models

    def trained(self, model: str) -> str:
        """The experiment whose training makes a model."""
        return self.models()[model].experiment

    def _of(self, model: str) -> ExperimentSettings:
        return self.config.experiments[self.trained(model)]

    def _may_stop_early(self, model: str) -> bool:
        """Whether its number of snapshots is unknown; averages have as many as the config asks for."""
        return self._of(model).train.early_stopping is not None and self.models()[model].kind != "avg"

    def train_set(self, model: str) -> str:
        """Name of the train set of a model."""
        return self._of(model).train_set

    def tests_of(self, model: str) -> list[str]:
        """Test sets on which all snapshots of a model are evaluated."""
        return list(self._of(model).test_sets or self.config.test_sets)

    def snapshots(self, models: Iterable[str]) -> list[str]:
        """Names <model>_<NN> of all snapshots, but for those of models whose training may stop early."""
        return [
            f"{model}_{number:02d}"
            for model in models
            if not self._may_stop_early(model)
            for number in range(1, self.config.snapshot_count(model) + 1)
        ]

    def open_ended(self, models: Iterable[str]) -> list[str]:
        """Those of the models whose number of snapshots is known only after their training: it may stop early."""
        return [model for model in models if self._may_stop_early(model)]

    def manifests(self, models: Iterable[str]) -> list[str]:
        """The tables of snapshots that the trainings of models write."""
        trained = dict.fromkeys(self.trained(model) for model in models)
        return [f"snapshots/{experiment}/snapshots.csv" for experiment in trained]

    @staticmethod
    def snapshots_in(manifest: str, model: str) -> list[str]:
        """Names of a model's snapshots, from the table that its training wrote."""
        with open(manifest, newline="", encoding="utf-8") as file:
            return [f"{model}_{int(row['epoch']):02d}" for row in csv.DictReader(file)]

    def looked_at(self, model: str, name: str) -> str:
        """Table of a test set, or of the model's own validation set."""
        return f"{self.config.data_dir}/retinanet_{self.looked_at_set(model, name)}.csv"

    def training_set(self, experiment: str) -> str:
        """The experiment's merged train set, as files that are made of it are named: train_<name>."""
        return f"train_{self.train_set(experiment)}"

    def validation_set(self, experiment: str) -> str | None:
        """The experiment's merged validation set, so named: val_<name>; None where no patient is kept apart."""
        name = self.train_set(experiment)
        return None if self.config.train_sets[name].validation.is_empty else f"val_{name}"

    def looked_at_set(self, model: str, name: str) -> str:
        """A test set, or the model's own validation set, so named: test_<name>, val_<name>."""
        return f"val_{self.train_set(model)}" if name == "validation" else f"test_{name}"

    def merged_sets(self) -> list[str]:
        """All merged sets, so named."""
        trained = [f"{kind}_{name}" for name in self.config.train_sets for kind in ("train", "val")]
        return trained + [f"test_{name}" for name in self.config.test_sets]

    def tables_behind(self, merged_set: str) -> tuple[str, ...]:
        """Tables <dataset>/<part> that a merged set, so named, is made from."""
        kind, _, name = merged_set.partition("_")
        return (self.config.test_sets if kind == "test" else self.config.train_sets)[name].tables

    def network_size(self, model: str) -> dict[str, str]:
        """Sides and bits at which a model's network sees a film: wildcards of rule network_films."""
        settings = self._of(model)
        return {
            "min_side": str(settings.sides.min),
            "max_side": str(settings.sides.max),
            "bits": str(settings.bits),
        }

    def network_index(self, model: str, merged_set: str) -> str:
        """Index of a merged set's films at the model's network size; the pixels lie beside it."""
        folder = "{min_side}x{max_side}x{bits}".format(**self.network_size(model))
        return f"{self.config.data_dir}/network_size/{folder}/{merged_set}.csv"

    def snapshot_file(self, model: str, epoch: str) -> str:
        """Path of a published snapshot."""
        experiment, kind, _ = self.models()[model]
        return f"snapshots/{experiment}/{self._of(model).model.backbone}_{kind}_{epoch}.h5"

    def averaged(self, experiment: str, number: str) -> list[str]:
        """The snapshots whose mean is the average of this number, from 01."""
        averages = self.config.experiments[experiment].averages
        chosen = averages[int(number) - 1] if 1 <= int(number) <= len(averages) else ()
        return [self.snapshot_file(experiment, f"{epoch:02d}") for epoch in chosen]

    def averaging_settings(self, experiment: str) -> str:
        """What an average depends on, beside the snapshots: how films are fed where statistics are taken anew."""
        part = self._part(experiment, "model", "sides", "bits", "train")
        part["train"] = {key: part["train"][key] for key in ("batch_size", "freeze")}
        return section_json(part)

    def initial_weights(self, experiment: str) -> list[str]:
        """The file that an experiment starts from, if it names one."""
        path = self._of(experiment).weights.path
        return [path] if path else []

    def training_settings(self, experiment: str) -> str:
        """What training depends on."""
        sections = ("model", "weights", "sides", "bits", "augmentation", "losses", "train")
        return section_json(self._part(experiment, *sections))

    def devices(self, experiment: str) -> int:
        """How many GPUs a training holds."""
        return self._of(experiment).train.devices

    def detection_settings(self, model: str) -> str:
        """What a snapshot's detections depend on, beside the snapshot."""
        part = self._part(model, "model", "sides", "bits", "detect")
        if self.models()[model].mirrored:
            part["detect"]["flip"] = "only"
        return section_json(part)

    def look_arguments(self, model: str, names: Iterable[str]) -> list[str]:
        """NAME=index of each set that a model's snapshots look at; `validation` is its own validation set."""
        return [f"{name}={self.network_index(model, self.looked_at_set(model, name))}" for name in names]

    def _part(self, model: str, *keys: str) -> dict[str, Any]:
        """Sections of a model's experiment, and its train set."""
        return self._of(model).model_dump(mode="json", include={"train_set", *keys})

    def evaluation_arguments(self, model: str, epoch: str, names: Iterable[str]) -> list[str]:
        """NAME=images,lesions,detections of each set that a snapshot looked at."""
        return [
            f"{name}={set_file(table, 'images')},{set_file(table, 'lesions')},"
            f"results/detections/{model}_{epoch}/{name}.csv"
            for name in names
            for table in [self.looked_at(model, name)]
        ]

    def validation_arguments(self, model: str, epoch: str) -> list[str]:
        """--validation images,lesions,detections of a snapshot; nothing where its train set keeps no patient apart."""
        if self.validation_set(model) is None:
            return []
        return ["--validation", self._validation_files(model, epoch)]

    def _validation_files(self, model: str, epoch: str) -> str:
        """images,lesions,detections of a snapshot on its own validation set."""
        (argument,) = self.evaluation_arguments(model, epoch, ["validation"])
        return argument.partition("=")[2]

    # --- ensembles

    def ensemble_tests(self) -> list[str]:
        """Test sets on which some ensemble is tested."""
        wanted = {test for name in self.config.ensembles for test in self._tests_of_ensemble(name)}
        return [test for test in self.config.test_sets if test in wanted]

    def ensembles_on(self, test_set: str) -> list[str]:
        """Ensembles that are tested on a test set."""
        return [name for name in self.config.ensembles if test_set in self._tests_of_ensemble(name)]

    def _tests_of_ensemble(self, ensemble: str) -> list[str]:
        return list(self.config.ensembles[ensemble].test_sets or self.config.test_sets)

    @staticmethod
    def members(table: str) -> list[str]:
        """Names of the members that were chosen, from the table that says so."""
        with open(table, newline="", encoding="utf-8") as file:
            return [row["member"] for row in csv.DictReader(file)]

    def candidates(self, ensemble: str) -> list[str]:
        """Snapshots whose validation figures choose or weigh members, as far as the config says which there are.

        None where members are named and nothing depends on their figures.
        """
        members = self.config.ensembles[ensemble].members
        if members.names:
            return list(members.names) if self._needs_figures(ensemble) else []
        return self.matching(ensemble, self.snapshots(self.config.models_of(members)))

    def open_ended_candidates(self, ensemble: str) -> list[str]:
        """Models whose snapshots are candidates too, once it is known how many there are."""
        members = self.config.ensembles[ensemble].members
        if members.names:
            return []
        could_be = {name.rpartition("_")[0] for name in self.config.matching(members)}
        return [model for model in self.open_ended(self.config.models_of(members)) if model in could_be]

    def matching(self, ensemble: str, snapshots: Iterable[str]) -> list[str]:
        """Those of the snapshots that the ensemble's pattern matches; all where it has none."""
        pattern = self.config.ensembles[ensemble].members.pattern
        return [name for name in snapshots if pattern is None or fnmatchcase(name, pattern)]

    def _needs_figures(self, ensemble: str) -> bool:
        settings = self.config.ensembles[ensemble]
        return settings.swept or settings.members.weights == "validation"

    def with_flips(self, ensemble: str, snapshots: Iterable[str]) -> list[str]:
        """The snapshots, each followed by its look at mirror images where the ensemble has flips."""
        flips = self.config.ensembles[ensemble].members.flips
        return [one for name in snapshots for one in ([name, mirrored_name(name)] if flips else [name])]

    def validate(self, snapshots: Iterable[str]) -> bool:
        """Whether every snapshot has a validation set."""
        return all(self.validation_set(name.rpartition("_")[0]) for name in snapshots)

    def snapshots_among(self, members: Iterable[str]) -> list[str]:
        """Members but for looks at mirror images."""
        return [name for name in members if name.rpartition("_")[0] in self.config.models]

    def ensemble_validation_arguments(self, ensemble: str, looks: Iterable[str]) -> list[str]:
        """NAME=images,lesions,detections of each member on its own validation set, of the ensemble on what all share.

        `looks`: the members' tables results/detections/<member>/validation.csv.
        """
        own = []
        for path in looks:
            member = Path(path).parent.name
            model, _, number = member.rpartition("_")
            own.append(f"{member}={self._validation_files(model, number)}")
        tables = [
            f"results/ensembles/{ensemble}/validation.{kind}.csv"
            for kind in ("images", "lesions", "detections")
        ]
        return [*own, f"{ensemble}={','.join(tables)}"]

    def sweep_table(self, ensemble: str) -> list[str]:
        """What was tried for an ensemble's fusion; nothing where the config says how to fuse."""
        return [f"results/ensembles/{ensemble}/sweep.csv"] if self.config.ensembles[ensemble].swept else []

    def greedy_table(self, ensemble: str) -> list[str]:
        """What forward selection tried; nothing where members are chosen otherwise."""
        greedy = self.config.ensembles[ensemble].members.greedy
        return [f"results/ensembles/{ensemble}/greedy.csv"] if greedy else []

    def fusion_argument(self, ensemble: str) -> str:
        """How to fuse, for a script: settings as JSON, or the table of the sweep whose winner says it."""
        fusion = self.config.ensembles[ensemble].fusion
        return section_json(fusion) if isinstance(fusion, FusionSettings) else self.sweep_table(ensemble)[0]


def datasets_of(tables: Iterable[str]) -> list[str]:
    """Datasets of tables named <dataset>/<part>, sorted."""
    return sorted({table.partition("/")[0] for table in tables})


def set_file(table: str, kind: str) -> str:
    """The images or lesions beside a keras-retinanet table."""
    return f"{table.removesuffix('.csv')}.{kind}.csv"
