"""Fuse the detections of an ensemble's members on a test set; a row for each member, the ensemble's last."""

from __future__ import annotations

import argparse

from mammo.errors import run_main
from mammo.metrics.comparison import ensemble_tables
from mammo.metrics.figure_rows import FigureRow
from mammo.metrics.inputs import parse_set, threshold_of
from mammo.metrics.row import ResultRow
from mammo.metrics.voting import read_voting
from mammo.records.run import ensemble_run_ids
from mammo.settings import EvaluationSettings, parse_section, section_json
from mammo.tables.csvio import read_table, write_table
from mammo.tables.detections import write_detections
from mammo.tables.records import Image, Lesion


def main() -> None:
    """Parse, fuse, evaluate, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", nargs="+", required=True, help="[NAME=]<NAME>/<test set>.csv")
    for flag in ("--name", "--test-set", "--images", "--lesions", "--out-detections", "--out-table"):
        parser.add_argument(flag, required=True)
    parser.add_argument("--out-figures", required=True, help="CSV to write: a row a figure of the ensemble")
    parser.add_argument("--chosen", help="members.csv, which says what each counts [all the same]")
    looked = "NAME=images,lesions,detections of members and ensemble: what gives their operating points"
    parser.add_argument("--validation", nargs="*", default=[], help=looked)
    for flag in ("--fusion", "--evaluation"):
        parser.add_argument(flag, required=True, help="settings, JSON; of fusion also the table of a sweep")
    parser.add_argument("--code", default="", help="fingerprint of the code, part of the run's identity")
    args = parser.parse_args()
    evaluation = parse_section(EvaluationSettings, args.evaluation)
    images, lesions = read_table(args.images, Image), read_table(args.lesions, Lesion)
    voting = read_voting(args.members, args.chosen, args.fusion, images)
    fused = voting.fused()
    validation = {files.name: files for files in map(parse_set, args.validation)}
    points = {name: threshold_of(files, evaluation) for name, files in validation.items()}
    ids = ensemble_run_ids(
        args.name, voting.paths, {name: files.paths for name, files in validation.items()},
        [args.images, args.lesions], settings=section_json(evaluation),
        own=section_json(voting.fusion, evaluation, voting.weights), code=args.code,
    )  # fmt: skip
    known = {"test_set": args.test_set, "run_ids": ids, "operating_thresholds": points}
    rows, figures = ensemble_tables(images, lesions, voting.found, (args.name, fused), evaluation, **known)
    write_detections(args.out_detections, fused)
    write_table(args.out_table, ResultRow, rows)
    write_table(args.out_figures, FigureRow, figures)


if __name__ == "__main__":
    run_main(main)
