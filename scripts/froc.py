"""Draw the FROC curves of an ensemble and of its members on a test set."""

from __future__ import annotations

import argparse

from mammo.errors import run_main
from mammo.metrics.inputs import read_models
from mammo.report.froc_plot import write_froc_plot
from mammo.settings import EvaluationSettings, parse_section


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
    name, _, path = args.ensemble.rpartition("=")
    ensemble, members = read_models(args.images, args.lesions, path, args.members)
    settings = parse_section(EvaluationSettings, args.settings)
    write_froc_plot(args.out_png, args.out_svg, members, (name or args.name, ensemble), settings)


if __name__ == "__main__":
    run_main(main)
