"""Draw precision over recall, ROC, scores and sensitivity by size of an ensemble and its members on a test set."""

from __future__ import annotations

import argparse
from pathlib import Path

from mammo.errors import run_main
from mammo.metrics.inputs import read_models
from mammo.report.figures import write_figures
from mammo.report.plot_style import Models
from mammo.settings import EvaluationSettings, parse_section


def main() -> None:
    """Parse, compute, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    for flag in ("--images", "--lesions"):
        parser.add_argument(flag, required=True)
    parser.add_argument(
        "--members", nargs="*", action="extend", default=[], help="[NAME=]<NAME>/<test set>.csv"
    )
    parser.add_argument("--ensemble", required=True, help="the ensemble's detections, CSV")
    parser.add_argument("--name", default="ensemble", help="the ensemble's name")
    parser.add_argument("--settings", required=True, help="evaluation settings, JSON")
    parser.add_argument("--out", type=Path, required=True, help="folder for <plot>.png and <plot>.svg")
    args = parser.parse_args()
    ensemble, members = read_models(args.images, args.lesions, args.ensemble, args.members)
    settings = parse_section(EvaluationSettings, args.settings)
    write_figures(args.out, Models.of((args.name, ensemble), members, settings))


if __name__ == "__main__":
    run_main(main)
