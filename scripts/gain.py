"""Hold an ensemble against its best member, its mean member and itself without each snapshot, with paired intervals."""

from __future__ import annotations

import argparse
from functools import partial

from mammo.errors import run_main
from mammo.metrics.films import join_films
from mammo.metrics.gain import GainRow, gain_rows
from mammo.metrics.members import best_on_validation, read_candidates
from mammo.metrics.voting import read_voting
from mammo.settings import EvaluationSettings, parse_section
from mammo.tables.csvio import read_table, write_table
from mammo.tables.records import Image, Lesion


def main() -> None:
    """Parse, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", nargs="+", required=True, help="[NAME=]<NAME>/<test set>.csv")
    parser.add_argument(
        "--validation", nargs="*", default=[], help="validation rows of the members: who is the best"
    )
    for flag in ("--name", "--test-set", "--images", "--lesions", "--out"):
        parser.add_argument(flag, required=True)
    parser.add_argument("--chosen", help="members.csv, which says what each counts [all the same]")
    parser.add_argument("--fusion", required=True, help="settings, JSON, or the table of a sweep")
    parser.add_argument(
        "--metric", default="froc_mean", help="figure that says who is the best [%(default)s]"
    )
    parser.add_argument("--evaluation", required=True, help="settings, JSON")
    args = parser.parse_args()
    images, lesions = read_table(args.images, Image), read_table(args.lesions, Lesion)
    voting = read_voting(args.members, args.chosen, args.fusion, images)
    best = best_on_validation(args.metric, read_candidates(args.validation))
    rows = gain_rows(
        partial(join_films, images, lesions), voting.members, best, voting.fusion,
        parse_section(EvaluationSettings, args.evaluation), test_set=args.test_set, ensemble=args.name,
    )  # fmt: skip
    write_table(args.out, GainRow, rows)


if __name__ == "__main__":
    run_main(main)
