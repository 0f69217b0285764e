"""Who belongs to an ensemble, and what each member counts. Only the validation set chooses; test sets never do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import Field

from mammo.errors import UserError
from mammo.metrics.row import ResultRow
from mammo.settings import MemberSettings, Metric, mirrored_name
from mammo.tables.csvio import read_table
from mammo.tables.records import Row, Text

VALIDATION = "validation"


class Member(Row):
    """One member of an ensemble; metric and value are empty where the validation set had nothing to say."""

    member: Text = Field(description="<experiment>_<NN>; its look at mirror images: <experiment>-flip_<NN>.")
    metric: str = Field(description="What value is.")
    value: float | None = Field(description="On the validation set; empty for a look at mirror images.")
    rank: int = Field(ge=1, description="1 is the first: the best of all, or of its experiment.")
    weight: float = Field(gt=0, description="What its boxes count in fusion.")


def choose_members(
    settings: MemberSettings,
    candidates: Sequence[Row],
    *,
    greedy: Sequence[str] = (),
    k: int | None = None,
) -> list[Member]:
    """The members, in the order of their rank; equal values by name. With flips each is followed by its mirrored look.

    Args:
        candidates: validation rows (`ResultRow`) of the snapshots to choose among. Of named members they may be
            missing: the names then stand in the config's order and have no value.
        greedy: for `members.greedy`, what forward selection chose, in its order.
        k: take only the best so many of the members.

    Raises:
        UserError: for rows of another set than the validation set, for a snapshot that stands twice, for fewer
            snapshots with a value than are asked for, and for a member without a weight.
    """
    _check(candidates)
    members = _chosen(settings, candidates, greedy)
    if k is not None:
        members = best_of(members, k)
    return [look for member in members for look in _with_flip(settings, member)]


def _chosen(settings: MemberSettings, candidates: Sequence[Row], greedy: Sequence[str]) -> list[Member]:
    values = {row.model: getattr(row, settings.metric) for row in candidates}
    if settings.best is not None:
        return _best(settings, candidates)
    if settings.names and not candidates:
        return [_member(settings, name, None, rank) for rank, name in enumerate(settings.names, 1)]
    if settings.greedy is not None:
        names = list(greedy)
    else:
        names = sorted(settings.names or values, key=lambda name: (-(_known(values, name)), name))
    if not names:
        raise UserError("members: there is no candidate to choose among; see members.pattern and experiments")
    return [_member(settings, name, values.get(name), rank) for rank, name in enumerate(names, 1)]


def _known(values: dict[str, float | None], name: str) -> float:
    """A value to sort by; what has none comes last."""
    value = values.get(name)
    return -1.0 if value is None else value


def best_of(members: Sequence[Member], k: int) -> list[Member]:
    """The best k members by their value, equal ones by name. Raises `UserError` where there are fewer with a value."""
    valued = [member for member in members if member.value is not None]
    if len(valued) < k:
        raise UserError(
            f"sweep.k asks for {k} members, and {len(valued)} have a figure on the validation set; lower sweep.k, or "
            "let members choose more"
        )
    ordered = sorted(valued, key=lambda member: (-(member.value or 0.0), member.member))[:k]
    return [member.model_copy(update={"rank": rank}) for rank, member in enumerate(ordered, 1)]


def weight_of(settings: MemberSettings, name: str, value: float | None) -> float | None:
    """What a snapshot with this value on validation would count; None where it can have no weight above 0."""
    if settings.weights == "equal":
        return 1.0
    weight = value if settings.weights == VALIDATION else settings.weights.get(name)
    return weight or None


def weights_of(settings: MemberSettings, candidates: Sequence[Row]) -> dict[str, float]:
    """The weights of the candidates by name, without those that can have none (a metric of 0, or none at all).

    Raises `UserError` for candidates as `choose_members` does.
    """
    _check(candidates)
    weights = {row.model: weight_of(settings, row.model, getattr(row, settings.metric)) for row in candidates}
    return {name: weight for name, weight in sorted(weights.items()) if weight}


def by_snapshot(names: Iterable[str]) -> dict[str, list[str]]:
    """The snapshots among members, each with its looks: itself and, where it is a member, its look at mirror images.

    A look at mirror images whose snapshot is no member stands for itself.
    """
    names = list(names)
    mirrored = {mirrored_name(name) for name in names}
    return {
        name: [name, *(look for look in names if look == mirrored_name(name))]
        for name in names
        if name not in mirrored
    }


def best_on_validation(metric: Metric, candidates: Sequence[Row]) -> str | None:
    """The snapshot with the highest metric on validation, of equal ones the first by name; None where none has it.

    Raises `UserError` for candidates as `choose_members` does.
    """
    _check(candidates)
    valued = [(-value, row.model) for row in candidates if (value := getattr(row, metric)) is not None]
    return min(valued)[1] if valued else None


def member_weights(names: Iterable[str], chosen: Sequence[Member]) -> dict[str, float]:
    """The weight of each name in a table of members; all the same where there is no table.

    Raises `UserError` for a name that the table does not have.
    """
    if not chosen:
        return dict.fromkeys(names, 1.0)
    known = {member.member: member.weight for member in chosen}
    missing = [name for name in names if name not in known]
    if missing:
        raise UserError(
            f"{missing[0]} is no member: members.csv has {', '.join(known)}; give its tables only"
        )
    return {name: known[name] for name in names}


def read_candidates(paths: Sequence[str]) -> list[Row]:
    """The validation rows of snapshots, from results/validation/*.csv. Raises `UserError`."""
    return [row for path in paths for row in read_table(path, ResultRow)]


def _member(settings: MemberSettings, name: str, value: float | None, rank: int) -> Member:
    weight = weight_of(settings, name, value)
    if weight is None and settings.weights == VALIDATION:
        raise UserError(
            f"members.weights: {name} has a {settings.metric} of {'nothing' if value is None else value} on the "
            "validation set, and a weight must be above 0; choose another metric, other members, or equal weights"
        )
    if weight is None:
        raise UserError(f"members.weights: has none for the member {name}; give each its own, or write equal")
    metric = "" if value is None else settings.metric
    return Member(member=name, metric=metric, value=value, rank=rank, weight=weight)


def _with_flip(settings: MemberSettings, member: Member) -> list[Member]:
    if not settings.flips:
        return [member]
    mirrored = {"member": mirrored_name(member.member), "metric": "", "value": None}
    return [member, member.model_copy(update=mirrored)]


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


def _best(settings: MemberSettings, candidates: Sequence[Row]) -> list[Member]:
    groups: dict[str, list[Row]] = {}
    for row in candidates:
        experiment = row.model.rpartition("_")[0]
        groups.setdefault(experiment if settings.per_experiment else "", []).append(row)
    if not groups:
        raise UserError(
            f"members.best asks for {settings.best} snapshots, and there is no candidate to choose among"
        )
    return [member for name in sorted(groups) for member in _best_of_group(settings, name, groups[name])]


def _best_of_group(settings: MemberSettings, experiment: str, rows: Sequence[Row]) -> list[Member]:
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
    return [_member(settings, name, value, rank) for rank, (name, value) in enumerate(ordered, 1)]
