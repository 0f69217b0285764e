"""Who belongs to an ensemble: named snapshots, or the best on the validation set. Test sets never choose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import Field

from mammo.errors import UserError
from mammo.settings import MemberSettings
from mammo.tables.records import Row, Text

VALIDATION = "validation"


class Member(Row):
    """One snapshot of an ensemble; metric and value are empty where members are named in the config."""

    member: Text = Field(description="<experiment>_<NN>.")
    metric: str = Field(description="What chose it.")
    value: float | None = Field(description="On the validation set.")
    rank: int = Field(ge=1, description="1 is the best of all, or of its experiment with per_experiment.")


def choose_members(settings: MemberSettings, candidates: Sequence[Row]) -> list[Member]:
    """The members, in the order of their rank; equal values by name.

    `candidates`: the validation rows (`ResultRow`) of the snapshots to choose among; not looked at where the config
    names the members. Raises `UserError` for rows of another set than the validation set, for a snapshot that stands
    twice, and for fewer snapshots with a value than are asked for.
    """
    if settings.names:
        return [
            Member(member=name, metric="", value=None, rank=rank)
            for rank, name in enumerate(settings.names, 1)
        ]
    _check(candidates)
    groups: dict[str, list[Row]] = {}
    for row in candidates:
        groups.setdefault(_experiment(row.model) if settings.per_experiment else "", []).append(row)
    if not groups:
        raise UserError(
            f"members.best asks for {settings.best} snapshots, and there is no candidate to choose among"
        )
    return [member for name in sorted(groups) for member in _best(settings, name, groups[name])]


def _check(candidates: Iterable[Row]) -> None:
    seen: set[str] = set()
    for row in candidates:
        if row.test_set != VALIDATION:
            raise UserError(
                f"the candidate {row.model} comes with figures of the set {row.test_set!r}: members are chosen on the "
                f"set {VALIDATION!r} only, because a test set may not choose what is tested on it"
            )
        if row.model in seen:
            raise UserError(f"the candidate {row.model} stands twice; every snapshot may stand once")
        seen.add(row.model)


def _experiment(snapshot: str) -> str:
    return snapshot.rpartition("_")[0]


def _best(settings: MemberSettings, experiment: str, rows: Sequence[Row]) -> list[Member]:
    valued = [(row.model, value) for row in rows if (value := getattr(row, settings.metric)) is not None]
    wanted = settings.best or 0
    if len(valued) < wanted:
        of = f" of {experiment}" if experiment else ""
        why = (
            "the metric is empty where the validation set has no lesions"
            if len(valued) < len(rows)
            else "train more"
        )
        raise UserError(
            f"members.best asks for {wanted} snapshots{of}, and {len(valued)} of {len(rows)} candidates have a "
            f"{settings.metric} on the validation set ({why}): lower members.best, choose another metric, or raise "
            "validation.fraction"
        )
    ordered = sorted(valued, key=lambda pair: (-pair[1], pair[0]))[:wanted]
    return [
        Member(member=name, metric=settings.metric, value=value, rank=rank)
        for rank, (name, value) in enumerate(ordered, 1)
    ]
