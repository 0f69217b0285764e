"""Join the audits of a dataset's shards, and stop where the delivery is not anonymised and the config wants it so."""

from __future__ import annotations

import argparse
from pathlib import Path

from mammo.datasets.audit_tables import AuditRow, check_privacy, joined
from mammo.errors import run_main
from mammo.settings import DataReportSettings, parse_section
from mammo.tables.csvio import read_table, write_table


def main() -> None:
    """Parse, join, check, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("audits", nargs="+", type=Path, help="audit tables of the shards")
    parser.add_argument("--dataset", required=True, help="name of the dataset")
    parser.add_argument("--settings", required=True, help="settings of the data report, JSON")
    parser.add_argument("--out", type=Path, required=True, help="audit table of the dataset to write")
    args = parser.parse_args()
    rows = joined(row for path in args.audits for row in read_table(path, AuditRow))
    check_privacy(args.dataset, rows, parse_section(DataReportSettings, args.settings))
    write_table(args.out, AuditRow, rows)
    print(f"{args.dataset}: {len(rows)} findings")


if __name__ == "__main__":
    run_main(main)
