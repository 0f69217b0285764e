"""Fuse anyone's detections: tables of several members become one table, outside the workflow.

A table is a CSV with the header image_id,x1,y1,x2,y2,score,label, a COCO list of results (JSON), or keras-retinanet's
CSV path,x1,y1,x2,y2,class,score; boxes are in pixels of the image, scores between 0 and 1.
Without --images every member counts as having looked at each image on which any of them found something.

  python scripts/fuse.py --members a.csv b.csv c.csv --images images.csv --out fused.csv
  python scripts/fuse.py --members a.csv b.csv --weights 2 1 --method wcf --wcf-penalty 2 --out fused.csv
  python scripts/fuse.py --members a.csv b.csv --images of_a.csv of_b.csv --method nms --iou 0.4 --out fused.csv
"""

from __future__ import annotations

import argparse
from typing import get_args

from mammo.errors import run_main
from mammo.files import canonical_json
from mammo.fusion.fuse import fuse
from mammo.fusion.inputs import read_members
from mammo.settings import FusionSettings, parse_section
from mammo.tables.detections import write_detections


def main() -> None:
    """Parse, read, fuse, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--members", nargs="+", action="extend", required=True, help="a table of detections each"
    )
    parser.add_argument(
        "--images", nargs="+", action="extend", default=[],
        help="CSV with a column image_id, the images looked at: one for all members or one for each",
    )  # fmt: skip
    parser.add_argument(
        "--weights",
        nargs="+",
        type=float,
        default=[],
        help="one for each member, above 0; none: equal weights",
    )
    for name, field in FusionSettings.model_fields.items():
        choices = get_args(field.annotation) or None
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=str if choices else float, choices=choices, default=field.default,
            metavar=None if choices else "NUMBER", help=f"{field.description} ({field.default})",
        )  # fmt: skip
    parser.add_argument("--out", required=True, help="CSV to write")
    args = parser.parse_args()
    given = {name: getattr(args, name) for name in FusionSettings.model_fields}
    settings = parse_section(FusionSettings, canonical_json(given))
    write_detections(args.out, fuse(read_members(args.members, args.images, args.weights), settings))


if __name__ == "__main__":
    run_main(main)
