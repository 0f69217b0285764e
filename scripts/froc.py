"""Draw the FROC curves of an ensemble and of its members on a test set."""

from __future__ import annotations

import argparse

from mammo.errors import run_main
from mammo.metrics.films import join_films
from mammo.metrics.inputs import parse_members
from mammo.report.froc_plot import write_froc_plot
from mammo.settings import EvaluationSettings, parse_section
from mammo.tables.csvio import read_table
from mammo.tables.detections import read_detections
from mammo.tables.records import Image, Lesion


def main() -> None:
    """Parse, compute, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    for flag in ("--images", "--lesions", "--out-png", "--out-svg"):
        parser.add_argument(flag, required=True)
    parser.add_argument(
        "--members", nargs="*", action="extend", default=[], help="[NAME=]<NAME>/<test set>.csv"
    )
    parser.add_argument("--ensemble", required=True, help="the ensemble's detections, [NAME=]CSV")
    parser.add_argument("--name", default="ensemble", help="the ensemble's name, if --ensemble has none")
    parser.add_argument("--settings", required=True, help="evaluation settings, JSON")
    args = parser.parse_args()
    images, lesions = read_table(args.images, Image), read_table(args.lesions, Lesion)
    name, _, path = args.ensemble.rpartition("=")
    members = {
        member: join_films(images, lesions, read_detections(table))
        for member, table in parse_members(args.members).items()
    }
    ensemble = join_films(images, lesions, read_detections(path))
    settings = parse_section(EvaluationSettings, args.settings)
    write_froc_plot(args.out_png, args.out_svg, members, (name or args.name, ensemble), settings)


if __name__ == "__main__":
    run_main(main)
