"""The profiles, as Snakemake itself reads them: each test runs it on a small workflow beside copies of profiles/."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROFILES = ROOT / "profiles"

# Three trainings. Each notes when it starts and ends, and on which device.
TRAININGS = """
import sys

rule all:
    input: expand("done/{n}", n=range(3))

rule train:
    output: "done/{n}"
    params: python=sys.executable, slot=SLOT
    resources: gpu=1
    shell:
        "{params.python:q} {params.slot:q} -- sh -c 'echo start $CUDA_VISIBLE_DEVICES >> ../events; sleep 0.8; "
        "echo end $CUDA_VISIBLE_DEVICES >> ../events' && touch {output}"
"""
TRAIN_AND_DETECT = """
rule all:
    input: "detections"
rule train:
    output: "snapshot"
    resources: gpu=1
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


def events_of_three_trainings(workflow: Path, *arguments: str, gpus: int) -> list[list[str]]:
    """Run three trainings on a machine with so many GPUs; the words that they left, in order."""
    programs = workflow.parent / "bin"
    programs.mkdir()
    lines = "".join(f"GPU {n}: Fake (UUID: GPU-{n})\n" for n in range(gpus))
    (programs / "nvidia-smi").write_text(f"#!/bin/sh\ncat <<'END'\n{lines}END\n")
    (programs / "nvidia-smi").chmod(0o755)
    (workflow / "Snakefile").write_text(
        TRAININGS.replace("SLOT", repr(str(ROOT / "scripts" / "gpu_slot.py")))
    )
    snakemake(
        workflow,
        *arguments,
        PATH=f"{programs}{os.pathsep}{os.environ['PATH']}",
        MAMMO_GPU_LOCKS=str(workflow.parent / "locks"),
    )
    return [line.split() for line in (workflow.parent / "events").read_text().splitlines()]


def most_at_once(events: list[list[str]]) -> int:
    running, most = set(), 0
    for kind, device in events:
        if kind == "start":
            assert device not in running, "two trainings shared a device"
            running.add(device)
            most = max(most, len(running))
        else:
            running.remove(device)
    return most


def test_with_two_gpus_two_trainings_run_at_once_each_on_its_own_and_never_three(workflow):
    arguments = ["--profile", "profiles/gpu", "--cores", "4", "--resources", "gpu=2"]
    events = events_of_three_trainings(workflow, *arguments, gpus=2)
    assert most_at_once(events) == 2
    assert {device for _, device in events} == {"GPU-0", "GPU-1"}


def test_with_the_gpu_profile_as_it_is_one_training_runs_at_a_time(workflow):
    events = events_of_three_trainings(workflow, "--profile", "profiles/gpu", "--cores", "4", gpus=2)
    assert most_at_once(events) == 1


def test_more_jobs_than_gpus_wait_for_a_free_one_also_without_a_limit_in_snakemake(workflow):
    events = events_of_three_trainings(workflow, "--cores", "4", gpus=2)
    assert most_at_once(events) == 2


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


def test_the_slurm_profile_gives_trainings_and_detections_a_gpu_and_their_own_limits(workflow):
    """Without Slurm's plugin, which the base environment does not have: all its keys but those for the plugin."""
    settings = settings_of("slurm")
    if importlib.util.find_spec("snakemake_executor_plugin_slurm") is None:
        settings = {k: v for k, v in settings.items() if k != "executor" and not k.startswith("slurm-")}
        (workflow / "profiles" / "slurm" / "config.yaml").write_text(yaml.safe_dump(settings))
    (workflow / "Snakefile").write_text(TRAIN_AND_DETECT)
    said = snakemake(workflow, "--profile", "profiles/slurm", "--dry-run")
    [train] = [line for line in said.split("rule train:")[1].splitlines() if "resources:" in line][:1]
    [detect] = [line for line in said.split("rule detect:")[1].splitlines() if "resources:" in line][:1]
    for line, name in ((train, "train"), (detect, "detect")):
        wanted = settings["set-resources"][name]
        assert wanted["gpu"] == 1
        for key in ("gpu", "mem_mb", "runtime"):
            assert f"{key}={wanted[key]}" in line
