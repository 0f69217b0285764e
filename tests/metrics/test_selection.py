"""What the validation set decides: ways to fuse, members one after the other, and on which films."""

from __future__ import annotations

from itertools import combinations, product

import pytest

from mammo.errors import UserError
from mammo.fusion.fuse import Looked
from mammo.metrics.members import Member
from mammo.metrics.searched import read_fusion, selected, winner
from mammo.metrics.selection import SweepRow, forward_selection, fused_figures, sweep
from mammo.metrics.shared import SharedFilms, need_films, on_films, read_looks, shared_films
from mammo.settings import EvaluationSettings, FusionSettings, SweepSettings
from mammo.tables.csvio import write_table
from mammo.tables.detections import as_columns, write_detections
from mammo.tables.records import Detection, Image, Lesion

EVALUATION = EvaluationSettings()
FUSION = FusionSettings(iou=0.5)


def found(*boxes: tuple[str, float, float]) -> list[Detection]:
    """Detections of 10×10 pixels from film, left side and score."""
    return [
        Detection(image_id=film, x1=x, y1=10, x2=x + 10, y2=20, score=score, label="malignant")
        for film, x, score in boxes
    ]


@pytest.fixture
def shared(image, lesion) -> SharedFilms:
    """Four films with a lesion each at x = 10."""
    names = ["1", "2", "3", "4"]
    return SharedFilms([image(name) for name in names], [lesion(name, 10, 10, 20, 20) for name in names])


@pytest.fixture
def looks(shared):
    """Three snapshots: two that find the same two lesions, one that finds the others; each with a false finding."""
    boxes = {
        "a_01": [("1", 10, 0.9), ("2", 10, 0.8), ("3", 60, 0.3)],
        "a_02": [("1", 11, 0.9), ("2", 11, 0.7), ("3", 60, 0.3)],
        "b_01": [("3", 10, 0.6), ("4", 10, 0.5), ("1", 70, 0.2)],
    }
    return {name: [Looked(shared.ids, as_columns(found(*rows)))] for name, rows in boxes.items()}


def member(name: str, value: float | None, rank: int = 1) -> Member:
    return Member(member=name, metric="froc_mean", value=value, rank=rank, weight=1.0)


MEMBERS = [member("a_01", 0.7, 1), member("a_02", 0.6, 2), member("b_01", 0.5, 3)]
TRIED = SweepSettings(methods=("wbf", "nms"), ious=(0.3, 0.6), score_floors=(0.01, 0.4), k=(1, 3))


def test_a_sweep_tries_every_combination_with_its_own_figures(looks, shared):
    rows = sweep(MEMBERS, looks, shared, TRIED, EVALUATION)
    assert [(row.k, row.method, row.iou, row.score_floor) for row in rows] == list(
        product(TRIED.k, TRIED.methods, TRIED.ious, TRIED.score_floors)
    )
    for row in rows:
        voting = [look for name in ("a_01", "a_02", "b_01")[: row.k] for look in looks[name]]
        figures = fused_figures(voting, row.fusion, shared, EVALUATION)
        assert {name: getattr(row, name) for name in figures} == figures


def test_the_first_of_the_best_ways_wins_and_only_one(looks, shared):
    rows = sweep(MEMBERS, looks, shared, TRIED, EVALUATION)
    best = max(row.froc_mean for row in rows)
    assert [row.winner for row in rows].count(True) == 1
    assert winner(rows) == next(row for row in rows if row.froc_mean == best)
    assert sum(row.froc_mean == best for row in rows) > 1, "the test needs a tie"
    assert winner(rows).k == 3, "only three members find all lesions"


def test_a_sweep_without_k_takes_all_members_also_without_a_value_of_their_own(looks, shared):
    members = [member.model_copy(update={"value": None}) for member in MEMBERS]
    rows = sweep(members, looks, shared, TRIED.model_copy(update={"k": ()}), EVALUATION)
    assert {row.k for row in rows} == {3}


def test_more_members_than_there_are_is_an_error(looks, shared):
    with pytest.raises(UserError, match=r"sweep\.k asks for 4 members, and 3"):
        sweep(MEMBERS, looks, shared, TRIED.model_copy(update={"k": (4,)}), EVALUATION)


def test_films_without_lesions_choose_nothing(looks, shared):
    empty = SharedFilms(shared.images, [])
    with pytest.raises(UserError, match="no way to fuse has a froc_mean"):
        sweep(MEMBERS, looks, empty, TRIED, EVALUATION)
    with pytest.raises(UserError, match="no candidate has a froc_mean"):
        forward_selection(looks, 2, "froc_mean", FUSION, empty, EVALUATION)


def test_fusion_comes_from_settings_or_from_the_winner_of_a_table(looks, shared, tmp_path):
    rows = sweep(MEMBERS, looks, shared, TRIED, EVALUATION)
    write_table(tmp_path / "sweep.csv", SweepRow, rows)
    assert read_fusion(str(tmp_path / "sweep.csv")) == winner(rows).fusion
    assert read_fusion('{"method": "nms"}') == FusionSettings(method="nms")
    write_table(tmp_path / "none.csv", SweepRow, [row for row in rows if not row.winner])
    with pytest.raises(UserError, match="one winner, found 0"):
        read_fusion(str(tmp_path / "none.csv"))


def test_forward_selection_begins_with_the_best_and_adds_what_helps_most(looks, shared):
    rows = forward_selection(looks, 3, "froc_mean", FUSION, shared, EVALUATION)
    value = {
        names: fused_figures([looks[name][0] for name in names], FUSION, shared, EVALUATION)["froc_mean"]
        for size in (1, 2, 3)
        for names in combinations(sorted(looks), size)
    }
    first, second = selected(rows)[:2]
    assert value[first,] == max(value[name,] for name in looks)
    assert second == "b_01", "the only one that finds what the first missed"
    assert len(selected(rows)) == 2, "a third that finds nothing new raises nothing"
    for row in rows:
        with_it = tuple(sorted({*selected(rows)[: row.step - 1], row.candidate}))
        assert row.value == value[with_it]


def test_of_equal_candidates_the_first_by_name_is_chosen_whatever_their_order(shared):
    same = Looked(shared.ids, as_columns(found(("1", 10, 0.9))))
    for names in (["b_01", "a_01"], ["a_01", "b_01"]):
        rows = forward_selection({name: [same] for name in names}, 2, "froc_mean", FUSION, shared, EVALUATION)
        assert selected(rows) == ["a_01"]


def test_forward_selection_ends_with_so_many_members(looks, shared):
    rows = forward_selection(looks, 1, "froc_mean", FUSION, shared, EVALUATION)
    assert len(selected(rows)) == 1 and {row.step for row in rows} == {1}


@pytest.fixture
def validation_sets(tmp_path, image, lesion):
    """Two validation sets: films 1, 2, 3 and films 2, 3, 4; the second knows one more lesion of film 3."""

    def write(name: str, films: list[str], lesions: list[Lesion]):
        paths = tmp_path / f"{name}.images.csv", tmp_path / f"{name}.lesions.csv"
        write_table(paths[0], Image, [image(film) for film in films])
        write_table(paths[1], Lesion, lesions)
        return paths

    one = [lesion("1", 1, 1, 5, 5), lesion("3", 1, 1, 5, 5)]
    more = lesion("3", 7, 7, 9, 9).model_copy(update={"lesion_id": "more"})
    return [write("one", ["1", "2", "3"], one), write("two", ["4", "3", "2"], [more, one[1]])]


def test_only_films_of_every_validation_set_are_shared_with_all_lesions_that_a_set_knows(validation_sets):
    for order in (validation_sets, validation_sets[::-1]):
        shared = shared_films(order)
        assert [image.image_id for image in shared.images] == ["2", "3"]
        assert sorted((box.image_id, box.x1) for box in shared.lesions) == [("3", 1), ("3", 7)]


def test_members_without_a_common_film_are_named(validation_sets, tmp_path, image):
    write_table(tmp_path / "x.images.csv", Image, [image("9")])
    write_table(tmp_path / "x.lesions.csv", Lesion, [])
    shared = shared_films([*validation_sets, (tmp_path / "x.images.csv", tmp_path / "x.lesions.csv")])
    assert shared.images == [] and shared_films([]).images == []
    with pytest.raises(UserError, match="no film stands in the validation sets of all of a, b-flip,"):
        need_films(shared, ["a_01", "a_02", "b-flip_01"])


def test_findings_on_films_that_are_not_shared_are_left_out():
    boxes = as_columns(found(("1", 10, 0.9), ("2", 20, 0.8), ("1", 30, 0.7)))
    kept = on_films(boxes, frozenset({"1"}))
    assert kept.image_ids == ["1", "1"] and kept.scores.tolist() == [0.9, 0.7]
    assert kept.boxes[:, 0].tolist() == [10, 30] and kept.labels == ["malignant"] * 2


def test_a_snapshot_brings_its_look_at_mirror_images_with_its_own_weight(shared, tmp_path):
    paths = {}
    for name in ("a_01", "a-flip_01", "b_01"):
        paths[name] = str(tmp_path / f"{name}.csv")
        write_detections(paths[name], as_columns(found(("1", 10, 0.9), ("9", 10, 0.9))))
    looks = read_looks(paths, {"a_01": 2.0, "b_01": 1.0}, shared)
    assert [look.weight for look in looks["a_01"]] == [2.0, 2.0] and len(looks["b_01"]) == 1
    assert looks["a_01"][1].detections.image_ids == ["1"]
    with pytest.raises(UserError, match="c_01 comes without its detections"):
        read_looks(paths, {"c_01": 1.0}, shared)
