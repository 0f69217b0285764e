"""Merge tables into a train set (with its validation split) or a test set, and check that they share no patient."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from mammo.errors import run_main
from mammo.settings import LabelSettings, ValidationSettings, parse_section
from mammo.trainset.checks import check_disjoint, check_testable, check_trainable, check_validation
from mammo.trainset.split import split_by_patient
from mammo.trainset.tables import ImageSet, merge, read_set, write_set


def main() -> None:
    """Parse, merge, check, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="+", type=Path, help="data_*.csv to merge")
    parser.add_argument("--labels", required=True, help="label policy, JSON")
    parser.add_argument("--out", required=True, type=Path, help="merged table")
    parser.add_argument("--validation", help="how to split, JSON; needs --out-validation")
    parser.add_argument("--out-validation", type=Path, help="table of the patients kept apart")
    parser.add_argument(
        "--tests", nargs="*", type=Path, default=[], help="tables that must share no patient and no film"
    )
    args = parser.parse_args()
    if bool(args.validation) != bool(args.out_validation):
        parser.error("--validation and --out-validation go together")
    labels = parse_section(LabelSettings, args.labels)
    merged = merged_from(args.tables, args.out)
    if args.out_validation:
        split = parse_section(ValidationSettings, args.validation)
        training, validation = split_by_patient(merged, split)
        check_trainable(args.out.stem, training)
        check_validation(args.out_validation.stem, validation, split, len(merged.patients))
        check_disjoint(args.out.stem, training, args.out_validation.stem, validation)
        for table in args.tests:
            check_disjoint(args.out.stem, merged, table.stem, read_set(table))
        write_set(args.out_validation, validation, labels)
        merged = training
    else:
        check_testable(args.out.stem, merged)
    write_set(args.out, merged, labels)
    print(
        f"{args.out}: {len(merged.images)} images, {len(merged.patients)} patients, {len(merged.lesions)} lesions"
    )


def merged_from(tables: list[Path], out: Path) -> ImageSet:
    """The merged set, its image paths relative to the folder of `out`."""
    return merge((os.path.relpath(table.parent, out.parent), read_set(table)) for table in tables)


if __name__ == "__main__":
    run_main(main)
