"""The long table: that it agrees with the wide one, its slices, marks and empty figures."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mammo.metrics.figure_rows import SLICED, FigureRow, figure_rows
from mammo.metrics.films import Film, join_films
from mammo.metrics.row import ResultRow, result_row
from mammo.metrics.slices import by_lesion_size, slices_of
from mammo.settings import EvaluationSettings
from mammo.tables.csvio import columns, read_table, write_table
from mammo.tables.records import Detection, Image, Lesion

SETTINGS = EvaluationSettings(resamples=200)
NAMES = {"test_set": "abn", "model": "m_01", "kind": "snapshot"}
KEY = ("figure", "slice", "hit_rule", "false_positives", "second_hit")


def rows_of(films, **changes) -> list[FigureRow]:
    return figure_rows(films, SETTINGS, **NAMES, **changes)


def whole(rows, figure: str, **wanted: str) -> FigureRow:
    (row,) = [
        row
        for row in rows
        if (row.figure, row.slice) == (figure, "all")
        and all(getattr(row, name) == value for name, value in wanted.items())
    ]
    return row


def test_both_tables_say_the_same(five_films):
    films = join_films(*five_films)
    rows = rows_of(films, operating_threshold=0.5)
    wide = vars(
        result_row(films, SETTINGS, **NAMES, members=["m_01"], run_id="0" * 12, operating_threshold=0.5)
    )
    first = {}
    for row in rows:
        first.setdefault(row.figure, row)
    shared = [name for name in columns(ResultRow) if name in first]
    assert len(shared) == 21
    for name in shared:
        assert wide[name] == first[name].value
        if f"{name}_low" in wide:
            assert (wide[f"{name}_low"], wide[f"{name}_high"]) == (first[name].low, first[name].high)


def test_a_row_is_known_by_its_figure_slice_and_rules(five_films):
    rows = rows_of(join_films(*five_films))
    keys = [tuple(getattr(row, name) for name in KEY) for row in rows]
    assert len(set(keys)) == len(keys)
    assert all(row.definition and row.source for row in rows)


def test_froc_is_there_by_all_rules_denominators_and_ways_of_second_hits(five_films):
    rows = [
        row for row in rows_of(join_films(*five_films)) if (row.figure, row.slice) == ("sens_at_1", "all")
    ]
    assert len({(row.hit_rule, row.false_positives, row.second_hit) for row in rows}) == len(rows) == 20


def test_without_a_threshold_from_validation_the_operating_point_is_empty(five_films):
    rows = rows_of(join_films(*five_films))
    for name in ("operating_sensitivity", "operating_fppi"):
        row = whole(rows, name)
        assert (row.value, row.low, row.score_threshold) == (None, None, None)


def test_what_rests_on_fewer_than_twenty_is_marked(image, lesion):
    images = [image(str(number), f"p{number}") for number in range(41)]
    lesions = [lesion(str(number), 0, 0, 9, 9) for number in range(20)]
    rows = rows_of(join_films(images, lesions, []))
    assert [(whole(rows, name).n, whole(rows, name).few) for name in ("sensitivity", "clean_images")] == [
        (20, ""),
        (21, ""),
    ]
    rows = rows_of(join_films(images, lesions[1:], []))
    assert (whole(rows, "sensitivity").n, whole(rows, "sensitivity").few) == (19, "few")
    assert (whole(rows, "auc_image").n, whole(rows, "auc_image").few) == (19, "few")


def test_a_slice_of_films_is_a_test_set_of_its_own(five_films):
    images, lesions, detections = five_films
    chosen = {row.image_id for row in images if row.view == "CC"}
    alone = join_films(
        *([row for row in rows if row.image_id in chosen] for rows in (images, lesions, detections))
    )
    sliced = [row for row in rows_of(join_films(*five_films)) if row.slice == "view=CC"]
    assert {row.figure for row in sliced} == SLICED
    for row in sliced:
        own = whole(rows_of(alone), row.figure, hit_rule=row.hit_rule, second_hit=row.second_hit,
                    false_positives=row.false_positives)  # fmt: skip
        assert (row.value, row.low, row.high, row.images) == (own.value, own.low, own.high, own.images)


def test_parts_of_the_lesions_keep_all_films_and_make_up_the_whole(five_films):
    films = join_films(*five_films)
    for kind in ("lesion_type", "size_mm"):
        parts = [part for part in slices_of(films) if part.kind == kind]
        assert all(len(part.films) == 5 for part in parts)
        assert sum(part.lesions for part in parts) == 4
    names = {row.figure for row in rows_of(films) if row.slice.startswith("size_mm")}
    assert names == {"sensitivity", "sens_at_1", "froc_mean", "ap50"}


def test_sizes_are_longest_sides_in_millimetres_and_unknown_ones_stand_apart(image, lesion):
    images = [image("1", pixel_mm=0.1), image("2", pixel_mm=None), image("3", pixel_mm=1.0)]
    lesions = [
        lesion("1", 0, 0, 49, 10),
        lesion("1", 0, 0, 10, 50, lesion_id="2"),
        lesion("2", 0, 0, 50, 50),
        lesion("3", 0, 0, 50, 10),
    ]
    parts = by_lesion_size(join_films(images, lesions, []))
    assert [(part.part, part.lesions) for part in parts] == [
        ("<5", 1), ("5-10", 1), (">=50", 1), ("unknown", 1)
    ]  # fmt: skip


def test_what_nobody_knows_makes_no_slice(image, lesion):
    films = join_films([image("1")], [lesion("1", 0, 0, 9, 9)], [])
    assert {part.kind for part in slices_of(films)} == {"dataset"}


def test_a_part_unknown_comes_last(image):
    films = join_films([image("1"), image("2", view="MLO"), image("3", view="XCC")], [], [])
    assert [part.part for part in slices_of(films) if part.kind == "view"] == ["MLO", "XCC", "unknown"]


def test_films_that_have_no_row_of_images_are_fine(five_films):
    bare = [
        Film(film.image_id, film.case, film.lesions, film.detections, film.scores)
        for film in join_films(*five_films)
    ]
    rows = rows_of(bare)
    assert {row.slice for row in rows} == {"all"}
    assert whole(rows, "sensitivity").value == 0.5


@pytest.mark.parametrize("kept", ["no detections", "no lesions", "nothing at all", "one film"])
def test_poor_sets_have_rows_like_others(kept, five_films, tmp_path):
    images, lesions, detections = five_films
    if kept == "one film":
        images, lesions, detections = images[:1], lesions[:1], detections[:1]
    films = join_films(
        images,
        [] if kept in ("no lesions", "nothing at all") else lesions,
        [] if kept in ("no detections", "nothing at all") else detections,
    )
    rows = rows_of(films, operating_threshold=0.5)
    whole_set = [row.figure for row in rows if row.slice == "all"]
    assert whole_set == [row.figure for row in rows_of(join_films(*five_films)) if row.slice == "all"]
    write_table(tmp_path / "figures.csv", FigureRow, rows)
    assert read_table(tmp_path / "figures.csv", FigureRow) == rows


def test_the_order_of_the_tables_does_not_matter(five_films):
    assert rows_of(join_films(*five_films)) == rows_of(join_films(*(rows[::-1] for rows in five_films)))


@pytest.fixture
def evaluated(tmp_path, five_films, root):
    """Run the script on the five films, its validation set being the five films too or another."""
    for name, model, rows in zip(
        ("images", "lesions", "abn"), (Image, Lesion, Detection), five_films, strict=True
    ):
        write_table(tmp_path / f"{name}.csv", model, rows)
    write_table(tmp_path / "none.csv", Image, [])

    def run(*arguments: str) -> tuple[ResultRow, list[FigureRow]]:
        command = [
            sys.executable, root / "scripts/evaluate.py", "--test-sets", "abn=images.csv,lesions.csv,abn.csv",
            "--model", "m_01", "--settings", '{"operating_fppi": 0.2, "resamples": 100}',
            "--out", "row.csv", "--out-figures", "figures.csv", *arguments,
        ]  # fmt: skip
        subprocess.run(command, cwd=tmp_path, check=True)
        (row,) = read_table(tmp_path / "row.csv", ResultRow)
        return row, read_table(tmp_path / "figures.csv", FigureRow)

    return run


def test_the_script_takes_the_threshold_from_validation_and_writes_both_tables(evaluated):
    row, figures = evaluated("--validation", "images.csv,lesions.csv,abn.csv")
    assert (row.operating_threshold, row.operating_sensitivity, row.operating_fppi) == (0.6, 0.5, 0.2)
    assert whole(figures, "operating_sensitivity").score_threshold == 0.6


def test_without_validation_patients_the_script_leaves_the_operating_point_empty(evaluated):
    row, _ = evaluated("--validation", "none.csv,lesions.csv,abn.csv")
    other, figures = evaluated()
    assert row.operating_threshold is other.operating_threshold is row.operating_sensitivity is None
    assert whole(figures, "operating_fppi").value is None
    assert row.run_id != other.run_id  # the validation tables are behind the row
