"""Fuse the detections of an ensemble's members on a test set; a row for each member, the ensemble's last."""

from __future__ import annotations

import argparse

from mammo.errors import run_main
from mammo.fusion.fuse import Looked, fuse
from mammo.metrics.comparison import ensemble_rows
from mammo.metrics.inputs import parse_members
from mammo.metrics.row import ResultRow
from mammo.records.run import run_id
from mammo.settings import EvaluationSettings, FusionSettings, parse_section, section_json
from mammo.tables.csvio import read_table, write_table
from mammo.tables.detections import read_detections, write_detections
from mammo.tables.records import Image, Lesion


def main() -> None:
    """Parse, fuse, evaluate, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--members", nargs="+", action="extend", required=True, help="[NAME=]<NAME>/<test set>.csv"
    )
    for flag in ("--name", "--test-set", "--images", "--lesions", "--out-detections", "--out-table"):
        parser.add_argument(flag, required=True)
    for flag in ("--fusion", "--evaluation"):
        parser.add_argument(flag, required=True, help="settings, JSON")
    parser.add_argument("--code", default="", help="fingerprint of the code, part of the run's identity")
    args = parser.parse_args()
    fusion = parse_section(FusionSettings, args.fusion)
    evaluation = parse_section(EvaluationSettings, args.evaluation)
    images, lesions = read_table(args.images, Image), read_table(args.lesions, Lesion)
    paths, looked_at = parse_members(args.members), frozenset(image.image_id for image in images)
    found = {name: read_detections(path) for name, path in paths.items()}
    fused = fuse([Looked(looked_at, boxes) for boxes in found.values()], fusion)
    truth = [args.images, args.lesions]
    ids = {name: run_id(section_json(evaluation), args.code, [*truth, path]) for name, path in paths.items()}
    ids[args.name] = run_id(section_json(fusion, evaluation), args.code, [*truth, *paths.values()])
    ensemble = (args.name, fused)
    rows = ensemble_rows(images, lesions, found, ensemble, evaluation, test_set=args.test_set, run_ids=ids)
    write_detections(args.out_detections, fused)
    write_table(args.out_table, ResultRow, rows)


if __name__ == "__main__":
    run_main(main)
