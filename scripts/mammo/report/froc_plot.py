"""The FROC curve of an ensemble, with its interval, and of its members."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from mammo.metrics.bootstrap import band, estimate, froc_band
from mammo.metrics.films import Film
from mammo.metrics.froc import FPPI, froc_curve, froc_mean, froc_statistics
from mammo.metrics.protocol import clean_images, clean_images_statistic
from mammo.metrics.statistic import Weights
from mammo.report.plot_style import RULES, Models, draw_band, drawn, grid, step, with_interval
from mammo.settings import EvaluationSettings

LEAST_FPPI, MOST_FPPI = 0.0625, 16.0
RATES = np.geomspace(LEAST_FPPI, MOST_FPPI, 161)
THRESHOLDS = np.linspace(0, 1, 101)


def write_froc_plot(
    png: Path | str,
    svg: Path | str,
    members: Mapping[str, Sequence[Film]],
    ensemble: tuple[str, Sequence[Film]],
    settings: EvaluationSettings,
) -> None:
    """Draw the members' curves thin, the ensemble's bold with its interval, as PNG and SVG: same input, same bytes.

    On a set without lesions, which has no FROC curve, the share of images without a detection is drawn over the score
    threshold instead.
    """
    models = Models.of(ensemble, members, settings)
    with drawn((8, 6), _caption(models), png, svg) as figure:
        axes = figure.add_subplot()
        (_froc if models.lesions else _clean)(axes, models)
        grid(axes)
        axes.set_ylim(-0.02, 1.02)
        axes.legend(loc="best", fontsize=9, framealpha=0.9, handlelength=3.5)


def _froc(axes: Axes, models: Models) -> None:
    rule = models.settings.froc_hit_rule
    draw_band(axes, RATES, *froc_band(models.films, rule, models.weights, RATES))
    for name, films, style in models.lines():
        curve = froc_curve(films, rule)
        # The last point holds for all higher rates: no lower threshold has anything more to say.
        first = int(np.searchsorted(curve.fppi, LEAST_FPPI, side="right")) - 1
        rates = np.clip(np.append(curve.fppi[first:], MOST_FPPI), LEAST_FPPI, MOST_FPPI)
        heights = np.append(curve.sensitivity[first:], curve.at(MOST_FPPI))
        mean = f"{froc_mean(curve):.3f}"
        if films is models.films:
            mean = with_interval(estimate(froc_statistics(films, rule)[-1], models.weights))
        step(axes, rates, heights, f"{name}: mean {mean}", style)
    axes.set_xscale("log", base=2)
    axes.set_xlim(LEAST_FPPI, MOST_FPPI)
    axes.set_xticks(FPPI, ["1/8", "1/4", "1/2", "1", "2", "4", "8"])
    axes.minorticks_off()
    axes.set_xlabel("false positives per image (all images)")
    axes.set_ylabel("sensitivity (lesions hit / lesions)")
    axes.set_title(f"FROC of {models.name} and its members")


def _clean(axes: Axes, models: Models) -> None:
    threshold = models.settings.score_threshold
    draw_band(axes, THRESHOLDS, *band(_shares_clean(models.films), models.weights))
    for name, films, style in models.lines():
        # A film turns clean just above its highest score: no other threshold can change the share.
        thresholds = np.unique([0.0, 1.0, *(film.highest_score for film in films)])
        shares = [clean_images(films, float(np.nextafter(at, 2.0))) for at in thresholds]
        label = f"{name}: {clean_images(films, threshold):.3f} at {threshold:g}"
        step(axes, thresholds, shares, label, style)
    axes.axvline(threshold, color="0.6", linewidth=0.8, linestyle=":")
    axes.set_xlim(0, 1)
    axes.set_xlabel("score threshold")
    axes.set_ylabel("images without any detection (share)")
    axes.set_title(f"Normal films: {models.name} and its members")


def _shares_clean(films: Sequence[Film]) -> Callable[[Weights], NDArray[np.float64]]:
    """The share of clean images just above each of `THRESHOLDS`: weights → (resamples, thresholds)."""
    statistics = [clean_images_statistic(films, float(np.nextafter(at, 2.0))) for at in THRESHOLDS]

    def curve(weights: Weights) -> NDArray[np.float64]:
        return np.column_stack([statistic(weights) for statistic in statistics])

    return curve


def _caption(models: Models) -> str:
    if not models.lesions:
        return f"{models.counts()}. The set has no lesions, so there is no FROC curve. {models.about_intervals()}"
    return (
        f"{models.counts()}. Hit: {RULES[models.settings.froc_hit_rule]}. A second hit of a lesion is neither a true "
        "nor a false positive; false positives are counted over all images. Mean: of the sensitivities at the seven "
        f"marked rates. {models.about_intervals()}"
    )
