"""GPUs for jobs: which devices a job may choose from, and that no two jobs ever share one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mammo.detector.devices import (
    Device,
    candidate_devices,
    environment_with_devices,
    installed_devices,
    lock_folder,
    parse_device_list,
    take_devices,
    try_lock,
)
from mammo.errors import UserError

GPU_SLOT = Path(__file__).parents[2] / "scripts" / "gpu_slot.py"
TWO_GPUS = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-11111111-aaaa-bbbb-cccc-000000000000)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-22222222-aaaa-bbbb-cccc-000000000000)
"""
ONE_GPU_IN_PARTS = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-11111111-aaaa-bbbb-cccc-000000000000)
  MIG 3g.20gb     Device  0: (UUID: MIG-33333333-aaaa-bbbb-cccc-000000000000)
  MIG 3g.20gb     Device  1: (UUID: MIG-44444444-aaaa-bbbb-cccc-000000000000)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-22222222-aaaa-bbbb-cccc-000000000000)
"""


def make_nvidia_smi(folder: Path, listing: str, status: int = 0) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "listing").write_text(listing)
    program = folder / "nvidia-smi"
    program.write_text(f'#!/bin/sh\n[ "$1" = -L ] || exit 9\ncat "{folder / "listing"}"\nexit {status}\n')
    program.chmod(0o755)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with two GPUs; its environment, for jobs."""
    make_nvidia_smi(tmp_path / "bin", TWO_GPUS)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    monkeypatch.setenv("MAMMO_GPU_LOCKS", str(tmp_path / "locks"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tmp_path


def start(*command: str, devices: int = 1, **environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, str(GPU_SLOT), "--devices", str(devices), "--", *command],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*command: str, devices: int = 1, **environment: str) -> subprocess.CompletedProcess:
    process = start(*command, devices=devices, **environment)
    output, errors = process.communicate(timeout=60)
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def wait_for(path: Path, seconds: float = 20) -> str:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if path.exists() and path.read_text():
            return path.read_text().strip()
        time.sleep(0.02)
    raise AssertionError(f"{path.name} did not appear in {seconds} s")


# --- which devices ---


def test_gpus_are_read_in_the_order_of_nvidia_smi():
    assert [device.uuid[:12] for device in parse_device_list(TWO_GPUS)] == ["GPU-11111111", "GPU-22222222"]


def test_the_parts_of_a_gpu_take_its_place():
    found = [device.token[:12] for device in parse_device_list(ONE_GPU_IN_PARTS)]
    assert found == ["MIG-33333333", "MIG-44444444", "GPU-22222222"]


def test_no_nvidia_smi_means_no_gpu_and_no_words(tmp_path, monkeypatch):
    said: list[str] = []
    monkeypatch.setenv("PATH", str(tmp_path))
    assert installed_devices(said.append) == []
    assert said == []


def test_a_driver_that_does_not_work_is_said_aloud(tmp_path, monkeypatch):
    said: list[str] = []
    make_nvidia_smi(tmp_path, "Failed to initialize NVML: Driver/library version mismatch\n", status=18)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert installed_devices(said.append) == []
    assert "version mismatch" in said[0]


@pytest.mark.parametrize("assigned", ["", "-1", "0", "1", "GPU-22222222-aaaa-bbbb-cccc-000000000000"])
def test_a_choice_made_outside_is_left_alone(machine, assigned):
    done = run("sh", "-c", 'printf %s "$CUDA_VISIBLE_DEVICES"', CUDA_VISIBLE_DEVICES=assigned)
    assert (done.stdout, done.stderr) == (assigned, "")
    assert not (machine / "locks").exists()


def test_among_several_assigned_devices_the_job_gets_one_by_its_own_name_for_it(machine):
    candidates = candidate_devices({"CUDA_VISIBLE_DEVICES": "1,GPU-1111"}, print)
    assert [(device.token, device.uuid[:12]) for device in candidates] == [
        ("1", "GPU-22222222"),
        ("GPU-1111", "GPU-11111111"),
    ]


def test_a_job_with_an_assigned_list_and_one_without_do_not_share(machine):
    """The list renames the devices; the lock goes by what they are."""
    holder = machine / "holder"
    first = start(
        "sh", "-c", f"echo $CUDA_VISIBLE_DEVICES > {holder}; exec sleep 60", CUDA_VISIBLE_DEVICES="0,1"
    )
    try:
        assert wait_for(holder) == "0"
        assert run("sh", "-c", "echo $CUDA_VISIBLE_DEVICES").stdout.startswith("GPU-22222222")
    finally:
        first.kill()
        first.communicate()


def test_without_a_gpu_the_command_just_runs(tmp_path, monkeypatch):
    make_nvidia_smi(tmp_path / "bin", "")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert run("sh", "-c", "echo ${CUDA_VISIBLE_DEVICES-unset}").stdout == "unset\n"


# --- the command ---


def test_arguments_and_exit_status_pass_unchanged(machine):
    done = run(
        sys.executable, "-c", "import sys; print(sys.argv[1:]); sys.exit(7)", "--lr", "a b", "--", "$x"
    )
    assert done.returncode == 7
    assert done.stdout == "['--lr', 'a b', '--', '$x']\n"


def test_a_command_that_does_not_exist_is_one_plain_line(machine):
    done = run("no-such-program")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: the command 'no-such-program' cannot be run")


def test_nothing_heavy_is_imported():
    done = subprocess.run(
        [sys.executable, "-c", "import sys, mammo.detector.devices; print('tensorflow' in sys.modules)"],
        cwd=GPU_SLOT.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"


# --- never two jobs on one device ---


def test_three_jobs_on_two_gpus_never_share_one_and_all_get_their_turn(machine):
    """A job marks its device with a folder, which only one can make, and takes the mark away when it ends."""
    job = 'mkdir "$0/$CUDA_VISIBLE_DEVICES" || exit 3; sleep 0.7; rmdir "$0/$CUDA_VISIBLE_DEVICES"'
    (machine / "marks").mkdir()
    jobs = [start("sh", "-c", job, str(machine / "marks")) for _ in range(3)]
    errors = [process.communicate(timeout=60)[1] for process in jobs]
    assert [process.returncode for process in jobs] == [0, 0, 0]
    assert (
        sum("all 2 GPUs are taken by other jobs of this user; waiting for one" in text for text in errors)
        == 1
    )


def test_a_killed_job_frees_its_gpu(machine):
    make_nvidia_smi(machine / "bin", TWO_GPUS.splitlines(keepends=True)[0])
    holder = machine / "holder"
    first = start("sh", "-c", f"echo $CUDA_VISIBLE_DEVICES > {holder}; exec sleep 60")
    device = wait_for(holder)
    second = start("sh", "-c", "echo $CUDA_VISIBLE_DEVICES")
    time.sleep(0.5)
    assert second.poll() is None
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert second.communicate(timeout=30)[0].strip() == device


def test_a_gpu_stays_taken_while_a_process_of_the_job_lives_on(machine):
    make_nvidia_smi(machine / "bin", TWO_GPUS.splitlines(keepends=True)[0])
    worker = machine / "worker"
    done = run("sh", "-c", f"sleep 60 >/dev/null 2>&1 & echo $! > {worker}")
    assert done.returncode == 0
    [device] = parse_device_list(TWO_GPUS.splitlines()[0])
    try:
        assert try_lock(device, machine / "locks") is None
    finally:
        os.kill(int(wait_for(worker)), signal.SIGKILL)


def test_a_free_device_is_taken_at_once_and_named(tmp_path):
    said: list[str] = []
    pair = [Device("0", "u0", "GPU 0"), Device("1", "u1", "GPU 1")]
    assert take_devices(pair, 1, tmp_path, said.append) == pair[:1]
    assert said == ["this job has GPU 0"]


def test_the_environment_is_otherwise_unchanged(machine):
    before = {"PATH": os.environ["PATH"], "MAMMO_GPU_LOCKS": str(machine / "locks"), "LR": "1e-5"}
    after = environment_with_devices(before, print)
    assert after.pop("CUDA_VISIBLE_DEVICES").startswith("GPU-11111111")
    assert after == before


# --- jobs of several devices ---


def test_a_job_of_two_devices_gets_two_by_name(machine):
    after = environment_with_devices(dict(os.environ), print, count=2)
    assert [token[:12] for token in after["CUDA_VISIBLE_DEVICES"].split(",")] == [
        "GPU-11111111",
        "GPU-22222222",
    ]


def test_more_devices_than_the_machine_has_are_one_plain_error_at_once(machine):
    done = run("true", devices=3)
    assert done.returncode == 1
    assert "asks for 3 GPUs and can have 2 at most" in done.stderr and "train.devices" in done.stderr


def test_more_devices_than_were_assigned_are_an_error_too(machine):
    done = run("true", devices=2, CUDA_VISIBLE_DEVICES="1")
    assert done.returncode == 1 and "can have 1 at most" in done.stderr


@pytest.mark.parametrize("assigned", ["", "-1"])
def test_a_job_of_several_devices_runs_without_any_where_there_shall_be_none(machine, assigned):
    done = run("sh", "-c", 'printf %s "$CUDA_VISIBLE_DEVICES"', devices=2, CUDA_VISIBLE_DEVICES=assigned)
    assert (done.returncode, done.stdout) == (0, assigned)


def test_a_job_that_waits_for_two_devices_holds_none(machine):
    """The other device stays free for a job of one."""
    holder = machine / "holder"
    first = start("sh", "-c", f"echo $CUDA_VISIBLE_DEVICES > {holder}; exec sleep 60")
    wait_for(holder)
    second = start("sh", "-c", "echo $CUDA_VISIBLE_DEVICES", devices=2)
    assert "waiting for 2" in second.stderr.readline()
    assert run("sh", "-c", "echo $CUDA_VISIBLE_DEVICES").stdout.startswith("GPU-22222222")
    first.kill()
    first.communicate()
    assert second.communicate(timeout=30)[0].strip().count("GPU-") == 2


def test_jobs_of_two_devices_and_of_one_all_get_their_turn_and_never_share(machine):
    job = (
        'devices=$(echo $CUDA_VISIBLE_DEVICES | tr , " "); '
        'for d in $devices; do mkdir "$0/$d" || exit 3; done; sleep 0.4; for d in $devices; do rmdir "$0/$d"; done'
    )
    (machine / "marks").mkdir()
    jobs = [start("sh", "-c", job, str(machine / "marks"), devices=count) for count in (2, 1, 2, 1, 2)]
    for process in jobs:
        process.communicate(timeout=60)
    assert [process.returncode for process in jobs] == [0] * 5


# --- the folder of locks ---


def test_a_lock_folder_that_is_a_link_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "locks").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="MAMMO_GPU_LOCKS"):
        lock_folder({"MAMMO_GPU_LOCKS": str(tmp_path / "locks")})


def test_a_lock_folder_that_cannot_be_made_is_one_plain_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be made"):
        lock_folder({"MAMMO_GPU_LOCKS": str(tmp_path / "file" / "locks")})


def test_locks_do_not_depend_on_the_jobs_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("mammo.detector.devices.LOCK_ROOT", tmp_path)
    assert lock_folder({"TMPDIR": "/somewhere"}) == lock_folder({})
