"""The long table of figures: a row for every figure of a model on a test set and on each part of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import Field

from mammo.metrics.bootstrap import Estimate
from mammo.metrics.figures import (
    Figure,
    ap_figures,
    auc_figures,
    figures_of,
    froc_figures,
    protocol_figures,
)
from mammo.metrics.films import Film
from mammo.metrics.measured import Measured, measure
from mammo.metrics.row import Kind, rounded
from mammo.metrics.slices import Slice, slices_of
from mammo.metrics.statistic import patients_of
from mammo.settings import EvaluationSettings
from mammo.tables.records import Row, Text

WHOLE = "all"
FEW = 20  # a figure that rests on fewer things is marked
SLICED = {"sensitivity", "clean_images", "sens_at_1", "froc_mean", "ap50", "auc_image"}


class FigureRow(Row):
    """One figure of one model on a test set or a part of it, with what it means."""

    test_set: Text
    model: Text = Field(description="<experiment>_<NN>, or the ensemble's name.")
    kind: Kind
    figure: Text = Field(description="Its name; with slice, hit_rule, false_positives and second_hit unique.")
    slice: Text = Field(description="all, or the part of the set: view=CC, lesion_type=mass, size_mm=10-20.")
    value: float | None = Field(description="Empty where the set cannot give the figure.")
    low: float | None = Field(description="Lower end of the 95 % interval (bootstrap over patients).")
    high: float | None = Field(description="Upper end of it.")
    missing: float = Field(ge=0, le=1, description="Share of resamples that cannot give the figure.")
    n: int = Field(ge=0, description="What the figure rests on: lesions, normal images, …")
    few: Literal["", "few"] = Field(description=f"few where n is below {FEW}.")
    images: int = Field(ge=1, description="Of the part.")
    lesions: int = Field(ge=0, description="Of the part, those that count.")
    patients: int = Field(ge=1, description="Of the part: what the bootstrap draws.")
    score_threshold: float | None = Field(description="From which score on detections count.")
    hit_rule: str = Field(description="What hits a lesion.")
    false_positives: str = Field(description="Which are counted / what they are divided by.")
    second_hit: str = Field(description="What a second hit of a lesion counts as.")
    definition: Text
    source: Text


def figure_rows(
    films: Sequence[Film],
    settings: EvaluationSettings,
    *,
    test_set: str,
    model: str,
    kind: Kind,
    operating_threshold: float | None = None,
    measured: Sequence[Measured] | None = None,
) -> list[FigureRow]:
    """All figures of one model on one test set, then the headline figures of each part of it.

    `operating_threshold`: of this model, from validation; None where there is none. `measured`: all figures of the set
    (`figures_of`), where they are known already.
    """
    names = {"test_set": test_set, "model": model, "kind": kind}
    if measured is None:
        measured = measure(films, figures_of(films, settings, operating_threshold), settings)
    rows = list(_rows(Slice(WHOLE, "", films), measured, names))
    for part in slices_of(films):
        rows += _rows(part, measure(part.films, _headlines(part, settings), settings), names)
    return rows


def _headlines(part: Slice, settings: EvaluationSettings) -> list[Figure]:
    """A part of the lesions has figures of lesions only: there is no normal mass."""
    figures = [
        *protocol_figures(part.films, settings, chosen=part.chosen),
        *froc_figures(part.films, settings, chosen=part.chosen),
        *ap_figures(part.films, settings, chosen=part.chosen),
    ]
    if part.chosen is None:
        figures += auc_figures(part.films, settings, levels=("image",))
    return [figure for figure in figures if figure.name in SLICED]


def _rows(part: Slice, measured: Sequence[Measured], names: dict[str, str]) -> Iterator[FigureRow]:
    counts = {
        "slice": f"{part.kind}={part.part}" if part.part else part.kind,
        "images": len(part.films),
        "lesions": part.lesions,
        "patients": len(patients_of(part.films)[0]),
    }
    for each in measured:
        yield _row(each.figure, each.found, names | counts)


def _row(figure: Figure, found: Estimate, columns: dict[str, object]) -> FigureRow:
    return FigureRow(
        figure=figure.name,
        value=rounded(found.value),
        low=rounded(found.low),
        high=rounded(found.high),
        missing=rounded(found.missing),
        n=figure.n,
        few="few" if figure.n < FEW else "",
        score_threshold=figure.score_threshold,
        hit_rule=figure.hit_rule,
        false_positives=figure.false_positives,
        second_hit=figure.second_hit,
        definition=figure.definition,
        source=figure.source,
        **columns,
    )
