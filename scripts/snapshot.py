"""Publish the snapshot of one epoch under its name, after checking that it is the one that was trained."""

from __future__ import annotations

import argparse
from pathlib import Path

from mammo.detector.publish import publish_snapshot
from mammo.errors import run_main


def main() -> None:
    """Parse, check, link."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--manifest", type=Path, required=True, help="the training's table of snapshots")
    parser.add_argument("--state", type=Path, help="the training's state folder [.state beside the manifest]")
    parser.add_argument("--epoch", type=int, required=True, help="epoch, from 1 (leading zeros welcome)")
    parser.add_argument("--ema", action="store_true", help="the running mean's snapshot instead")
    parser.add_argument("--out", type=Path, required=True, help="snapshot to write")
    arguments = parser.parse_args()
    state = arguments.state or arguments.manifest.parent / ".state"
    publish_snapshot(arguments.manifest, state, arguments.epoch, arguments.out, arguments.ema)


if __name__ == "__main__":
    run_main(main)
