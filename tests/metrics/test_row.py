"""The row of a results table: the worked example, and sets that cannot give a figure."""

from __future__ import annotations

import re

import pytest

from mammo.errors import UserError
from mammo.metrics.films import join_films
from mammo.metrics.row import ResultRow, result_row
from mammo.settings import EvaluationSettings
from mammo.tables.csvio import columns, read_table, write_table

COLUMNS = [
    "test_set", "model", "kind", "members", "images", "cases", "lesions", "score_threshold",
    "hit_rule", "lesions_hit", "sensitivity", "clean_images", "clean_cases", "ap50",
    "sens_at_0.125", "sens_at_0.25", "sens_at_0.5", "sens_at_1", "sens_at_2", "sens_at_4",
    "sens_at_8", "froc_mean", "run_id",
]  # fmt: skip
LATER_COLUMNS = [
    "patients", "sensitivity_single", "ap10", "ap20", "coco_ap", "auc_image", "auc_breast", "auc_case",
    "operating_threshold", "operating_sensitivity", "operating_fppi",
]  # fmt: skip
WITH_INTERVAL = [
    *(name for name in COLUMNS[COLUMNS.index("sensitivity") : COLUMNS.index("run_id")]),
    "operating_sensitivity", "auc_image", "auc_breast", "auc_case",
]  # fmt: skip


def row_of(images, lesions, detections):
    names = {"test_set": "abn", "model": "m_01", "kind": "snapshot", "members": ["m_01"], "run_id": "0" * 12}
    return result_row(join_films(images, lesions, detections), EvaluationSettings(), **names)


def test_columns_are_those_of_the_spreadsheet():
    assert columns(ResultRow)[: len(COLUMNS)] == COLUMNS


def test_later_columns_stand_behind_them():
    bounds = [f"{name}_{end}" for name in WITH_INTERVAL for end in ("low", "high")]
    assert columns(ResultRow)[len(COLUMNS) :] == [*LATER_COLUMNS, *bounds, "resamples"]


def test_the_worked_example_of_the_documentation(five_films, root):
    row = vars(row_of(*five_films))
    text = (root / "docs" / "metrics.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| `([\w.]+)` = ([\d.]+) \|", text, flags=re.MULTILINE))
    assert {name: float(value) for name, value in table.items()} == {
        "images": 5, "cases": 3, "lesions": 4, "lesions_hit": 2, "sensitivity": 0.5, "clean_images": 0.5,
        "clean_cases": 0, "ap50": 0.333333, "sens_at_0.125": 0.5, "sens_at_0.25": 0.5, "sens_at_0.5": 0.75,
        "sens_at_1": 0.75, "sens_at_2": 0.75, "sens_at_4": 0.75, "sens_at_8": 0.75, "froc_mean": 0.678571,
    }  # fmt: skip
    assert {name: row[name] for name in table} == {name: float(value) for name, value in table.items()}


def test_documentation_defines_every_column(root):
    text = (root / "docs" / "metrics.md").read_text(encoding="utf-8")
    for name in COLUMNS + LATER_COLUMNS + ["resamples"]:
        assert f"`{'sens_at_*' if name.startswith('sens_at') else name}`" in text


def test_a_set_without_lesions_leaves_their_figures_empty(image, detection):
    row = vars(row_of([image("1"), image("2")], [], [detection("1", 0.5, 0, 0, 9, 9)]))
    empty = [name for name in COLUMNS if row[name] is None]
    assert empty == [
        name for name in COLUMNS if name in ("sensitivity", "ap50", "froc_mean") or "sens_at" in name
    ]
    assert (row["lesions_hit"], row["clean_images"], row["clean_cases"]) == (0, 0.5, 0.0)


def test_a_set_without_normals_leaves_the_clean_shares_empty(image, lesion):
    row = row_of([image("1")], [lesion("1", 1, 1, 5, 5)], [])
    assert (row.clean_images, row.clean_cases) == (None, None)
    assert (row.sensitivity, row.ap50, row.froc_mean) == (0, 0, 0)


def test_a_normal_film_of_a_case_with_a_lesion_is_no_normal_case(image, lesion):
    row = row_of([image("1"), image("2")], [lesion("1", 1, 1, 5, 5)], [])
    assert (row.clean_images, row.clean_cases) == (1, None)


def test_cases_are_studies_where_the_delivery_names_them(image):
    images = [image("1", "A", "s1"), image("2", "A", "s2"), image("3", "B", "s1"), image("4", "B")]
    assert row_of(images, [], []).cases == 4


def test_rows_come_back_equal_from_their_table(tmp_path, five_films):
    rows = [row_of(*five_films), row_of(five_films[0], [], [])]
    write_table(tmp_path / "results.csv", ResultRow, rows)
    assert read_table(tmp_path / "results.csv", ResultRow) == rows


def test_order_of_the_tables_does_not_matter(five_films):
    assert row_of(*five_films) == row_of(*(rows[::-1] for rows in five_films))


@pytest.mark.parametrize("stray", ["lesion", "detection"])
def test_rows_of_an_unknown_image_are_an_error(image, lesion, detection, stray):
    lesions = [lesion("ghost", 1, 1, 5, 5)] if stray == "lesion" else []
    detections = [detection("ghost", 0.5, 1, 1, 5, 5)] if stray == "detection" else []
    with pytest.raises(UserError, match=f"{stray} belongs to image ghost"):
        join_films([image("1")], lesions, detections)


def test_images_that_stand_twice_are_an_error(image):
    with pytest.raises(UserError, match="1 stands twice"):
        join_films([image("1"), image("1")], [], [])


def test_a_set_without_images_is_an_error():
    with pytest.raises(UserError, match="no images"):
        join_films([], [], [])


def test_no_figure_depends_on_the_order_of_the_tables(five_films):
    images, lesions, detections = five_films
    equal = [row.model_copy(update={"score": 0.5}) for row in detections]
    for found in (detections, equal):
        assert row_of(images, lesions, found) == row_of(images[::-1], lesions[::-1], found[::-1])
