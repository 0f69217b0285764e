"""Let a snapshot look at sets of films and store what it finds; a set that it has looked at is not looked at again."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mammo.detector.looked import Looked, look_keys, parse_sets
from mammo.errors import run_main
from mammo.settings import ExperimentSettings, parse_section


def main() -> None:
    """Parse, detect what is missing, publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--snapshot", type=Path, required=True, help="snapshot (.h5)")
    parser.add_argument(
        "--sets", nargs="+", required=True, metavar="NAME=index.csv",
        help="sets of films at network size: each one's index, its pixels beside it",
    )  # fmt: skip
    parser.add_argument("--classes", type=Path, required=True, help="class_*.csv")
    parser.add_argument("--settings", required=True, help="the experiment's settings as JSON")
    parser.add_argument("--code", default="", help="fingerprint of the code: another one looks again")
    parser.add_argument("--store", type=Path, required=True, help="folder of what the snapshot found so far")
    parser.add_argument("--out", type=Path, required=True, help="folder to write NAME.csv of each set into")
    args = parser.parse_args()
    settings, sets, store = (
        parse_section(ExperimentSettings, args.settings),
        parse_sets(args.sets),
        Looked(args.store),
    )
    keys = look_keys(args.snapshot, sets, args.classes, settings, args.code)
    missing = {name: index for name, index in sets.items() if not store.has(keys[name])}
    for name in sets:
        print(f"{name}: {'look' if name in missing else 'looked at before'}", file=sys.stderr, flush=True)
    if missing:
        from mammo.detector.detect import detect_sets

        for name, found in detect_sets(args.snapshot, missing, args.classes, settings):
            store.keep(keys[name], found)
    for name in sets:
        store.publish(keys[name], args.out / f"{name}.csv")
    store.forget_oldest(but=keys.values())


if __name__ == "__main__":
    run_main(main)
