"""The FROC curve of an ensemble and of its members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mammo.files import atomic_path
from mammo.metrics.films import Film
from mammo.metrics.froc import FPPI, froc_curve, froc_mean
from mammo.metrics.protocol import clean_images
from mammo.settings import EvaluationSettings

# Ids in the SVG are hashes: with a salt of our own they are the same in every run.
STYLE = {"svg.hashsalt": "mammo", "font.family": "DejaVu Sans", "font.size": 10}
# Okabe and Ito's colours, told apart by colour-blind readers too; the line style repeats after them.
MEMBER_COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#D55E00", "#0072B2")
LINE_STYLES = ("-", "--", ":", "-.")
ENSEMBLE_COLOUR = "#000000"
LEAST_FPPI, MOST_FPPI = 0.0625, 16.0
MOST_NAMED = 12  # further members share one line of the legend
RULES = {
    "lesion_centre_in_detection": "lesion's centre inside the detection",
    "detection_centre_in_lesion": "detection's centre inside the lesion",
    "iou_0.1": "IoU ≥ 0.1",
    "iou_0.2": "IoU ≥ 0.2",
    "iou_0.5": "IoU ≥ 0.5",
}


def write_froc_plot(
    png: Path | str,
    svg: Path | str,
    members: Mapping[str, Sequence[Film]],
    ensemble: tuple[str, Sequence[Film]],
    settings: EvaluationSettings,
) -> None:
    """Draw the members' curves thin and the ensemble's bold, as PNG and SVG without dates: same input, same bytes.

    On a set without lesions, which has no FROC curve, the share of images without a detection is drawn over the score
    threshold instead.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8, 6), dpi=120, layout="constrained")
        axes = figure.add_subplot()
        name, films = ensemble
        lines = [(*line, _member_style(index)) for index, line in enumerate(sorted(members.items()))]
        lines.append((name, films, {"color": ENSEMBLE_COLOUR, "linewidth": 2.6, "zorder": 3}))
        draw = _froc if any(len(film.lesions) for film in films) else _clean
        draw(axes, lines, settings)
        axes.grid(True, color="0.88", linewidth=0.6)
        axes.set_ylim(-0.02, 1.02)
        axes.legend(loc="best", fontsize=9, framealpha=0.9)
        figure.supxlabel(_caption(films, settings), fontsize=8.5, color="0.25")
        with atomic_path(png) as temporary:
            figure.savefig(temporary, format="png", metadata={"Software": None})
        with atomic_path(svg) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None, "Creator": None})


def _member_style(index: int) -> dict[str, object]:
    colour = MEMBER_COLOURS[index % len(MEMBER_COLOURS)]
    line = LINE_STYLES[index // len(MEMBER_COLOURS) % len(LINE_STYLES)]
    style: dict[str, object] = {"color": colour, "linestyle": line, "linewidth": 1.1}
    if index >= MOST_NAMED:
        style["label"] = "further members" if index == MOST_NAMED else None
    return style


def _froc(axes: Axes, lines: list, settings: EvaluationSettings) -> None:
    for name, films, style in lines:
        curve = froc_curve(films, settings.froc_hit_rule)
        # The last point holds for all higher rates: no lower threshold has anything more to say.
        rates = np.clip(np.append(curve.fppi, MOST_FPPI), LEAST_FPPI, MOST_FPPI)
        heights = np.append(curve.sensitivity, curve.at(MOST_FPPI))
        _step(axes, rates, heights, f"{name} (mean {froc_mean(curve):.3f})", style)
    axes.set_xscale("log", base=2)
    axes.set_xlim(LEAST_FPPI, MOST_FPPI)
    axes.set_xticks(FPPI, ["1/8", "1/4", "1/2", "1", "2", "4", "8"])
    axes.minorticks_off()
    axes.set_xlabel("false positives per image (all images)")
    axes.set_ylabel("sensitivity (lesions hit / lesions)")
    axes.set_title(f"FROC of {lines[-1][0]} and its members")


def _clean(axes: Axes, lines: list, settings: EvaluationSettings) -> None:
    for name, films, style in lines:
        # A film turns clean just above its highest score: no other threshold can change the share.
        thresholds = np.unique([0.0, 1.0, *(film.scores.max(initial=0.0) for film in films)])
        shares = [clean_images(films, float(np.nextafter(threshold, 2.0))) for threshold in thresholds]
        label = (
            f"{name} ({clean_images(films, settings.score_threshold):.3f} at {settings.score_threshold:g})"
        )
        _step(axes, thresholds, shares, label, style)
    axes.axvline(settings.score_threshold, color="0.6", linewidth=0.8, linestyle=":")
    axes.set_xlim(0, 1)
    axes.set_xlabel("score threshold")
    axes.set_ylabel("images without any detection (share)")
    axes.set_title(f"Normal films: {lines[-1][0]} and its members")


def _step(axes: Axes, x: object, y: object, label: str, style: dict[str, object]) -> None:
    axes.plot(x, y, drawstyle="steps-post", **({"label": label} | style))


def _caption(films: Sequence[Film], settings: EvaluationSettings) -> str:
    lesions = sum(len(film.lesions) for film in films)
    counts = f"{len(films)} images, {len({film.case for film in films})} cases, {lesions} lesions"
    if not lesions:
        return f"{counts}. The set has no lesions, so there is no FROC curve."
    return (
        f"{counts}. Hit: {RULES[settings.froc_hit_rule]}.\nA second hit of a lesion is neither a true nor a "
        "false positive; false positives are counted over all images."
    )
