"""A patient of weight w counts as if his films stood w times in the set: figures held against sets made so."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mammo.metrics.average_precision import average_precision_statistic
from mammo.metrics.calibration import brier, calibration_error
from mammo.metrics.coco import coco_statistics
from mammo.metrics.films import Film
from mammo.metrics.roc import auc, partial_auc, sensitivity_at_specificity
from mammo.metrics.statistic import Statistic, patients_of, value_of

# No two detections of a set score alike here: among equal ones copies would stand in an order of their own.
FIGURES: dict[str, Callable[[list[Film]], Statistic]] = {
    **{f"ap_{iou}": lambda films, iou=iou: average_precision_statistic(films, iou) for iou in (0.1, 0.2, 0.5)},
    **{
        name: lambda films, name=name: coco_statistics(films)[name]
        for name in ("coco_ap", "coco_ap50", "coco_ap75", "coco_ap_medium", "coco_ar_1", "coco_ar_10", "coco_ar_large")
    },
    **{f"auc_{level}": lambda films, level=level: auc(films, level) for level in ("image", "case")},
    "partial_auc": lambda films: partial_auc(films, "image", 0.7),
    "sensitivity": lambda films: sensitivity_at_specificity(films, "image", 0.8),
    "brier": brier,
    "brier_detections": lambda films: brier(films, "iou_0.1"),
    "calibration_error": calibration_error,
}  # fmt: skip


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("seed", range(3))
def test_weights_are_copies(make_films, copies, seed, name):
    films = make_films(seed, films=16, ties=False)
    patients = len(patients_of(films)[0])
    weights = np.random.default_rng(seed).integers(0, 4, (8, patients)).astype(float)
    weights[0] = 0
    values = FIGURES[name](films)(weights)
    assert np.isnan(values[0])
    for row, value in zip(weights[1:], values[1:], strict=True):
        standing = copies(films, row)
        expected = value_of(FIGURES[name](standing), len(patients_of(standing)[0]))
        assert (None if np.isnan(value) else value) == (
            None if expected is None else pytest.approx(expected, abs=1e-12)
        )
