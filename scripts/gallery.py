"""Show what an ensemble got wrong on a test set, worst first: a page with crops of the films at native resolution."""

from __future__ import annotations

import argparse
from pathlib import Path

from mammo.errors import run_main
from mammo.metrics.inputs import read_models
from mammo.report.gallery.page import Gallery, write_gallery
from mammo.settings import EvaluationSettings, ReportSettings, parse_section


def main() -> None:
    """Parse, choose, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--images", required=True, help="images.csv of the test set; paths in it are relative to it"
    )
    parser.add_argument("--lesions", required=True, help="lesions.csv of the test set")
    parser.add_argument("--test-set", required=True, help="its name")
    parser.add_argument(
        "--members", nargs="*", action="extend", default=[], help="[NAME=]<NAME>/<test set>.csv"
    )
    parser.add_argument("--ensemble", required=True, help="the ensemble's detections, CSV")
    parser.add_argument("--name", default="ensemble", help="the ensemble's name")
    parser.add_argument("--evaluation", required=True, help="evaluation settings, JSON")
    parser.add_argument("--report", required=True, help="report settings, JSON")
    parser.add_argument("--out", type=Path, required=True, help="folder to make: index.html and pictures")
    args = parser.parse_args()
    ensemble, members = read_models(args.images, args.lesions, args.ensemble, args.members)
    gallery = Gallery(
        args.name,
        args.test_set,
        ensemble,
        members,
        Path(args.images).parent,
        parse_section(EvaluationSettings, args.evaluation),
        parse_section(ReportSettings, args.report),
    )
    print(f"{args.out}: {write_gallery(args.out, gallery)} places")


if __name__ == "__main__":
    run_main(main)
