"""Choosing the members of an ensemble."""

from __future__ import annotations

import pytest

from mammo.errors import UserError
from mammo.metrics.films import join_films
from mammo.metrics.members import choose_members, member_weights, weights_of
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


def test_named_members_with_figures_go_by_them(candidate):
    rows = [candidate("a_01", 0.5), candidate("b_02", 0.9)]
    members = choose_members(MemberSettings(names=("a_01", "b_02")), rows)
    assert [(row.member, row.value, row.rank) for row in members] == [("b_02", 0.9, 1), ("a_01", 0.5, 2)]


def test_of_a_pattern_all_candidates_are_members_the_best_first(candidate):
    rows = [candidate("a_01", 0.5), candidate("b_02", None), candidate("a_02", 0.9)]
    assert chosen(MemberSettings(pattern="*"), rows) == ["a_02", "a_01", "b_02"]
    with pytest.raises(UserError, match="no candidate"):
        choose_members(MemberSettings(pattern="c*"), [])


def test_the_winner_of_a_sweep_may_take_fewer(candidate):
    rows = [candidate("a_01", 0.5), candidate("b_01", 0.9), candidate("a_02", 0.7)]
    members = choose_members(MemberSettings(best=3), rows, k=2)
    assert [(row.member, row.rank) for row in members] == [("b_01", 1), ("a_02", 2)]


def test_forward_selection_keeps_its_order_and_says_each_one_s_own_value(candidate):
    rows = [candidate("a_01", 0.5), candidate("b_01", 0.9), candidate("a_02", 0.7)]
    members = choose_members(MemberSettings(greedy=3), rows, greedy=["b_01", "a_01"])
    assert [(row.member, row.value, row.rank) for row in members] == [("b_01", 0.9, 1), ("a_01", 0.5, 2)]


def test_weights_are_equal_of_validation_or_given(candidate):
    rows = [candidate("a_01", 0.5), candidate("b_01", 0.9)]

    def weights(**settings) -> list[float]:
        return [row.weight for row in choose_members(MemberSettings(best=2, **settings), rows)]

    assert weights() == [1, 1]
    assert weights(weights="validation") == [0.9, 0.5]
    assert weights(weights={"a_01": 3.0, "b_01": 1.0}) == [1, 3]
    with pytest.raises(UserError, match="has none for the member b_01"):
        weights(weights={"a_01": 3.0})


@pytest.mark.parametrize("value", [0.0, None])
def test_a_member_without_a_figure_above_0_cannot_be_weighed_by_it(candidate, value):
    rows = [candidate("a_01", 0.5), candidate("b_01", value)]
    settings = MemberSettings(pattern="*", weights="validation")
    with pytest.raises(UserError, match=r"b_01 has a froc_mean of (0\.0|nothing)"):
        choose_members(settings, rows)
    assert weights_of(settings, rows) == {"a_01": 0.5}


def test_with_flips_each_member_is_followed_by_its_look_at_mirror_images(candidate):
    rows = [candidate("a_01", 0.5), candidate("b-ema_01", 0.9)]
    members = choose_members(MemberSettings(best=2, flips=True, weights="validation"), rows)
    assert [(row.member, row.value, row.rank, row.weight) for row in members] == [
        ("b-ema_01", 0.9, 1, 0.9),
        ("b-ema-flip_01", None, 1, 0.9),
        ("a_01", 0.5, 2, 0.5),
        ("a-flip_01", None, 2, 0.5),
    ]


def test_weights_are_read_from_the_table_of_members():
    members = choose_members(MemberSettings(names=("a_01", "b_01"), weights={"a_01": 3.0, "b_01": 1.0}), [])
    assert member_weights(["b_01", "a_01"], members) == {"b_01": 1.0, "a_01": 3.0}
    assert member_weights(["x"], []) == {"x": 1.0}
    with pytest.raises(UserError, match="c_01 is no member"):
        member_weights(["c_01"], members)
