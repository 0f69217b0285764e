"""Try ways to fuse an ensemble's members on the validation films that they share, and mark the best."""

from __future__ import annotations

import argparse

from mammo.errors import run_main
from mammo.metrics.members import choose_members, read_candidates
from mammo.metrics.searched import SweepRow, winner
from mammo.metrics.selection import sweep
from mammo.metrics.shared import read_shared_looks
from mammo.settings import EvaluationSettings, MemberSettings, SweepSettings, parse_section
from mammo.tables.csvio import write_table


def main() -> None:
    """Parse, try, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--candidates", nargs="+", required=True, help="validation rows to choose members among"
    )
    parser.add_argument(
        "--detections", nargs="+", required=True, help="<snapshot>/validation.csv of each, and of flips"
    )
    parser.add_argument(
        "--validation", nargs="+", required=True, help="images.csv lesions.csv of each validation set"
    )
    for flag in ("--members", "--sweep", "--evaluation"):
        parser.add_argument(flag, required=True, help="settings, JSON")
    parser.add_argument("--out", required=True, help="CSV to write: a row a way to fuse")
    args = parser.parse_args()
    settings = parse_section(MemberSettings, args.members).model_copy(update={"flips": False})
    members = choose_members(settings, read_candidates(args.candidates))
    weights = {member.member: member.weight for member in members}
    shared, looks = read_shared_looks(args.detections, args.validation, weights)
    tried, evaluation = (
        parse_section(SweepSettings, args.sweep),
        parse_section(EvaluationSettings, args.evaluation),
    )
    rows = sweep(members, looks, shared, tried, evaluation)
    write_table(args.out, SweepRow, rows)
    print(f"{len(rows)} ways on {len(shared.images)} films; the winner: {winner(rows)}")


if __name__ == "__main__":
    run_main(main)
