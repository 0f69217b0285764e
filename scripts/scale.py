"""Bring the films of a merged set to the size at which the network sees them."""

from __future__ import annotations

import argparse
from pathlib import Path

from mammo.detector.kept_films import network_films
from mammo.errors import run_main
from mammo.settings import SideSettings


def main() -> None:
    """Parse, scale, write the index with the pixels beside it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True, help="images.csv; paths relative to its folder")
    parser.add_argument("--min-side", type=int, required=True, help="shorter side in network pixels")
    parser.add_argument("--max-side", type=int, required=True, help="longer side in network pixels, at most")
    parser.add_argument("--bits", type=int, required=True, choices=(8, 16), help="of a pixel")
    parser.add_argument("--out", type=Path, required=True, help="index to write; the pixels go beside it")
    parser.add_argument("--kept", type=Path, required=True, help="folder kept between runs")
    parser.add_argument("--code", required=True, help="fingerprint of the code; another one scales anew")
    args = parser.parse_args()
    sides = SideSettings(min=args.min_side, max=args.max_side)
    films, there = network_films(args.images, sides, args.bits, args.out, args.kept, args.code)
    size = f"{len(films)} films, {sum(film.bytes for film in films) / 1e6:.1f} MB"
    print(f"{args.out}: {size}{', the same as before: none was scaled' if there else ''}")


if __name__ == "__main__":
    run_main(main)
