"""Join the tables of a dataset's shards and check how much of it was turned down."""

from __future__ import annotations

import argparse
from pathlib import Path

from mammo.datasets.tabulating import tabulate
from mammo.errors import run_main
from mammo.tables.csvio import write_table
from mammo.tables.records import Image, Lesion, Reject


def main() -> None:
    """Parse, join, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", required=True, help="name of the dataset")
    for name in ("images", "lesions", "rejects"):
        parser.add_argument(
            f"--{name}", type=Path, nargs="+", required=True, help=f"{name} tables of the shards"
        )
        parser.add_argument(f"--out-{name}", type=Path, required=True, help=f"{name} table to write")
    parser.add_argument("--max-reject-share", type=float, required=True, help="of the files, 0 to 1")
    args = parser.parse_args()
    images, lesions, rejects = tabulate(
        args.dataset, args.images, args.lesions, args.rejects, args.max_reject_share
    )
    write_table(args.out_images, Image, images)
    write_table(args.out_lesions, Lesion, lesions)
    write_table(args.out_rejects, Reject, rejects)
    print(f"{args.dataset}: {len(images)} images, {len(lesions)} lesions, {len(rejects)} files turned down")


if __name__ == "__main__":
    run_main(main)
