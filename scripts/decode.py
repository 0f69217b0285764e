"""Write the films of one shard as display images, with a table of them and of those that cannot be shown."""

from __future__ import annotations

import argparse
from pathlib import Path

from mammo.datasets.decoding import decode_shard
from mammo.errors import run_main
from mammo.settings import DisplaySettings, parse_section
from mammo.tables.csvio import write_table
from mammo.tables.records import Image, Reject


def main() -> None:
    """Parse, decode, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shard", type=Path, required=True, help="shard_*.jsonl of the index")
    parser.add_argument("--data", type=Path, required=True, help="data folder")
    parser.add_argument(
        "--root", type=Path, required=True, help="the dataset's folder, where images.csv will lie"
    )
    parser.add_argument("--images", type=Path, required=True, help="folder to make for the images")
    parser.add_argument("--table", type=Path, required=True, help="images table to write")
    parser.add_argument("--rejects", type=Path, required=True, help="rejects table to write")
    parser.add_argument("--settings", required=True, help="display settings, JSON")
    args = parser.parse_args()
    settings = parse_section(DisplaySettings, args.settings)
    images, rejects = decode_shard(args.shard, args.data, args.root, args.images, settings)
    write_table(args.table, Image, images)
    write_table(args.rejects, Reject, rejects)
    print(f"{args.shard.name}: {len(images)} images, {len(rejects)} films turned down")


if __name__ == "__main__":
    run_main(main)
