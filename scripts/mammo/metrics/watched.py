"""The few figures that a training is watched by and an ensemble is chosen by: light, and without intervals."""

from __future__ import annotations

from collections.abc import Sequence

from mammo.metrics.average_precision import average_precision
from mammo.metrics.films import Film
from mammo.metrics.froc import froc_curve, froc_mean
from mammo.metrics.protocol import clean_images, sensitivity
from mammo.settings import EvaluationSettings


def watched_figures(films: Sequence[Film], settings: EvaluationSettings) -> dict[str, float | None]:
    """Figures by name; None where a set cannot give one: sensitivity without lesions, clean images without normals."""
    curve = froc_curve(films, settings.froc_hit_rule)
    return {
        "sensitivity": sensitivity(films, settings.hit_rule, settings.score_threshold),
        "clean_images": clean_images(films, settings.score_threshold),
        "ap50": average_precision(films),
        "froc_mean": froc_mean(curve) if curve else None,
        "sens_at_1": curve.at(1.0) if curve else None,
    }
