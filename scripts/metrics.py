"""Figures of anyone's detections, outside of the workflow: with 95 % intervals and their definitions.

Lesions and detections come as our CSV, as COCO JSON, or as keras-retinanet's CSV; docs/commands.md describes them.

    python scripts/metrics.py --images images.csv --lesions lesions.csv --detections detections.csv
    python scripts/metrics.py --lesions instances.json --detections results.json --patients patients.csv
    python scripts/metrics.py --lesions annotations.csv --detections found.csv --rule iou_0.2 --out figures.csv
"""

from __future__ import annotations

import argparse
import json
from typing import get_args

from mammo.errors import run_main
from mammo.metrics.figure_rows import FigureRow, figure_rows
from mammo.metrics.foreign import read_set
from mammo.report.figure_table import print_figures
from mammo.settings import EvaluationSettings, HitRule, parse_section
from mammo.tables.csvio import write_table


def main() -> None:
    """Parse, evaluate, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lesions", required=True, help="the truth: CSV or COCO JSON")
    parser.add_argument("--detections", required=True, help="what was found: CSV or a COCO list of results")
    parser.add_argument("--images", help="CSV with image_id: the images that were looked at")
    parser.add_argument(
        "--patients", help="CSV with image,patient and, if known, study,laterality,view,pixel_mm"
    )
    parser.add_argument(
        "--rule", choices=get_args(HitRule), help="what hits a lesion, in the protocol and in FROC"
    )
    parser.add_argument(
        "--threshold", type=float, help="score from which on detections count in the protocol"
    )
    parser.add_argument("--resamples", type=int, help="of the bootstrap over patients")
    parser.add_argument("--seed", type=int, help="of the bootstrap")
    parser.add_argument("--out", help="CSV to write: all figures, and those of parts of the set")
    args = parser.parse_args()
    chosen = {
        "hit_rule": args.rule, "froc_hit_rule": args.rule, "score_threshold": args.threshold,
        "resamples": args.resamples, "seed": args.seed,
    }  # fmt: skip
    given = {name: value for name, value in chosen.items() if value is not None}
    settings = parse_section(EvaluationSettings, json.dumps(given))
    found = read_set(args.lesions, args.detections, args.images, args.patients)
    rows = figure_rows(found.films, settings, test_set="given", model="given", kind="snapshot")
    if args.out:
        write_table(args.out, FigureRow, rows)
    print_figures(rows, found.notes)


if __name__ == "__main__":
    run_main(main)
