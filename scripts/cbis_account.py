"""Say what became of every row of CBIS-DDSM's description tables: used, merged or rejected, and why.

Reads the dataset's raw tables and headers, and the images.csv, lesions.csv and rejects.csv that the workflow made.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mammo.datasets.cbis_account import RowFate, account_dataset, summary
from mammo.errors import run_main
from mammo.tables.csvio import write_table


def main() -> None:
    """Parse, account, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--root", type=Path, required=True, help="the dataset's folder, e.g. data/CBIS-DDSM")
    add("--out", type=Path, required=True, help="table to write: one row a row of the description tables")
    arguments = parser.parse_args()
    fates = account_dataset(arguments.root)
    write_table(arguments.out, RowFate, fates)
    print(summary(fates))


if __name__ == "__main__":
    run_main(main)
