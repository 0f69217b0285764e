"""All plots of an ensemble on a test set but FROC, which stands by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mammo.report.curve_plots import write_pr_plot, write_roc_plot
from mammo.report.plot_style import Models
from mammo.report.score_plot import write_score_plot
from mammo.report.size_plot import write_size_plot

PLOTS: dict[str, Callable[[Path, Path, Models], None]] = {
    "pr": write_pr_plot,
    "roc": write_roc_plot,
    "scores": write_score_plot,
    "sizes": write_size_plot,
}


def write_figures(folder: Path, models: Models) -> None:
    """Write <name>.png and <name>.svg of every plot into a folder; same input, same bytes."""
    for name, write in PLOTS.items():
        write(folder / f"{name}.png", folder / f"{name}.svg", models)
