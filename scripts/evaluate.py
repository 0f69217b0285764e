"""Compute the figures of one snapshot from its stored detections: a row a test set, and a row a figure."""

from __future__ import annotations

import argparse

from mammo.errors import run_main
from mammo.metrics.figure_rows import FigureRow, figure_rows
from mammo.metrics.figures import figures_of
from mammo.metrics.inputs import parse_set, threshold_of
from mammo.metrics.measured import measure
from mammo.metrics.row import ResultRow, result_row
from mammo.records.run import run_id
from mammo.settings import EvaluationSettings, parse_section, section_json
from mammo.tables.csvio import write_table


def main() -> None:
    """Parse, evaluate, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--test-sets", nargs="+", action="extend", required=True, metavar="NAME=images,lesions,detections",
        help="test sets and what the snapshot found on them: three CSV files each",
    )  # fmt: skip
    parser.add_argument("--model", required=True, help="the snapshot, <experiment>_<NN>")
    parser.add_argument("--settings", required=True, help="evaluation settings, JSON")
    parser.add_argument(
        "--validation", metavar="images,lesions,detections",
        help="what the snapshot found on its validation set, which gives the operating point's score threshold",
    )  # fmt: skip
    parser.add_argument("--code", default="", help="fingerprint of the code, part of the run's identity")
    parser.add_argument("--out", required=True, help="CSV to write: a row a test set")
    parser.add_argument("--out-figures", help="CSV to write: a row a figure of a test set or a part of it")
    args = parser.parse_args()
    settings = parse_section(EvaluationSettings, args.settings)
    validation = parse_set(f"validation={args.validation}") if args.validation else None
    threshold = threshold_of(validation, settings) if validation else None
    rows, figures = [], []
    for files in map(parse_set, args.test_sets):
        films, behind = files.films(), [*files.paths, *(validation.paths if validation else [])]
        names = {"test_set": files.name, "model": args.model, "kind": "snapshot"}
        names |= {"operating_threshold": threshold}
        identity = run_id(section_json(settings), args.code, behind)
        if args.out_figures:
            names["measured"] = measure(films, figures_of(films, settings, threshold), settings)
            figures += figure_rows(films, settings, **names)
        rows.append(result_row(films, settings, **names, members=[args.model], run_id=identity))
    write_table(args.out, ResultRow, rows)
    if args.out_figures:
        write_table(args.out_figures, FigureRow, figures)


if __name__ == "__main__":
    run_main(main)
