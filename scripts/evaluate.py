"""Compute the figures of one snapshot from its stored detections: a row a test set."""

from __future__ import annotations

import argparse

from mammo.errors import run_main
from mammo.metrics.inputs import parse_set
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
    parser.add_argument("--code", default="", help="fingerprint of the code, part of the run's identity")
    parser.add_argument("--out", required=True, help="CSV to write")
    args = parser.parse_args()
    settings = parse_section(EvaluationSettings, args.settings)
    rows = []
    for files in map(parse_set, args.test_sets):
        identity = run_id(section_json(settings), args.code, files.paths)
        names = {"test_set": files.name, "model": args.model, "kind": "snapshot", "members": [args.model]}
        rows.append(result_row(files.films(), settings, **names, run_id=identity))
    write_table(args.out, ResultRow, rows)


if __name__ == "__main__":
    run_main(main)
