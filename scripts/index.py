"""Find the films of a dataset, read its labels, cut it into shards."""

from __future__ import annotations

import argparse
from pathlib import Path

from mammo.datasets.indexing import write_index
from mammo.errors import run_main
from mammo.settings import DatasetSettings, parse_section


def main() -> None:
    """Parse, index, say what there is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", required=True, help="name of the dataset")
    parser.add_argument("--root", type=Path, required=True, help="folder of the dataset in the data folder")
    parser.add_argument("--settings", required=True, help="settings of the dataset, JSON")
    parser.add_argument("--out", type=Path, required=True, help="folder to make: shard_*.jsonl, rejects.csv")
    args = parser.parse_args()
    settings = parse_section(DatasetSettings, args.settings)
    films, rejects = write_index(args.dataset, args.root, settings, args.out)
    print(f"{args.dataset}: {films} films in {settings.shards} shards, {rejects} files that are none")


if __name__ == "__main__":
    run_main(main)
