"""How high lesions, false positives and normal images score: what a threshold would have to separate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from mammo.metrics.films import Film
from mammo.metrics.matching import hits, match_films
from mammo.report.plot_style import BAND_COLOUR, RULES, Models, drawn, grid, say, step
from mammo.settings import HitRule

BIN = 0.05
# The first bin, below 0, is for what has no score at all.
EDGES = np.round(np.arange(-BIN, 1 + BIN / 2, BIN), 10)
NOTHING = -BIN / 2


def lesion_scores(films: Sequence[Film], rule: HitRule) -> NDArray[np.float64]:
    """Of each lesion the highest score of a detection that hits it, `NOTHING` where none does; shape (lesions,)."""
    best = [
        np.where(hits(rule, film.detections, film.lesions), film.scores[:, None], NOTHING).max(
            axis=0, initial=NOTHING
        )
        for film in films
    ]
    return np.concatenate(best) if best else np.empty(0)


def false_positive_scores(films: Sequence[Film], rule: HitRule) -> NDArray[np.float64]:
    """Of each detection that hits no lesion its score, all images together; shape (false positives,)."""
    matched = match_films(rule, films)
    return matched.scores[matched.false]


def normal_scores(films: Sequence[Film]) -> NDArray[np.float64]:
    """Of each image without lesions the highest score, `NOTHING` where nothing was found; shape (normal images,)."""
    return np.array([film.scores.max(initial=NOTHING) for film in films if not len(film.lesions)])


def write_score_plot(png: Path, svg: Path, models: Models) -> None:
    """Draw the three distributions one below the other over the same scores, the ensemble's filled."""
    rule = models.settings.froc_hit_rule
    normals = sum(not len(film.lesions) for film in models.films)
    threshold = models.settings.score_threshold
    caption = (
        f"{models.counts()}. Hit: {RULES[rule]}. Dotted: the protocol's threshold {threshold:g}. "
        f"Bins of {BIN:g}; the first, below 0: nothing found. Detections are stored from the detector's score floor on."
    )
    with drawn((8, 8.6), caption, png, svg) as figure:
        lesions, false, normal = figure.subplots(3, 1)
        _distribution(lesions, models, lambda films: lesion_scores(films, rule), models.lesions, "lesions")
        _distribution(
            false, models, lambda films: false_positive_scores(films, rule), len(models.films), "images"
        )
        _distribution(normal, models, normal_scores, normals, "normal images")
        lesions.set_title("Best detection of each lesion", fontsize=10)
        false.set_title("False positives on all images", fontsize=10)
        normal.set_title("Highest score of each image without lesions", fontsize=10)
        lesions.set_ylabel(f"share of {models.lesions} lesions")
        false.set_ylabel("false positives per image")
        false.set_yscale("symlog", linthresh=0.01)
        normal.set_ylabel(f"share of {normals} normal images")
        normal.set_xlabel("score")
        legend = next((axes for axes in (lesions, normal) if axes.get_legend_handles_labels()[0]), false)
        legend.legend(loc="best", fontsize=8, framealpha=0.9, handlelength=3.5)
        figure.suptitle(f"Scores of {models.name} and its members")


def _distribution(
    axes: Axes,
    models: Models,
    scores: Callable[[Sequence[Film]], NDArray[np.float64]],
    whole: int,
    what: str,
) -> None:
    """Counts a bin by `whole`; `what` is named where there is none."""
    if not whole:
        say(axes, f"The set has no {what}.")
        return
    for name, films, style in models.lines():
        counts, _ = np.histogram(scores(films), EDGES)
        heights = counts / whole
        if films is models.films:
            axes.stairs(heights, EDGES, fill=True, color=BAND_COLOUR, zorder=0.5)
        step(axes, EDGES, np.append(heights, heights[-1]), name, style)
    axes.axvline(models.settings.score_threshold, color="0.35", linewidth=1, linestyle=":")
    axes.set_xlim(EDGES[0], 1)
    axes.set_xticks([NOTHING, 0.2, 0.4, 0.6, 0.8, 1.0], ["none", "0.2", "0.4", "0.6", "0.8", "1"])
    axes.set_ylim(bottom=0)
    grid(axes)
