"""Fuse the members of an ensemble on the validation films that they share: where its operating threshold comes from."""

from __future__ import annotations

import argparse

from mammo.errors import run_main
from mammo.fusion.fuse import fuse
from mammo.metrics.inputs import parse_members
from mammo.metrics.members import Member, member_weights
from mammo.metrics.searched import read_fusion
from mammo.metrics.shared import parse_validation, read_look, shared_films
from mammo.tables.csvio import read_table, write_table
from mammo.tables.detections import write_detections
from mammo.tables.records import Image, Lesion


def main() -> None:
    """Parse, fuse, write; three empty tables where the members share no film."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chosen", required=True, help="members.csv")
    parser.add_argument("--members", nargs="*", default=[], help="<member>/validation.csv of each")
    parser.add_argument(
        "--validation", nargs="*", default=[], help="images.csv lesions.csv of each validation set"
    )
    parser.add_argument("--fusion", required=True, help="settings, JSON, or the table of a sweep")
    for flag in ("--out-images", "--out-lesions", "--out-detections"):
        parser.add_argument(flag, required=True, help="CSV to write")
    args = parser.parse_args()
    shared = shared_films(parse_validation(args.validation))
    paths = parse_members(args.members)
    weights = member_weights(paths, read_table(args.chosen, Member))
    looks = [read_look(path, weights[name], shared) for name, path in paths.items()]
    write_table(args.out_images, Image, shared.images)
    write_table(args.out_lesions, Lesion, shared.lesions)
    write_detections(args.out_detections, fuse(looks, read_fusion(args.fusion)))
    print(f"{len(paths)} members share {len(shared.images)} validation films")


if __name__ == "__main__":
    run_main(main)
