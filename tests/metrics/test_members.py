"""Choosing the members of an ensemble."""

from __future__ import annotations

import pytest

from mammo.errors import UserError
from mammo.metrics.films import join_films
from mammo.metrics.members import choose_members
from mammo.metrics.row import result_row
from mammo.settings import EvaluationSettings, MemberSettings


@pytest.fixture
def candidate(image, lesion):
    def make(model: str, froc_mean: float | None, test_set: str = "validation"):
        films = join_films([image("1")], [lesion("1", 1, 1, 5, 5)], [])
        names = {"model": model, "kind": "snapshot", "members": [model], "run_id": "0" * 12}
        row = result_row(films, EvaluationSettings(), test_set=test_set, **names)
        return row.model_copy(update={"froc_mean": froc_mean})

    return make


def chosen(settings: MemberSettings, rows) -> list[str]:
    return [row.member for row in choose_members(settings, rows)]


def test_the_best_are_taken_and_equal_ones_by_name(candidate):
    rows = [candidate("a_02", 0.5), candidate("a_01", 0.5), candidate("b_01", 0.9), candidate("b_02", 0.1)]
    assert (
        chosen(MemberSettings(best=2), rows) == chosen(MemberSettings(best=2), rows[::-1]) == ["b_01", "a_01"]
    )


def test_the_best_of_each_experiment(candidate):
    rows = [candidate("a_01", 0.5), candidate("a_02", 0.6), candidate("b_01", 0.9), candidate("b_02", 0.8)]
    assert chosen(MemberSettings(best=1, per_experiment=True), rows) == ["a_02", "b_01"]


def test_named_members_keep_their_order_and_have_no_value():
    members = choose_members(MemberSettings(names=("b_02", "a_01")), [])
    assert [(row.member, row.metric, row.value, row.rank) for row in members] == [
        ("b_02", "", None, 1),
        ("a_01", "", None, 2),
    ]


def test_fewer_candidates_than_asked_for_are_an_error(candidate):
    with pytest.raises(UserError, match="asks for 2 snapshots, and 1 of 1"):
        choose_members(MemberSettings(best=2), [candidate("a_01", 0.5)])


def test_a_metric_that_is_empty_everywhere_is_an_error(candidate):
    with pytest.raises(UserError, match="0 of 2 candidates have a froc_mean"):
        choose_members(MemberSettings(best=1), [candidate("a_01", None), candidate("a_02", None)])


def test_no_candidate_is_an_error():
    with pytest.raises(UserError, match="no candidate"):
        choose_members(MemberSettings(best=1), [])


def test_figures_of_a_test_set_may_not_choose(candidate):
    with pytest.raises(UserError, match="a_01 comes with figures of the set 'abn'"):
        choose_members(MemberSettings(best=1), [candidate("a_01", 0.5, test_set="abn")])


def test_a_candidate_that_stands_twice_is_an_error(candidate):
    with pytest.raises(UserError, match="a_01 stands twice"):
        choose_members(MemberSettings(best=1), [candidate("a_01", 0.5), candidate("a_01", 0.5)])
