"""Look through a shard's raw files for names, dates and numbers, and through its written images for text in margins."""

from __future__ import annotations

import argparse
from pathlib import Path

from mammo.datasets.audit_tables import AuditRow, LookRow
from mammo.datasets.auditing import audit_shard
from mammo.errors import run_main
from mammo.settings import DataReportSettings, parse_section
from mammo.tables.csvio import read_table, write_table
from mammo.tables.records import Image


def main() -> None:
    """Parse, audit, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shard", type=Path, required=True, help="shard_*.jsonl of the index")
    parser.add_argument("--images", type=Path, required=True, help="table of the shard's written images")
    parser.add_argument("--data", type=Path, required=True, help="data folder")
    parser.add_argument("--root", type=Path, required=True, help="the dataset's folder")
    parser.add_argument("--settings", required=True, help="settings of the data report, JSON")
    parser.add_argument("--table", type=Path, required=True, help="audit table to write")
    parser.add_argument("--looks", type=Path, required=True, help="table of the images' looks to write")
    args = parser.parse_args()
    settings = parse_section(DataReportSettings, args.settings)
    rows, looks = audit_shard(args.shard, read_table(args.images, Image), args.data, args.root, settings)
    write_table(args.table, AuditRow, rows)
    write_table(args.looks, LookRow, looks)
    print(f"{args.shard.name}: {len(looks)} images, {len(rows)} findings")


if __name__ == "__main__":
    run_main(main)
