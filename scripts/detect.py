"""Let a snapshot look at the films of a test set and store what it finds."""

from __future__ import annotations

import argparse
from pathlib import Path

from mammo.errors import run_main
from mammo.settings import ExperimentSettings, parse_section
from mammo.tables.csvio import write_table
from mammo.tables.records import Detection


def main() -> None:
    """Parse, detect, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--snapshot", type=Path, required=True, help="snapshot (.h5)")
    parser.add_argument(
        "--images", type=Path, required=True, help="table of images; paths relative to its folder"
    )
    parser.add_argument("--classes", type=Path, required=True, help="class_*.csv")
    parser.add_argument("--settings", required=True, help="the experiment's settings as JSON")
    parser.add_argument("--out", type=Path, required=True, help="detections.csv to write")
    arguments = parser.parse_args()
    settings = parse_section(ExperimentSettings, arguments.settings)

    from mammo.detector.detect import detect

    found = detect(arguments.snapshot, arguments.images, arguments.classes, settings)
    write_table(arguments.out, Detection, found)


if __name__ == "__main__":
    run_main(main)
