"""Unpack the archives of one delivery, safely and whole, and list what was in them."""

from __future__ import annotations

import argparse
from pathlib import Path

from mammo.datasets.archives import unpack
from mammo.errors import run_main
from mammo.settings import UnpackSettings, parse_section


def main() -> None:
    """Parse, unpack."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--tars", type=Path, nargs="+", required=True, help="archives of the delivery, in order"
    )
    parser.add_argument("--delivery", required=True, help="name of the delivery")
    parser.add_argument("--out", type=Path, required=True, help="folder to make")
    parser.add_argument("--manifest", type=Path, required=True, help="list of the files to write, CSV")
    parser.add_argument("--settings", required=True, help="limits, JSON")
    args = parser.parse_args()
    settings = parse_section(UnpackSettings, args.settings)
    unpack(args.tars, args.delivery, args.out, args.manifest, settings)


if __name__ == "__main__":
    run_main(main)
