"""The profiles, as Snakemake itself reads them: each test runs it on a small workflow beside copies of profiles/."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROFILES = ROOT / "profiles"

# Trainings, of so many GPUs each. Each notes when it starts and ends, and on which devices.
TRAININGS = """
import sys

DEVICES = NUMBERS

rule all:
    input: expand("done/{n}", n=range(len(DEVICES)))

rule train:
    output: "done/{n}"
    params: python=sys.executable, slot=SLOT, devices=lambda wildcards: DEVICES[int(wildcards.n)]
    resources: gpu=lambda wildcards: DEVICES[int(wildcards.n)]
    shell:
        "{params.python:q} {params.slot:q} --devices {params.devices} -- "
        "sh -c 'echo start {wildcards.n} $CUDA_VISIBLE_DEVICES >> ../events; sleep 0.8; "
        "echo end {wildcards.n} $CUDA_VISIBLE_DEVICES >> ../events' && touch {output}"
"""
TRAIN_AND_DETECT = """
rule all:
    input: "detections"
rule train:
    output: "snapshot"
    resources: gpu=2
    shell: "touch {output}"
rule detect:
    input: "snapshot"
    output: "detections"
    resources: gpu=1
    shell: "touch {output}"
"""


@pytest.fixture
def workflow(tmp_path):
    """A folder with copies of our profiles, in which a Snakefile can be written."""
    folder = tmp_path / "a workflow"
    shutil.copytree(PROFILES, folder / "profiles")
    return folder


def snakemake(folder: Path, *arguments: str, **environment: str) -> str:
    """Run Snakemake in `folder`; what it said. Fails the test if it failed."""
    inherited = {
        k: v for k, v in os.environ.items() if k not in ("SNAKEMAKE_PROFILE", "CUDA_VISIBLE_DEVICES")
    }
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments],
        cwd=folder,
        env={**inherited, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def settings_of(name: str) -> dict:
    return yaml.safe_load((PROFILES / name / "config.yaml").read_text())


@pytest.mark.parametrize("other", ["demo", "gpu", "slurm"])
def test_no_profile_sets_what_the_default_profile_would_override(other):
    assert not settings_of("default").keys() & settings_of(other).keys()


def options(folder: Path, *arguments: str) -> dict:
    """What Snakemake's own command line makes of `arguments` and of the profiles in `folder`."""
    (folder / "Snakefile").write_text(TRAIN_AND_DETECT)
    program = (
        "import json, sys; from snakemake.cli import parse_args; "
        "print(json.dumps(vars(parse_args(sys.argv[1:])[1]), default=str))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("profile", ["demo", "gpu"])
def test_the_default_profile_is_picked_up_by_itself_beside_another(workflow, profile):
    found = options(workflow, "--profile", f"profiles/{profile}")
    assert found["scheduler"] == "greedy"
    assert found["rerun_incomplete"] is True
    assert found["max_checksum_file_size"] == 100_000_000
    assert found["benchmark_extended"] is True
    assert found["show_failed_logs"] is True


def test_the_default_profile_leaves_the_resources_of_another_alone(workflow):
    assert "'gpu'" in str(options(workflow, "--profile", "profiles/gpu")["resources"])


def test_the_command_line_wins_over_a_profile(workflow):
    found = options(workflow, "--profile", "profiles/gpu", "--cores", "3", "--scheduler", "ilp")
    assert (found["cores"], found["scheduler"]) == (3, "ilp")


@dataclass(frozen=True)
class Event:
    """A line that a training left: when it started or ended, on which devices."""

    kind: str
    training: str
    devices: frozenset[str]


def events_of(workflow: Path, *arguments: str, gpus: int, trainings: tuple[int, ...]) -> list[Event]:
    """Run trainings of so many devices each on a machine with so many GPUs; what they left, in order."""
    programs = workflow.parent / "bin"
    programs.mkdir()
    lines = "".join(f"GPU {n}: Fake (UUID: GPU-{n})\n" for n in range(gpus))
    (programs / "nvidia-smi").write_text(f"#!/bin/sh\ncat <<'END'\n{lines}END\n")
    (programs / "nvidia-smi").chmod(0o755)
    slot = str(ROOT / "scripts" / "gpu_slot.py")
    (workflow / "Snakefile").write_text(
        TRAININGS.replace("SLOT", repr(slot)).replace("NUMBERS", repr(trainings))
    )
    snakemake(
        workflow,
        *arguments,
        PATH=f"{programs}{os.pathsep}{os.environ['PATH']}",
        MAMMO_GPU_LOCKS=str(workflow.parent / "locks"),
    )
    words = [line.split() for line in (workflow.parent / "events").read_text().splitlines()]
    return [Event(kind, training, frozenset(devices.split(","))) for kind, training, devices in words]


def most_at_once(events: list[Event], trainings: tuple[int, ...]) -> int:
    """How many trainings ran side by side at most, once it is sure that all ran and none shared a device."""
    running: dict[str, frozenset[str]] = {}
    most = 0
    for event in events:
        if event.kind == "start":
            taken = frozenset().union(*running.values())
            assert not event.devices & taken, "two trainings shared a device"
            assert len(event.devices) == trainings[int(event.training)]
            running[event.training] = event.devices
            most = max(most, len(running))
        else:
            assert running.pop(event.training) == event.devices
    assert sorted(event.training for event in events if event.kind == "end") == [
        str(number) for number in range(len(trainings))
    ]
    return most


@pytest.mark.parametrize(
    ("gpus", "trainings", "side_by_side"),
    [
        (2, (1, 1), 2),
        (2, (1, 1, 1), 2),
        (3, (1, 1, 1), 3),
        (2, (1, 2, 1), 2),
        (3, (2, 1, 1), 2),
        (3, (2, 2, 2), 1),
    ],
)
def test_trainings_run_side_by_side_as_far_as_gpus_go_and_never_share_one(
    workflow, gpus, trainings, side_by_side
):
    arguments = ["--profile", "profiles/gpu", "--cores", "4", "--resources", f"gpu={gpus}"]
    events = events_of(workflow, *arguments, gpus=gpus, trainings=trainings)
    assert most_at_once(events, trainings) <= side_by_side
    if set(trainings) == {1}:
        assert most_at_once(events, trainings) == side_by_side
        assert len({event.devices for event in events}) == min(gpus, len(trainings))


def test_with_the_gpu_profile_as_it_is_one_training_runs_at_a_time(workflow):
    arguments = ["--profile", "profiles/gpu", "--cores", "4"]
    events = events_of(workflow, *arguments, gpus=2, trainings=(1, 1, 1))
    assert most_at_once(events, (1, 1, 1)) == 1


@pytest.mark.parametrize("trainings", [(1, 1, 1), (2, 1, 2, 1)])
def test_more_jobs_than_gpus_wait_for_free_ones_also_without_a_limit_in_snakemake(workflow, trainings):
    events = events_of(workflow, "--cores", "4", gpus=2, trainings=trainings)
    assert most_at_once(events, trainings) <= 2


def test_the_demo_runs_in_its_own_folder_with_its_own_configuration(workflow):
    (workflow / "config.yaml").write_text("whose: the real one\n")
    (workflow / "profiles" / "demo" / "workflow.yaml").write_text("whose: the demo's\n")
    (workflow / "Snakefile").write_text(
        "rule all:\n    output: 'results/whose'\n    params: whose=config['whose']\n"
        "    shell: 'echo {params.whose:q} > {output}'\n"
    )
    snakemake(workflow, "--profile", "profiles/demo", "--", "results/whose")
    assert (workflow / "demo" / "results" / "whose").read_text() == "the demo's\n"
    assert not (workflow / "results").exists()
    assert not (workflow / ".snakemake").exists()


def test_the_slurm_profile_leaves_trainings_and_detections_their_gpus_and_gives_them_limits(workflow):
    """Without Slurm's plugin, which the base environment does not have: all its keys but those for the plugin."""
    settings = settings_of("slurm")
    if importlib.util.find_spec("snakemake_executor_plugin_slurm") is None:
        settings = {k: v for k, v in settings.items() if k != "executor" and not k.startswith("slurm-")}
        (workflow / "profiles" / "slurm" / "config.yaml").write_text(yaml.safe_dump(settings))
    (workflow / "Snakefile").write_text(TRAIN_AND_DETECT)
    said = snakemake(workflow, "--profile", "profiles/slurm", "--dry-run")
    [train] = [line for line in said.split("rule train:")[1].splitlines() if "resources:" in line][:1]
    [detect] = [line for line in said.split("rule detect:")[1].splitlines() if "resources:" in line][:1]
    for line, name, gpus in ((train, "train", 2), (detect, "detect", 1)):
        wanted = settings["set-resources"][name]
        assert f"gpu={gpus}" in line
        for key in ("mem_mb", "runtime"):
            assert f"{key}={wanted[key]}" in line
