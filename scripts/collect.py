"""Put tables of results one after the other: one header, the rows in the order of the files."""

from __future__ import annotations

import argparse

from mammo.errors import run_main
from mammo.metrics.row import ResultRow
from mammo.tables.csvio import read_table, write_table


def main() -> None:
    """Parse, read and check, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True, help="CSV to write")
    parser.add_argument("tables", nargs="*", metavar="TABLE", help="CSV files of results")
    args = parser.parse_args()
    rows = [row for table in args.tables for row in read_table(table, ResultRow)]
    write_table(args.out, ResultRow, rows)
    print(f"{args.out}: {len(rows)} rows of {len(args.tables)} tables")


if __name__ == "__main__":
    run_main(main)
