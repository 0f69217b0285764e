"""Precision over recall, and ROC of images, breasts and cases, of an ensemble and its members."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from mammo.metrics.average_precision import IOU, MOST_DETECTIONS, SCORE_ABOVE, average_precision_statistic
from mammo.metrics.bootstrap import band, estimate
from mammo.metrics.precision_recall import precision_at, precision_recall
from mammo.metrics.roc import Level, auc, roc_at, roc_curve, units_of
from mammo.report.plot_style import Models, draw_band, drawn, grid, say, step, with_interval

RECALLS = np.linspace(0, 1, 101)
LEVELS: tuple[Level, ...] = ("image", "breast", "case")


def write_pr_plot(png: Path, svg: Path, models: Models) -> None:
    """Draw the envelopes of precision at IoU .5, whose areas are `ap50`; a set without lesions is said to have none."""
    caption = (
        f"{models.counts()}. Hit: IoU ≥ {IOU:g} with the lesion that a detection overlaps most; a second hit of a "
        f"lesion is a false positive. Scores above {SCORE_ABOVE:g}, at most {MOST_DETECTIONS} detections an image; "
        f"false positives of all images. {models.about_intervals()}"
    )
    with drawn((8, 6), caption, png, svg) as figure:
        axes = figure.add_subplot()
        if not models.lesions:
            say(axes, "The set has no lesions: there is no recall, and so no curve of precision over it.")
            return
        low, high = band(precision_at(models.films, IOU, RECALLS), models.weights)
        draw_band(axes, RECALLS, low, high)
        for name, films, style in models.lines():
            curve = precision_recall(films, IOU)
            # Each step reaches back to the recall before; beyond the last nothing is found.
            recall = np.concatenate([[0.0], curve.recall, curve.recall[-1:]])
            precision = np.concatenate([curve.envelope[:1], curve.envelope, [0.0] * (len(curve.recall) > 0)])
            area = estimate(average_precision_statistic(films, IOU), models.weights)
            shown = with_interval(area) if films is models.films else f"{area.value:.3f}"
            step(
                axes, recall[: len(precision)], precision[: len(recall)], f"{name}: AP {shown}", style, "pre"
            )
        _unit_square(
            axes,
            f"recall (lesions hit / lesions, n = {models.lesions})",
            "precision (best at this recall or beyond)",
        )
        axes.set_title(f"Precision and recall of {models.name} and its members")
        axes.legend(loc="best", fontsize=9, framealpha=0.9, handlelength=3.5)


def write_roc_plot(png: Path, svg: Path, models: Models) -> None:
    """Draw a panel a level: does the highest score tell images, breasts and cases with a lesion from those without?"""
    caption = (
        f"{models.counts()}. An image, breast or case scores as the highest of its detections, 0 without any; it is "
        f"positive if it has a lesion, wherever the detection lies. {models.about_intervals()}"
    )
    with drawn((15, 5.9), caption, png, svg) as figure:
        for axes, level in zip(figure.subplots(1, len(LEVELS)), LEVELS, strict=True):
            _roc(axes, models, level)
        figure.suptitle(f"ROC of {models.name} and its members")


def _roc(axes: Axes, models: Models, level: Level) -> None:
    positive = units_of(models.films, level).positive
    axes.set_title(f"{level}s: {positive.sum()} with, {(~positive).sum()} without a lesion", fontsize=10)
    if positive.all() or not positive.any():
        lacking = "without" if positive.all() else "with"
        say(axes, f"No {level} {lacking} a lesion:\nno ROC curve.")
        return
    rates = np.linspace(0, 1, 201)
    draw_band(axes, rates, *band(roc_at(models.films, level, rates), models.weights))
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=0.8, linestyle=":")
    for name, films, style in models.lines():
        curve = roc_curve(films, level)
        area = estimate(auc(films, level), models.weights)
        shown = with_interval(area) if films is models.films else f"{area.value:.3f}"
        axes.plot(curve.false_positive_rate, curve.sensitivity, **({"label": f"{name}: AUC {shown}"} | style))
    _unit_square(
        axes,
        f"1 - specificity ({level}s without a lesion called positive)",
        f"sensitivity ({level}s with a lesion)",
    )
    axes.legend(loc="lower right", fontsize=8, framealpha=0.9, handlelength=3.5)


def _unit_square(axes: Axes, x: str, y: str) -> None:
    grid(axes)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02), xlabel=x, ylabel=y)
