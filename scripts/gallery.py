"""Show what an ensemble got wrong on a test set, worst first: a page with crops of the films at native resolution."""

from __future__ import annotations

import argparse
from pathlib import Path

from mammo.errors import run_main
from mammo.metrics.films import join_films
from mammo.metrics.inputs import parse_members
from mammo.report.gallery.page import Gallery, write_gallery
from mammo.settings import EvaluationSettings, ReportSettings, parse_section
from mammo.tables.csvio import read_table
from mammo.tables.detections import read_detections
from mammo.tables.records import Image, Lesion


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
    images, lesions = read_table(args.images, Image), read_table(args.lesions, Lesion)
    members = {
        member: join_films(images, lesions, read_detections(table))
        for member, table in parse_members(args.members).items()
    }
    gallery = Gallery(
        args.name,
        args.test_set,
        join_films(images, lesions, read_detections(args.ensemble)),
        members,
        Path(args.images).parent,
        parse_section(EvaluationSettings, args.evaluation),
        parse_section(ReportSettings, args.report),
    )
    print(f"{args.out}: {write_gallery(args.out, gallery)} places")


if __name__ == "__main__":
    run_main(main)
