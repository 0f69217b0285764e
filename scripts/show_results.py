"""Print the ensembles' results as small tables, and say where to look next."""

from __future__ import annotations

import argparse
from pathlib import Path

from mammo.errors import run_main
from mammo.report.summary import print_summary


def main() -> None:
    """Parse, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="folder of results")
    print_summary(parser.parse_args().results)


if __name__ == "__main__":
    run_main(main)
