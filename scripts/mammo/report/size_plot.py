"""Sensitivity by the size of the lesion in millimetres."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from mammo.metrics.bootstrap import Estimate, estimate
from mammo.metrics.figure_rows import FEW
from mammo.metrics.films import Film
from mammo.metrics.protocol import sensitivity_statistic
from mammo.metrics.slices import UNKNOWN, Slice, by_lesion_size
from mammo.report.plot_style import (
    ENSEMBLE_COLOUR,
    MARKERS,
    MEMBER_COLOURS,
    MOST_NAMED,
    RULES,
    Models,
    drawn,
    grid,
    say,
)

FEWEST_PLACES = 4  # the axis is as wide as for so many sizes, so that few do not look like much
WIDTH = 0.62  # of a size's place on the axis


def write_size_plot(png: Path, svg: Path, models: Models) -> None:
    """Draw the protocol's sensitivity with its interval for each class of sizes, and the members' beside it."""
    settings = models.settings
    caption = (
        f"{models.counts()}. Hit: {RULES[settings.hit_rule]}, score ≥ {settings.score_threshold:g}. Size: longest side "
        f"of the lesion's box. {models.about_intervals('Bars')} Hollow: fewer than {FEW} lesions."
    )
    parts = by_lesion_size(models.films)
    with drawn((8, 6), caption, png, svg) as figure:
        axes = figure.add_subplot()
        if not parts:
            lacking = "of no lesion the size in mm is known" if models.lesions else "the set has no lesions"
            say(axes, f"No sensitivity by size: {lacking}.")
            return
        _members(axes, models, len(parts))
        for place, part in enumerate(parts):
            _ensemble(axes, models, place, part)
        air = max(0, FEWEST_PLACES - len(parts)) / 2
        axes.set_xticks(range(len(parts)), [_named(part) for part in parts])
        axes.set(xlim=(-0.6 - air, len(parts) - 0.4 + air), ylim=(-0.02, 1.03))
        axes.set_xlabel("longest side of the lesion (n: lesions)")
        axes.set_ylabel("sensitivity (lesions hit / lesions of this size)")
        axes.set_title(f"Sensitivity of {models.name} and its members by size")
        grid(axes)
        axes.grid(False, axis="x")
        axes.legend(loc="best", fontsize=9, framealpha=0.9)


def _members(axes: Axes, models: Models, sizes: int) -> None:
    """Small marks around the ensemble's place, in the order of the legend."""
    count = len(models.members)
    for index, (name, films) in enumerate(sorted(models.members.items())):
        parts = by_lesion_size(films)
        shift = WIDTH * ((index + 0.5) / count - 0.5)
        shift += 0.12 if shift >= 0 else -0.12  # the ensemble's own place stays free
        label = name if index < MOST_NAMED else None
        axes.plot(
            [place + shift for place in range(sizes)],
            [_sensitivity(models, films, part).value for part in parts],
            linestyle="none", marker=MARKERS[index % len(MARKERS)], markersize=5.5, alpha=0.9,
            color=MEMBER_COLOURS[index % len(MEMBER_COLOURS)], label=label, clip_on=False,
        )  # fmt: skip


def _ensemble(axes: Axes, models: Models, place: int, part: Slice) -> None:
    figure = _sensitivity(models, models.films, part)
    if figure.low is not None and figure.high is not None:
        axes.plot([place, place], [figure.low, figure.high], color=ENSEMBLE_COLOUR, linewidth=2, zorder=3)
        for end in (figure.low, figure.high):
            axes.plot([place - 0.06, place + 0.06], [end, end], color=ENSEMBLE_COLOUR, linewidth=2, zorder=3)
    axes.plot(
        [place], [figure.value], linestyle="none", marker="s", markersize=9, color=ENSEMBLE_COLOUR, zorder=4,
        markerfacecolor="white" if part.lesions < FEW else ENSEMBLE_COLOUR, clip_on=False,
        label=models.name if not place else None,
    )  # fmt: skip


def _sensitivity(models: Models, films: Sequence[Film], part: Slice) -> Estimate:
    settings = models.settings
    statistic = sensitivity_statistic(films, settings.hit_rule, settings.score_threshold, part.chosen)
    return estimate(statistic, models.weights)


def _named(part: Slice) -> str:
    size = (
        "size not known" if part.part == UNKNOWN else f"{part.part.replace('>=', '≥ ').replace('<', '< ')} mm"
    )
    return f"{size.replace('-', '–')}\nn = {part.lesions}"
