"""Run a command that needs GPUs with GPUs of its own: `gpu_slot.py --devices 2 -- python train.py …`.

Waits while too many GPUs are taken by other jobs of this user. Without a GPU, or with one that Slurm has assigned
already, the command just runs.
"""

from __future__ import annotations

import argparse
import os
import sys

from mammo.detector.devices import environment_with_devices
from mammo.errors import UserError, run_main


def main() -> None:
    """Take the GPUs, then become the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--devices", type=int, default=1, help="how many GPUs [%(default)s]")
    parser.add_argument("command", nargs="+", help="the command and its arguments, after --")
    arguments = parser.parse_args()
    command = arguments.command
    environment = environment_with_devices(
        os.environ,
        say=lambda text: print(f"gpu_slot: {text}", file=sys.stderr, flush=True),
        count=arguments.devices,
    )
    try:
        os.execvpe(command[0], command, environment)
    except OSError as error:
        raise UserError(f"the command {command[0]!r} cannot be run: {error.strerror}") from error


if __name__ == "__main__":
    run_main(main)
