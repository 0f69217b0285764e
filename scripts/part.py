"""Take a part of a dataset: keras-retinanet's table, with its images and lesions beside it."""

from __future__ import annotations

import argparse

from mammo.errors import run_main
from mammo.settings import LabelSettings, PartSettings, parse_section
from mammo.tables.csvio import read_table
from mammo.tables.records import Image, Lesion
from mammo.trainset.tables import select, with_labels_only, write_set


def main() -> None:
    """Parse, select, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", required=True, help="images.csv of the dataset")
    parser.add_argument("--lesions", required=True, help="lesions.csv of the dataset")
    parser.add_argument("--part", required=True, help="settings of the part, JSON")
    parser.add_argument("--labels", required=True, help="label policy, JSON")
    parser.add_argument(
        "--out", required=True, help="data_*.csv to write; .images.csv and .lesions.csv beside it"
    )
    args = parser.parse_args()
    labels = parse_section(LabelSettings, args.labels)
    images, lesions = read_table(args.images, Image), read_table(args.lesions, Lesion)
    part = select(images, lesions, parse_section(PartSettings, args.part))
    write_set(args.out, with_labels_only(part, labels), labels)
    print(f"{args.out}: {len(part.images)} images, {len(part.lesions)} lesions")


if __name__ == "__main__":
    run_main(main)
