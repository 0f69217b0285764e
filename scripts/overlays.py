"""Draw lesions and detections on the films of a test set."""

from __future__ import annotations

import argparse
from pathlib import Path

from mammo.errors import run_main
from mammo.report.overlays import write_overlays
from mammo.settings import ReportSettings, parse_section
from mammo.tables.csvio import read_table
from mammo.tables.records import Detection, Image, Lesion


def main() -> None:
    """Parse, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--images", required=True, help="images.csv of the test set; paths in it are relative to it"
    )
    parser.add_argument("--lesions", required=True, help="lesions.csv of the test set")
    parser.add_argument("--detections", required=True, help="detections to draw, CSV")
    parser.add_argument("--settings", required=True, help="report settings, JSON")
    parser.add_argument("--out", type=Path, required=True, help="folder to make: <image_id>.png")
    args = parser.parse_args()
    drawn = write_overlays(
        args.out,
        Path(args.images).parent,
        read_table(args.images, Image),
        read_table(args.lesions, Lesion),
        read_table(args.detections, Detection),
        parse_section(ReportSettings, args.settings),
    )
    print(f"{args.out}: {drawn} films")


if __name__ == "__main__":
    run_main(main)
