"""Weighted boxes fusion and non-maximum suppression of ten members: ours against ensemble-boxes, in one run.

500 films of 3 200 × 3 200 pixels, 100 boxes of each member on each; about half of them lie around places that all
members see. The reference gets its lists of normalised boxes, film by film, in memory; ours gets the columns of the
ten members' tables, in pixels, and its time includes pooling, sorting, rounding and the names of the result. numba
compiles before the clock starts, on both sides. Ours is the best of three rounds, the reference runs once; the
processor's time counts, one core. Both must give the same boxes: all pairs within 0.01 pixels (ours are rounded,
the package sums in single precision). `python benchmarks/fusion.py [--films 500]`
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import numpy as np
from ensemble_boxes import nms, weighted_boxes_fusion

from mammo.errors import UserError, run_main
from mammo.fusion.fuse import Looked, fuse
from mammo.settings import FusionSettings
from mammo.tables.detections import DetectionColumns

MEMBERS, BOXES, SIDE, IOU, ROUNDS = 10, 100, 3200, 0.55, 3
Film = tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]
Fused = tuple[np.ndarray, np.ndarray]


def boxes_of(rng: np.random.Generator, films: int) -> np.ndarray:
    corners = rng.uniform(0, SIDE - 800, (films, BOXES, 2))
    return np.concatenate([corners, corners + rng.uniform(60, 600, (films, BOXES, 2))], axis=2)


def members_of(films: int) -> list[Looked]:
    """The members' detections: half of the boxes near places that all see, half anywhere; no two scores equal."""
    rng = np.random.default_rng(0)
    names = [f"bench.{number:05d}" for number in range(films)]
    places, members = boxes_of(rng, films), []
    ranks = rng.permutation(MEMBERS * films * BOXES).reshape(MEMBERS, films, BOXES)
    for member in range(MEMBERS):
        near = np.clip(places + rng.normal(0, 15, places.shape), 0, SIDE)
        boxes = np.where(rng.random((films, BOXES, 1)) < 0.5, near, boxes_of(rng, films))
        boxes[..., 2:] = np.maximum(boxes[..., 2:], boxes[..., :2] + 5)
        scores = 0.02 + 0.97 * -np.sort(-ranks[member], axis=1) / ranks.size
        ids = [name for name in names for _ in range(BOXES)]
        columns = DetectionColumns(
            ids, boxes.reshape(-1, 4).round(2), scores.ravel(), ["malignant"] * len(ids)
        )
        members.append(Looked(frozenset(names), columns))
    return members


def lists_of(members: list[Looked], films: int) -> list[Film]:
    """What the reference takes, film by film: boxes, scores and labels of each member."""
    boxes = [member.detections.boxes.reshape(films, BOXES, 4) / SIDE for member in members]
    scores = [member.detections.scores.reshape(films, BOXES) for member in members]
    labels = [np.zeros(BOXES)] * MEMBERS
    return [([own[film] for own in boxes], [own[film] for own in scores], labels) for film in range(films)]


def reference(fusion: Callable, films: list[Film]) -> tuple[float, list[Fused]]:
    """Seconds, and boxes in pixels and scores of each film."""
    fusion(*films[0], iou_thr=IOU)
    begun = time.process_time()
    fused = [fusion(*film, iou_thr=IOU)[:2] for film in films]
    seconds = time.process_time() - begun
    return seconds, [(boxes * SIDE, scores) for boxes, scores in fused]


def ours(method: str, members: list[Looked]) -> tuple[float, DetectionColumns]:
    """Seconds and the fused columns."""
    settings = FusionSettings(method=method, iou=IOU, score_floor=0)
    fuse(members[:1], settings)
    seconds = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        fused = fuse(members, settings)
        seconds.append(time.process_time() - begun)
    return min(seconds), fused


def check_same(fused: DetectionColumns, theirs: list[Fused]) -> None:
    """Raises `UserError` unless both gave the same boxes on every film."""
    ends = np.flatnonzero(np.array(fused.image_ids[1:]) != np.array(fused.image_ids[:-1])) + 1
    films = zip(np.split(fused.boxes, ends), np.split(fused.scores, ends), theirs, strict=True)
    for number, (boxes, scores, (their_boxes, their_scores)) in enumerate(films):
        if len(boxes) != len(their_boxes):
            raise UserError(f"film {number}: {len(boxes)} boxes, ensemble-boxes gives {len(their_boxes)}")
        apart = np.abs(boxes[:, None] - their_boxes[None]).max(axis=2)
        apart = np.maximum(apart, 1e4 * np.abs(scores[:, None] - their_scores[None]))
        if max(apart.min(axis=0).max(), apart.min(axis=1).max()) > 0.01:
            raise UserError(
                f"film {number}: a box differs from ensemble-boxes' by more than 0.01 pixels or 1e-6 of score"
            )


def main() -> None:
    """Measure, compare, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--films", type=int, default=500)
    films = parser.parse_args().films
    members = members_of(films)
    lists, records = lists_of(members, films), {}
    for method, fusion in (("wbf", weighted_boxes_fusion), ("nms", nms)):
        seconds, fused = ours(method, members)
        their_seconds, theirs = reference(fusion, lists)
        check_same(fused, theirs)
        records[f"fusion_{method}"] = {
            "ours": seconds,
            "reference": their_seconds,
            "ratio": their_seconds / seconds,
            "unit": "s",
            "how": f"{MEMBERS} members x {BOXES} boxes x {films} films, {len(fused.scores)} fused, the same on both; "
            f"processor's time without compiling; reference: ensemble_boxes.{fusion.__name__}, once",
        }
    print(json.dumps(records))


if __name__ == "__main__":
    run_main(main)
