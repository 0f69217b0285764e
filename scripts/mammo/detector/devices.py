"""GPUs for a job: one, or as many as it asks for, and none of them another job's.

Snakemake counts GPUs but does not say which one a job has: two jobs started side by side would both take the first.
Here a job takes a file lock on each of its devices and keeps it as long as it lives. The kernel drops the lock when
the last process holding it is gone, however it ended, so a killed training never leaves a device behind that looks
taken.

Nothing here imports TensorFlow: CUDA_VISIBLE_DEVICES must be set before TensorFlow starts.
"""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mammo.errors import UserError

VISIBLE_DEVICES = "CUDA_VISIBLE_DEVICES"
LOCK_ROOT = Path("/var/tmp")  # there on every Linux, and cleaned by age only after a month, if at all
LOCK_FOLDER = "MAMMO_GPU_LOCKS"  # environment variable: where the lock files lie, if not in the usual place

# `nvidia-smi -L` prints "GPU 0: NVIDIA A100 (UUID: GPU-…)" and, below a GPU that is cut up into parts,
# "  MIG 1g.5gb Device 0: (UUID: MIG-…)".
_GPU_LINE = re.compile(r"^GPU (?P<index>\d+): (?P<name>.*) \(UUID: (?P<uuid>[^)]+)\)\s*$")
_MIG_LINE = re.compile(r"^\s+MIG (?P<profile>\S+)\s+Device\s+(?P<index>\d+): \(UUID: (?P<uuid>[^)]+)\)\s*$")


@dataclass(frozen=True)
class Device:
    """A GPU, or a part of one.

    Attributes:
        token: what CUDA_VISIBLE_DEVICES names it by: its UUID, or the user's own word for it.
        uuid: what identifies it on this machine, also inside a Slurm job that counts its own devices from 0.
        name: for people.
    """

    token: str
    uuid: str
    name: str


def parse_device_list(text: str) -> list[Device]:
    """The devices in the output of `nvidia-smi -L`, in its order; parts (MIG) take the place of the GPU they are of."""
    devices: list[Device] = []
    parent: Device | None = None
    for line in text.splitlines():
        if gpu := _GPU_LINE.match(line):
            parent = Device(gpu["uuid"], gpu["uuid"], f"GPU {gpu['index']} ({gpu['name']})")
            devices.append(parent)
        elif (part := _MIG_LINE.match(line)) and parent is not None:
            if devices[-1] is parent:
                devices.pop()
            devices.append(
                Device(part["uuid"], part["uuid"], f"{parent.name} part {part['index']} ({part['profile']})")
            )
    return devices


def installed_devices(say: Callable[[str], None]) -> list[Device]:
    """The NVIDIA GPUs of this machine; none without `nvidia-smi`, and none, said aloud, if it does not work."""
    try:
        listing = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60, check=False
        )
    except FileNotFoundError:
        return []
    except (OSError, subprocess.TimeoutExpired) as error:
        say(f"nvidia-smi -L cannot be run ({error}); going on without a GPU")
        return []
    if listing.returncode != 0:
        reason = (listing.stderr or listing.stdout).strip().splitlines()
        say(f"nvidia-smi -L failed ({reason[0] if reason else 'no reason given'}); going on without a GPU")
        return []
    return parse_device_list(listing.stdout)


def candidate_devices(
    environment: Mapping[str, str], say: Callable[[str], None], count: int = 1
) -> list[Device]:
    """The devices this job may choose from; none if there is no choice to make and the environment stays as it is.

    Where CUDA_VISIBLE_DEVICES names no device, or the one that the job needs, somebody (Slurm, the user) has chosen
    already. Where it names several, as in a Slurm job that got two GPUs for a whole workflow, the choice is among
    those.
    """
    assigned = environment.get(VISIBLE_DEVICES)
    if assigned is None:
        return installed_devices(say)
    tokens = [token.strip() for token in assigned.split(",") if token.strip()]
    if not tokens or tokens == ["-1"] or (len(tokens) == 1 and count == 1):
        return []
    installed = installed_devices(say)
    return [_named(token, installed) for token in tokens]


def _named(token: str, installed: Sequence[Device]) -> Device:
    for position, device in enumerate(installed):
        if token == str(position) or device.uuid.startswith(token):
            return Device(token, device.uuid, device.name)
    return Device(token, f"index-{token}", f"GPU {token}")


def lock_folder(environment: Mapping[str, str]) -> Path:
    """The folder of this user's lock files, made if need be; the same for every workflow on this machine.

    Not below TMPDIR, which differs between jobs, nor below the home folder, which may be on a network file system.

    Raises:
        UserError: if the folder cannot be made, or belongs to somebody else, who could then hold every device.
    """
    chosen = environment.get(LOCK_FOLDER)
    folder = Path(chosen) if chosen else LOCK_ROOT / f"ncc-mammography-gpus-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"the folder of GPU locks {folder} cannot be made ({error.strerror}); "
            f"set {LOCK_FOLDER} to a folder that can"
        ) from error
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise UserError(
            f"the folder of GPU locks {folder} belongs to another user or is a link; "
            f"remove it, or set {LOCK_FOLDER} to a folder of your own"
        )
    return folder


def try_lock(device: Device, folder: Path) -> int | None:
    """Lock `device`; the file descriptor that holds the lock and outlives `exec`, or None if it is taken."""
    path = folder / re.sub(r"[^A-Za-z0-9.-]", "_", device.uuid)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    os.utime(descriptor)  # a cleaner of temporary files goes by age
    os.set_inheritable(descriptor, True)
    return descriptor


def take_devices(
    devices: Sequence[Device],
    count: int,
    folder: Path,
    say: Callable[[str], None],
    poll_seconds: float = 1.0,
) -> list[Device]:
    """Wait for `count` free ones of `devices`; lock them for the life of this process, also after it became another.

    All or none: a job never waits with devices in its hand, so no two jobs can wait for each other.

    Raises:
        UserError: if there are fewer devices than are asked for, whoever has them now.
    """
    if count > len(devices):
        raise UserError(
            f"this job asks for {count} GPUs and can have {len(devices)} at most: "
            f"{', '.join(device.name for device in devices)}. Lower experiments.*.train.devices, or run it where there "
            "are more"
        )
    waiting = False
    while True:
        if taken := _try_to_take(devices, count, folder):
            say(f"this job has {', '.join(device.name for device in taken)}")
            return taken
        if not waiting:
            few = f"all {len(devices)} GPUs" if count == 1 else f"too many of {len(devices)} GPUs"
            say(f"{few} are taken by other jobs of this user; waiting for {'one' if count == 1 else count}")
            waiting = True
        time.sleep(poll_seconds)


def _try_to_take(devices: Sequence[Device], count: int, folder: Path) -> list[Device]:
    """Lock the first `count` free devices, or none.

    One job at a time tries: two that need both of two devices and each hold one for a moment would never get any.
    """
    taken: dict[int, Device] = {}
    with open(folder / "gate", "a", encoding="utf-8") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        for device in devices:
            if len(taken) < count and (descriptor := try_lock(device, folder)) is not None:
                taken[descriptor] = device
        if len(taken) == count:
            return list(taken.values())
        for descriptor in taken:
            os.close(descriptor)
    return []


def environment_with_devices(
    environment: Mapping[str, str], say: Callable[[str], None], count: int = 1
) -> dict[str, str]:
    """The environment for a job that needs `count` GPUs: CUDA_VISIBLE_DEVICES names those that it has now locked.

    Unchanged where there is nothing to choose: no GPU, or one that was assigned from outside.

    Raises:
        UserError: if there are GPUs, and fewer than `count`.
    """
    devices = candidate_devices(environment, say, count)
    if not devices:
        return dict(environment)
    taken = take_devices(devices, count, lock_folder(environment), say)
    return {**environment, VISIBLE_DEVICES: ",".join(device.token for device in taken)}
