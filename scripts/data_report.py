"""Say the truth about the data before GPU time is spent: a page to look at, and its figures as a table."""

from __future__ import annotations

import argparse
from pathlib import Path

from mammo.errors import run_main
from mammo.files import write_text_atomic
from mammo.report.data_facts import DataRow
from mammo.report.data_report import data_report
from mammo.report.data_sets import DataReportPlan
from mammo.settings import parse_section
from mammo.tables.csvio import write_table


def main() -> None:
    """Parse, gather, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="data folder, with the datasets' tables")
    parser.add_argument("--audits", type=Path, nargs="*", default=[], help="audit tables of all shards")
    parser.add_argument("--looks", type=Path, nargs="*", default=[], help="tables of looks of all shards")
    parser.add_argument("--settings", required=True, help="what the report is about, JSON")
    parser.add_argument("--out-page", type=Path, required=True, help="page to write, HTML")
    parser.add_argument("--out-table", type=Path, required=True, help="figures to write, CSV")
    args = parser.parse_args()
    plan = parse_section(DataReportPlan, args.settings)
    page, rows = data_report(plan, args.data, args.audits, args.looks)
    write_text_atomic(args.out_page, page)
    write_table(args.out_table, DataRow, rows)
    print(f"{args.out_page}: {len(rows)} figures")


if __name__ == "__main__":
    run_main(main)
