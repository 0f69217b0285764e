"""What all plots of results share: lines told apart in colour, in grey and by the colour-blind; files without dates."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mammo.files import atomic_path
from mammo.metrics.bootstrap import Estimate, resamples_of
from mammo.metrics.films import Film
from mammo.metrics.statistic import Weights, patients_of
from mammo.settings import EvaluationSettings

# Ids in the SVG are hashes: with a salt of our own they are the same in every run.
STYLE = {"svg.hashsalt": "mammo", "font.family": "DejaVu Sans", "font.size": 10}
# Okabe and Ito's colours, told apart by colour-blind readers too, the darker ones first. In grey dashes tell.
MEMBER_COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
LINE_STYLES = (
    (0, (5, 2)),
    (0, (1, 1.3)),
    (0, (7, 2, 1, 2)),
    (0, (3, 1.2, 1, 1.2, 1, 1.2)),
    "-",
    (0, (10, 3)),
)
MARKERS = ("o", "^", "D", "v", "P", "X")
ENSEMBLE_COLOUR, BAND_COLOUR = "#000000", "0.82"
LETTERS_AN_INCH = 14  # of a caption
MOST_NAMED = 12  # further members share one line of the legend
RULES = {
    "lesion_centre_in_detection": "lesion's centre inside the detection",
    "detection_centre_in_lesion": "detection's centre inside the lesion",
    "iou_0.1": "IoU ≥ 0.1",
    "iou_0.2": "IoU ≥ 0.2",
    "iou_0.5": "IoU ≥ 0.5",
}


@dataclass(frozen=True)
class Models:
    """An ensemble and its members on one test set; `weights` the resamples of its patients for intervals."""

    name: str
    films: Sequence[Film]
    members: Mapping[str, Sequence[Film]]
    settings: EvaluationSettings
    weights: Weights

    @classmethod
    def of(
        cls,
        ensemble: tuple[str, Sequence[Film]],
        members: Mapping[str, Sequence[Film]],
        settings: EvaluationSettings,
    ) -> Models:
        """With the resamples that the settings ask for."""
        name, films = ensemble
        weights = resamples_of(films, settings.resamples, settings.seed)
        return cls(name, films, members, settings, weights)

    @property
    def lesions(self) -> int:
        """How many lesions the set has."""
        return sum(len(film.lesions) for film in self.films)

    def lines(self) -> Iterator[tuple[str, Sequence[Film], dict[str, Any]]]:
        """Name, films and the style of its line for each member by name, the ensemble last, on top."""
        for index, (name, films) in enumerate(sorted(self.members.items())):
            yield name, films, member_style(index)
        yield self.name, self.films, {"color": ENSEMBLE_COLOUR, "linewidth": 2.6, "zorder": 3}

    def counts(self) -> str:
        """How large the set is."""
        cases, patients = len({film.case for film in self.films}), len(patients_of(self.films)[0])
        return f"{len(self.films)} images, {cases} cases of {patients} patients, {self.lesions} lesions"

    def about_intervals(self, what: str = "Band") -> str:
        """What the intervals are."""
        return f"{what}: 95 % interval of {self.name}, {self.settings.resamples} resamples of the patients."


def member_style(index: int) -> dict[str, Any]:
    """Of a member's line: colours and dashes go round together, and are shifted against each other after a round."""
    turn, place = divmod(index, len(MEMBER_COLOURS))
    dashes = LINE_STYLES[(place + turn) % len(LINE_STYLES)]
    style: dict[str, Any] = {"color": MEMBER_COLOURS[place], "linestyle": dashes, "linewidth": 1.2}
    if index >= MOST_NAMED:
        style["label"] = f"members from the {MOST_NAMED + 1}th on" if index == MOST_NAMED else None
    return style


def step(axes: Axes, x: object, y: object, label: str, style: Mapping[str, Any], where: str = "post") -> None:
    """A line of steps; the style's label, if it has one, stands before `label`."""
    axes.plot(x, y, drawstyle=f"steps-{where}", **({"label": label} | dict(style)))


def draw_band(
    axes: Axes, x: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> None:
    """A grey band behind all lines; left out where there is no interval."""
    axes.fill_between(x, low, high, where=~np.isnan(low), color=BAND_COLOUR, linewidth=0, zorder=0.5)


def grid(axes: Axes) -> None:
    """Thin lines for the eye, behind everything."""
    axes.grid(True, color="0.9", linewidth=0.6, zorder=0)
    axes.set_axisbelow(True)


def with_interval(figure: Estimate) -> str:
    """`0.812 (0.745 to 0.870)`, as far as there are figure and interval."""
    if figure.value is None:
        return "not known"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"


def say(axes: Axes, text: str) -> None:
    """An empty picture that says why."""
    axes.tick_params(length=0, labelbottom=False, labelleft=False)
    axes.spines[:].set_color("0.8")
    axes.text(0.5, 0.5, text, ha="center", va="center", fontsize=11, transform=axes.transAxes)


@contextmanager
def drawn(size: tuple[float, float], caption: str, png: Path | str, svg: Path | str) -> Iterator[Figure]:
    """A figure of `size` in inches to draw on, then written with a caption, each file whole or not at all.

    No dates and no versions are written: same input, same bytes.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size, dpi=120, layout="constrained")
        yield figure
        figure.supxlabel(textwrap.fill(caption, round(size[0] * LETTERS_AN_INCH)), fontsize=8.5, color="0.25")
        # Laid out once for both files: they look the same, and the layout takes longer than the drawing.
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        with atomic_path(png) as temporary:
            figure.savefig(temporary, format="png", metadata={"Software": None})
        with atomic_path(svg) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None, "Creator": None})
