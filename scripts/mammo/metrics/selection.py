"""What the validation set decides about an ensemble: how detections are fused, and who helps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import get_args

from mammo.errors import UserError
from mammo.fusion.fuse import Looked, fuse
from mammo.metrics.films import Film
from mammo.metrics.members import Member, best_of
from mammo.metrics.row import rounded
from mammo.metrics.searched import GreedyRow, SweepRow
from mammo.metrics.shared import SharedFilms
from mammo.metrics.watched import watched_figures
from mammo.settings import EvaluationSettings, FusionSettings, Metric, SweepSettings

# By snapshot its look at films and, with flips, at their mirror images.
Looks = Mapping[str, Sequence[Looked]]


def figures(films: Sequence[Film], settings: EvaluationSettings) -> dict[Metric, float | None]:
    """The figures that may choose, rounded as in tables of results; None where the films cannot give one."""
    found = watched_figures(films, settings)
    return {name: rounded(found[name]) for name in get_args(Metric)}


def fused_figures(
    looks: Sequence[Looked], fusion: FusionSettings, shared: SharedFilms, settings: EvaluationSettings
) -> dict[Metric, float | None]:
    """The figures of the fused looks on the shared validation films."""
    return figures(shared.films(fuse(looks, fusion)), settings)


# --- how to fuse ------------------------------------------------------------------------------------------------------


def sweep(
    members: Sequence[Member],
    looks: Looks,
    shared: SharedFilms,
    tried: SweepSettings,
    settings: EvaluationSettings,
) -> list[SweepRow]:
    """Every combination in the order of the settings, the number of members changing slowest; one row is the winner.

    Raises `UserError` for more members than there are, and where no combination has the metric.
    """
    rows = []
    for k in tried.k or (len(members),):
        chosen = [member.member for member in (best_of(members, k) if tried.k else members)]
        voting = [look for name in chosen for look in looks[name]]
        for method, iou, floor in product(tried.methods, tried.ious, tried.score_floors):
            fusion = FusionSettings(method=method, iou=iou, score_floor=floor)
            found = fused_figures(voting, fusion, shared, settings)
            rows.append(SweepRow(method=method, iou=iou, score_floor=floor, k=k, winner=False, **found))
    values = [value for row in rows if (value := getattr(row, tried.metric)) is not None]
    if not values:
        raise UserError(
            f"no way to fuse has a {tried.metric} on the validation films: they have no lesions; raise "
            "validation.fraction, or write the settings of fusion"
        )
    best = next(place for place, row in enumerate(rows) if getattr(row, tried.metric) == max(values))
    rows[best] = rows[best].model_copy(update={"winner": True})
    return rows


# --- who helps --------------------------------------------------------------------------------------------------------


def forward_selection(
    looks: Looks,
    most: int,
    metric: Metric,
    fusion: FusionSettings,
    shared: SharedFilms,
    settings: EvaluationSettings,
) -> list[GreedyRow]:
    """Begin with the best snapshot, then add what raises the metric of the fused detections most; equal ones by name.

    Ends with `most` members, or when none raises it. A snapshot is a member once. Source: Caruana, Niculescu-Mizil,
    Crew, Ksikes, "Ensemble selection from libraries of models", ICML 2004, without their repetition of members.

    Returns all that was tried, step by step, by name. Raises `UserError` where no candidate has the metric.
    """
    rows: list[GreedyRow] = []
    members: list[str] = []
    reached = -1.0
    while len(members) < min(most, len(looks)):
        step = len(members) + 1
        values = {
            name: fused_figures(
                [look for member in (*members, name) for look in looks[member]], fusion, shared, settings
            )[metric]
            for name in sorted(looks)
            if name not in members
        }
        better = {name: value for name, value in values.items() if value is not None and value > reached}
        added = max(better, key=lambda name: better[name]) if better else None  # the first of equal ones
        rows += [
            GreedyRow(step=step, candidate=name, metric=metric, value=value, chosen=name == added)
            for name, value in values.items()
        ]
        if added is None:
            break
        members.append(added)
        reached = better[added]
    if not members:
        raise UserError(
            f"members.greedy: no candidate has a {metric} on the validation films; raise validation.fraction, choose "
            "another metric, or name the members"
        )
    return rows
