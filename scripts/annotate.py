"""Find the lesions of the films of one shard, in whatever form they were annotated."""

from __future__ import annotations

import argparse
from pathlib import Path

from mammo.datasets.annotating import annotate_shard
from mammo.errors import run_main
from mammo.settings import DatasetSettings, parse_section
from mammo.tables.csvio import write_table
from mammo.tables.records import Lesion, Reject


def main() -> None:
    """Parse, annotate, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shard", type=Path, required=True, help="shard_*.jsonl of the index")
    parser.add_argument("--data", type=Path, required=True, help="data folder")
    parser.add_argument("--table", type=Path, required=True, help="lesions table to write")
    parser.add_argument("--rejects", type=Path, required=True, help="rejects table to write")
    parser.add_argument("--settings", required=True, help="settings of the dataset, JSON")
    args = parser.parse_args()
    settings = parse_section(DatasetSettings, args.settings)
    lesions, rejects = annotate_shard(args.shard, args.data, settings)
    write_table(args.table, Lesion, lesions)
    write_table(args.rejects, Reject, rejects)
    print(f"{args.shard.name}: {len(lesions)} lesions, {len(rejects)} films turned down")


if __name__ == "__main__":
    run_main(main)
