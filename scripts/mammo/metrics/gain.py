"""Does an ensemble earn its cost? Against its best member, its mean member, and itself without each of them.

All differences are paired: both models on the same resamples of the same patients (`bootstrap.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from mammo.fusion.fuse import Looked, fuse
from mammo.metrics.bootstrap import paired_difference, resamples_of
from mammo.metrics.figures import Figure, ap_figures, froc_figures, protocol_figures
from mammo.metrics.films import Film
from mammo.metrics.members import by_snapshot
from mammo.metrics.row import rounded
from mammo.metrics.statistic import Statistic, Values, Weights
from mammo.settings import EvaluationSettings, FusionSettings
from mammo.tables.detections import DetectionColumns
from mammo.tables.records import Row, Text

HEADLINES = ("sensitivity", "clean_images", "clean_cases", "ap50", "sens_at_1", "froc_mean")
Against = Literal["best_member", "mean_member", "without"]
Join = Callable[[DetectionColumns], Sequence[Film]]  # detections, joined with the test set


class GainRow(Row):
    """One figure of an ensemble against the same figure of something that costs less."""

    test_set: Text
    ensemble: Text
    against: Against = Field(
        description="best_member: by the validation set; mean_member: mean of the members' figures; without: the "
        "ensemble without one snapshot, so that difference is what it adds."
    )
    model: Text = Field(description="The best member; all members, separated by ;; the snapshot left out.")
    figure: Text
    value: float | None = Field(description="The ensemble's; empty where the test set cannot give it.")
    other: float | None = Field(description="Of what it is held against.")
    difference: float | None = Field(description="value - other.")
    low: float | None = Field(description="Lower end of the 95 % interval of the difference.")
    high: float | None = Field(description="Upper end of it.")
    p: float | None = Field(description="Two-sided, of no difference; not corrected for the number of rows.")
    resamples: int = Field(ge=1, description="Of the patients.")


def gain_rows(
    join: Join,
    members: Mapping[str, Looked],
    best: str | None,
    fusion: FusionSettings,
    settings: EvaluationSettings,
    *,
    test_set: str,
    ensemble: str,
) -> list[GainRow]:
    """Against the best member, the mean member, and without each snapshot in turn (with its look at mirror images).

    Members are snapshots here: a look at mirror images is a look of its snapshot and no member of its own. An ensemble
    of one snapshot has no row without it.

    Args:
        members: what each found on the test set and what it counts, by name.
        best: the best snapshot on validation; None where validation does not say.
    """
    names = {"test_set": test_set, "ensemble": ensemble}
    snapshots = by_snapshot(members)
    fused = join(fuse(list(members.values()), fusion))
    weights = resamples_of(fused, settings.resamples, settings.seed)

    def headlines(films: Sequence[Film]) -> list[Values]:
        return [statistic(weights) for statistic in _headlines(films, settings)]

    whole = headlines(fused)
    alone = {name: headlines(join(members[name].detections)) for name in snapshots}
    rows: list[GainRow] = []
    if best is not None:
        rows += _rows("best_member", best, whole, alone[best], weights, names)
    means = [np.mean(values, axis=0) for values in zip(*alone.values(), strict=True)]
    rows += _rows("mean_member", ";".join(snapshots), whole, means, weights, names)
    for left_out in snapshots if len(snapshots) > 1 else ():
        others = [members[look] for name, looks in snapshots.items() if name != left_out for look in looks]
        rows += _rows("without", left_out, whole, headlines(join(fuse(others, fusion))), weights, names)
    return rows


def _headlines(films: Sequence[Film], settings: EvaluationSettings) -> list[Statistic]:
    """The statistics of `HEADLINES`, in their order."""
    families: list[Iterator[Figure]] = [
        protocol_figures(films, settings),
        froc_figures(films, settings),
        ap_figures(films, settings, ious=(0.5,)),
    ]
    found = {figure.name: figure.statistic for family in families for figure in family}
    return [found[name] for name in HEADLINES]


def _rows(
    against: Against,
    model: str,
    whole: Sequence[Values],
    others: Sequence[Values],
    weights: Weights,
    names: Mapping[str, str],
) -> Iterator[GainRow]:
    for figure, one, other in zip(HEADLINES, whole, others, strict=True):
        found = paired_difference(_known(one), _known(other), weights)
        yield GainRow(
            against=against,
            model=model,
            figure=figure,
            value=_first(one),
            other=_first(other),
            difference=rounded(found.value),
            low=rounded(found.low),
            high=rounded(found.high),
            p=rounded(found.p),
            resamples=len(weights) - 1,
            **names,
        )


def _known(values: Values) -> Statistic:
    """A statistic that was computed: every model's is, once, and held against several others."""
    return lambda _: values


def _first(values: Values) -> float | None:
    """The figure of the set itself, as tables hold it."""
    return None if np.isnan(values[0]) else rounded(float(values[0]))
