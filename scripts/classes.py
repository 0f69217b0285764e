"""Write the class table of the label policy, in keras-retinanet's format."""

from __future__ import annotations

import argparse

from mammo.errors import run_main
from mammo.settings import LabelSettings, parse_section
from mammo.tables.retinanet_csv import write_classes
from mammo.trainset.labels import class_names


def main() -> None:
    """Parse, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", required=True, help="label policy, JSON")
    parser.add_argument("--out", required=True, help="class_*.csv to write")
    args = parser.parse_args()
    write_classes(args.out, class_names(parse_section(LabelSettings, args.labels)))


if __name__ == "__main__":
    run_main(main)
