"""Write the mean of several snapshots' weights as one more snapshot; batch normalisation is measured anew."""

from __future__ import annotations

import argparse
from pathlib import Path

from mammo.errors import run_main
from mammo.settings import ExperimentSettings, parse_section


def main() -> None:
    """Parse, average, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--snapshots", type=Path, nargs="+", required=True, help="snapshots (.h5) of one training"
    )
    parser.add_argument(
        "--films", type=Path, required=True, help="index of the training films at network size"
    )
    parser.add_argument("--classes", type=Path, required=True, help="class_*.csv")
    parser.add_argument("--settings", required=True, help="the experiment's settings as JSON")
    parser.add_argument("--out", type=Path, required=True, help="snapshot to write")
    given = parser.parse_args()
    settings = parse_section(ExperimentSettings, given.settings)

    from mammo.detector.averaging import average_snapshots

    average_snapshots(given.snapshots, given.films, given.classes, settings, given.out)


if __name__ == "__main__":
    run_main(main)
