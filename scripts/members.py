"""Choose the members of an ensemble: named in the config, or the best on the validation set."""

from __future__ import annotations

import argparse

from mammo.errors import run_main
from mammo.metrics.members import Member, choose_members
from mammo.metrics.row import ResultRow
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
    parser.add_argument("--out", required=True, help="CSV to write: member, metric, value, rank")
    args = parser.parse_args()
    paths = [text.rpartition("=")[2] for text in args.candidates]
    candidates = [row for path in paths for row in read_table(path, ResultRow)]
    members = choose_members(parse_section(MemberSettings, args.settings), candidates)
    write_table(args.out, Member, members)
    print(*members, sep="\n")


if __name__ == "__main__":
    run_main(main)
