"""Find the largest batch that fits this machine's GPU (or memory): `fit_gpu.py --config config.yaml NAME`.

Makes a few steps of the experiment's network on films of noise, with 1, 2, 4, … films a batch, each in a process of its
own, until one does not fit, and says what to write into the config.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mammo.detector.fitting import costs_by_batch_size, report
from mammo.errors import UserError, run_main
from mammo.settings import load_config


def main() -> None:
    """Parse, probe, report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("experiment", nargs="?", help="of the config; the first if none is named")
    parser.add_argument("--config", type=Path, default=Path("config.yaml"))
    parser.add_argument("--most", type=int, default=64, help="largest batch to try")
    parser.add_argument("--memory-mb", type=float, help="most memory to use [90 %% of what is free]")
    arguments = parser.parse_args()
    experiments = load_config(arguments.config).experiments
    name = arguments.experiment or next(iter(experiments), "")
    if name not in experiments:
        raise UserError(f"{arguments.config}: has no experiment '{name}'; there are {', '.join(experiments)}")
    costs = costs_by_batch_size(experiments[name], arguments.most, arguments.memory_mb)
    report(name, experiments[name], costs)


if __name__ == "__main__":
    run_main(main)
