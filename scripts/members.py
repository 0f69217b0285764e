"""Choose the members of an ensemble: named, by pattern, the best on the validation set, or by forward selection."""

from __future__ import annotations

import argparse

from mammo.errors import run_main
from mammo.metrics.members import Member, choose_members, read_candidates
from mammo.metrics.searched import GreedyRow, SweepRow, selected, winner
from mammo.settings import MemberSettings, parse_section
from mammo.tables.csvio import read_table, write_table


def main() -> None:
    """Parse, choose, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="member settings, JSON")
    parser.add_argument(
        "--candidates",
        nargs="*",
        action="extend",
        default=[],
        help="validation rows of the snapshots to choose among",
    )
    parser.add_argument("--greedy", nargs="*", default=[], help="what forward selection tried (greedy.py)")
    parser.add_argument(
        "--sweep", nargs="*", default=[], help="ways to fuse; the winner says how many members"
    )
    parser.add_argument("--out", required=True, help="CSV to write: member, metric, value, rank, weight")
    args = parser.parse_args()
    greedy = selected([row for path in args.greedy for row in read_table(path, GreedyRow)])
    k = next((winner(read_table(path, SweepRow)).k for path in args.sweep), None)
    settings = parse_section(MemberSettings, args.settings)
    members = choose_members(settings, read_candidates(args.candidates), greedy=greedy, k=k)
    write_table(args.out, Member, members)
    print(*members, sep="\n")


if __name__ == "__main__":
    run_main(main)
