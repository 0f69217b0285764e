"""Choose members one after the other: each time the one that helps the fused detections most on validation films."""

from __future__ import annotations

import argparse

from mammo.errors import run_main
from mammo.metrics.members import read_candidates, weights_of
from mammo.metrics.searched import GreedyRow, selected
from mammo.metrics.selection import forward_selection
from mammo.metrics.shared import read_shared_looks
from mammo.settings import EvaluationSettings, FusionSettings, MemberSettings, parse_section
from mammo.tables.csvio import write_table


def main() -> None:
    """Parse, select, write."""
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
    for flag in ("--members", "--fusion", "--evaluation"):
        parser.add_argument(flag, required=True, help="settings, JSON")
    parser.add_argument("--out", required=True, help="CSV to write: a row a snapshot tried")
    args = parser.parse_args()
    settings = parse_section(MemberSettings, args.members)
    weights = weights_of(settings, read_candidates(args.candidates))
    shared, looks = read_shared_looks(args.detections, args.validation, weights)
    fusion, evaluation = (
        parse_section(FusionSettings, args.fusion), parse_section(EvaluationSettings, args.evaluation)
    )  # fmt: skip
    rows = forward_selection(looks, settings.greedy or 1, settings.metric, fusion, shared, evaluation)
    write_table(args.out, GreedyRow, rows)
    print(f"{len(looks)} candidates on {len(shared.images)} films; members:", *selected(rows))


if __name__ == "__main__":
    run_main(main)
