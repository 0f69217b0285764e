"""A small whole run: a copy of the project, tiny phantoms of every format, one experiment, from raw to the ensemble."""

from __future__ import annotations

import copy
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from mammo.fusion.fuse import Looked, fuse
from mammo.phantom import PhantomSettings, deliver
from mammo.settings import FusionSettings
from mammo.tables.boxes import as_boxes
from mammo.tables.detections import DetectionColumns

CONFIG: dict[str, Any] = {
    "datasets": {
        "CBIS-DDSM": {"format": "cbis-ddsm", "shards": 1, "max_reject_share": 0.9, "parts": {"data_all": {}}},
        "inbreast": {
            "format": "inbreast",
            "shards": 1,
            "max_reject_share": 0.9,
            "parts": {"data": {"groups": ["abn"]}},
        },
        "NCC": {
            "format": "ncc",
            "letters": {"A": "asymmetry", "C": "calcification", "D": "distortion", "X": "mass"},
            "shards": 1,
            "max_reject_share": 0.9,
            "deliveries": {name: {"group": name.split("_")[0]} for name in ("abn_1", "abn_2", "normal")},
            "parts": {"data_abn": {"groups": ["abn"]}, "data_normal": {"groups": ["normal"]}},
        },
    },
    "train_sets": {
        "all": {"tables": ["CBIS-DDSM/data_all", "inbreast/data"], "validation": {"fraction": 0.3}}
    },
    "test_sets": {"abn": {"tables": ["NCC/data_abn"]}, "normal": {"tables": ["NCC/data_normal"]}},
    "experiments": {
        "tiny": {
            "train_set": "all",
            "model": {
                "backbone": "plain",
                "plain_channels": [4, 4, 8, 8, 8],
                "pyramid_features": 8,
                "head_features": 8,
                "anchors": {"pyramid_levels": [3, 4, 5], "sizes": [16, 24, 36], "strides": [8, 16, 32]},
            },
            "weights": {"source": "none"},
            "sides": {"min": 64, "max": 96},
            "train": {"epochs": 2, "batch_size": 4, "learning_rate": 0.001, "schedule": {"kind": "constant"}},
        }
    },
    "evaluation": {"resamples": 100},  # the fewest: intervals are not what these runs are about
    "ensembles": {"best2": {"members": {"best": 2}, "test_sets": ["abn"]}},
    "report": {"overlays": 2},
}
TARGETS = [
    "results/ensemble_abn.csv",
    "results/all_snapshots.csv",
    "results/overlays/best2/abn",
    "results/froc/best2_abn.png",
    "results/figures/best2/abn/pr.png",
    "results/gallery/best2/abn",
]


@dataclass
class Workplace:
    """A copy of the project beside a working folder with data and results."""

    project: Path
    folder: Path
    config: dict[str, Any] = field(default_factory=lambda: copy.deepcopy(CONFIG))

    def snakemake(
        self, *arguments: str, targets: list[str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run Snakemake in the working folder with the config as it stands."""
        command = self.command(*arguments, targets=targets)
        return subprocess.run(
            command, cwd=self.folder, env=self.environment(), capture_output=True, text=True, timeout=900
        )

    def command(self, *arguments: str, targets: list[str] | None = None) -> list[str]:
        """Write the config and return the command line."""
        (self.folder / "config.yaml").write_text(yaml.safe_dump(self.config, sort_keys=False))
        command = [
            sys.executable,
            "-m",
            "snakemake",
            "--snakefile",
            str(self.project / "Snakefile"),
            "--cores",
            "2",
        ]
        command += ["--workflow-profile", str(self.project / "profiles" / "default"), *arguments]
        return [*command, "--configfile", "config.yaml", "--", *(TARGETS if targets is None else targets)]

    @staticmethod
    def environment() -> dict[str, str]:
        """The environment of a run: without a GPU."""
        return os.environ | {"CUDA_VISIBLE_DEVICES": ""}

    def would_run(self, targets: list[str] | None = None) -> set[str]:
        """Rules that a dry run would execute."""
        run = self.snakemake("--dry-run", targets=targets)
        assert run.returncode == 0, run.stdout + run.stderr
        table = re.search(r"Job stats:\n.*?\ntotal", run.stdout + run.stderr, re.DOTALL)
        return set(re.findall(r"^(\w+) +\d+ *$", table.group(), re.MULTILINE)) if table else set()

    def run(self, *arguments: str, targets: list[str] | None = None) -> str:
        """Run to the end and return what Snakemake said."""
        done = self.snakemake(*arguments, targets=targets)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


@cache
def compile_kernels() -> None:
    """Fuse something here, so that jobs in copies of the project find the kernels compiled: it takes half a minute."""
    found = DetectionColumns(["film"], as_boxes([[0, 0, 9, 9]]), np.array([0.5]), ["malignant"])
    for method in ("wbf", "nms"):
        fuse([Looked(frozenset({"film"}), found)], FusionSettings(method=method))


def make_workplace(folder: Path, root: Path) -> Workplace:
    """A workplace with raw phantoms and nothing made of them yet."""
    compile_kernels()
    project = folder / "project"
    project.mkdir(parents=True)
    for name in ("rules", "scripts", "envs", "profiles"):
        shutil.copytree(
            root / name, project / name
        )  # with what is compiled: fusion's kernels take ten seconds
    shutil.copy(root / "Snakefile", project)
    work = folder / "work"
    deliver(
        PhantomSettings.tiny(3, ncc_trainset=dict.fromkeys(NCC_TRAINSET, 0)), work / "data", work / "truth"
    )
    return Workplace(project, work)


@pytest.fixture(scope="session", name="make_workplace")
def workplace_maker() -> Callable[[Path, Path], Workplace]:
    """Makes workplaces for tests that share one among themselves."""
    return make_workplace


NCC_TRAINSET = ("abn_180116_1", "abn_180116_2", "abn_180517_1", "abn_180517_2", "normal_180130")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Workplace:
    """A workplace in which everything is up to date. Tests that change it work on `changed`.

    One a module, since what the tests of one leave in it must not meet those of another.
    """
    workplace = make_workplace(tmp_path_factory.mktemp("workflow"), root)
    workplace.run()
    return workplace


@pytest.fixture
def fresh(tmp_path: Path, root: Path) -> Workplace:
    """A workplace with raw phantoms only."""
    return make_workplace(tmp_path, root)


@pytest.fixture
def changed(finished: Workplace) -> Workplace:
    """The finished workplace, whose config may be changed for dry runs."""
    return Workplace(finished.project, finished.folder)


@pytest.fixture
def edit(finished: Workplace) -> Callable[[str, str, str], None]:
    """Replace text in a source file of the project's copy, for the time of a test."""
    originals: dict[Path, bytes] = {}

    def replace(file: str, old: str, new: str) -> None:
        path = finished.project / file
        originals.setdefault(path, path.read_bytes())
        text = path.read_text()
        assert old in text, f"{file} has no {old!r}"
        path.write_text(text.replace(old, new, 1))

    yield replace
    for path, content in originals.items():
        path.write_bytes(content)
