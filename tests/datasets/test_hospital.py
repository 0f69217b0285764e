"""A hospital's delivery: every form of annotation is found, by what refers to what, without a word in the config."""

from __future__ import annotations

import csv
import re

import pytest

from mammo.datasets.archives import unpack
from mammo.dicom.read import read_header
from mammo.phantom import PhantomSettings, deliver
from mammo.settings import DatasetSettings, UnpackSettings

NOTHING_ELSE = {
    "cbis": {"films": 0},
    "inbreast": {"films": 0},
    "ncc": {"abn_1": 0, "abn_2": 0, "normal": 0},
    "ncc_trainset": dict.fromkeys(
        ("abn_180116_1", "abn_180116_2", "abn_180517_1", "abn_180517_2", "normal_180130"), 0
    ),
    "broken_files": False,
}
SETTINGS = {
    "format": "hospital",
    "shards": 3,
    "deliveries": {"abn": {"group": "abn"}, "mixed": {"group": "mixed"}},
    "parts": {"data": {}},
}
# The CAD report is one more kind of report, and says so by the same form.
FORM_OF = {"cad": "sr"}


def settings(**changes):
    return DatasetSettings.model_validate({**SETTINGS, **changes})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hospital")
    wanted = PhantomSettings.tiny(
        5, film={"height": 448, "width": 360}, hospital={"films_per_form": 2}, **NOTHING_ELSE
    )
    deliver(wanted, folder / "data", folder / "truth")
    for delivery in ("abn", "mixed"):
        place = folder / "data/hospital/dicom" / delivery
        archive = folder / f"data/hospital/tar/{delivery}.tar"
        unpack([archive], delivery, place, place.with_name(f"{delivery}.files.csv"), UnpackSettings())
    return folder


@pytest.fixture(scope="module")
def tables(folder, pipeline):
    return pipeline.run(folder / "data", "hospital", settings())


@pytest.fixture(scope="module")
def truth(folder):
    def rows(table):
        with open(folder / "truth/hospital" / f"{table}.csv", newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    return rows


def iou(first, second):
    across = max(0.0, min(first[2], second[2]) - max(first[0], second[0]))
    down = max(0.0, min(first[3], second[3]) - max(first[1], second[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return across * down / (sum(areas) - across * down)


def test_every_film_comes_out_and_nothing_else(tables, truth):
    assert {image.source for image in tables.images} == {row["source"] for row in truth("images")}


def test_every_lesion_is_found_in_the_form_it_came_in(tables, truth):
    forms = {row["source"]: FORM_OF.get(row["quirks"], row["quirks"]) for row in truth("images")}
    for row in truth("lesions"):
        drawn = tuple(float(row[side]) for side in ("x1", "y1", "x2", "y2"))
        found = tables.lesions_of(row["source"])
        best = max(found, key=lambda one: iou(drawn, (one.x1, one.y1, one.x2, one.y2)), default=None)
        assert best is not None, f"{row['source']}: nothing found ({forms[row['source']]})"
        assert iou(drawn, (best.x1, best.y1, best.x2, best.y2)) >= 0.9, (row, best)
        assert best.annotation_form == forms[row["source"]]


def test_nothing_is_found_where_nothing_was_marked(tables, truth):
    drawn = [row["source"] for row in truth("lesions")]
    for image in tables.images:
        assert len(tables.lesions_of(image.source)) == drawn.count(image.source)


def test_films_of_a_mixed_delivery_are_abnormal_where_they_carry_a_lesion(tables, truth):
    groups = {row["source"]: row["group"] for row in truth("images")}
    assert {image.source: image.group for image in tables.images} == groups
    assert set(groups.values()) == {"abn", "normal"}


def test_what_belongs_to_no_film_has_a_row(tables, truth):
    assert {row.source for row in tables.rejects} == {row["source"] for row in truth("rejects")}
    assert {row.stage for row in tables.rejects} == {"index"}


def test_patients_are_told_apart_and_their_numbers_are_in_no_table(tables, truth):
    wanted = {row["source"]: row["patient"] for row in truth("images")}
    pairs = {(image.patient, wanted[image.source]) for image in tables.images}
    assert len({ours for ours, _ in pairs}) == len({theirs for _, theirs in pairs}) == len(pairs)
    text = "\n".join(repr(row) for row in (*tables.images, *tables.lesions, *tables.rejects))
    assert not [number for number in wanted.values() if number in text]
    assert all(re.fullmatch(r"hospital\.[0-9a-f]{12}", ours) for ours, _ in pairs)


def test_a_pattern_in_the_path_goes_before_the_header(folder, pipeline):
    tables = pipeline.run(folder / "data", "hospital", settings(patient_pattern="PA0*(?P<patient>[0-9]+)/"))
    assert {image.patient for image in tables.images} >= {"hospital.0", "hospital.1", "hospital.2"}


def test_forms_that_are_not_asked_for_are_not_looked_at(folder, pipeline):
    tables = pipeline.run(folder / "data", "hospital", settings(annotations={"forms": ("gsps", "sr")}))
    assert {lesion.annotation_form for lesion in tables.lesions} == {"gsps", "sr"}
    reasons = {row.reason for row in tables.rejects if row.stage == "annotate"}
    assert any("no annotation found (gsps, sr)" in reason for reason in reasons)


def test_an_outline_in_a_colour_that_is_not_listed_is_reported_with_its_colour(folder, pipeline):
    asked = {"forms": ("outline",), "outline": {"colours": ("blue",)}}
    tables = pipeline.run(folder / "data", "hospital", settings(annotations=asked))
    reasons = [row.reason for row in tables.rejects if "no outline found" in row.reason]
    # JPEG makes a thin red line darker: either name of red will do.
    ending = re.compile(r"\(blue\); coloured lines there are: (dark_)?red$")
    assert len(reasons) == 2 and all(ending.search(reason) for reason in reasons), reasons


def test_the_films_of_the_test_really_carry_a_patients_number(folder):
    film = next(path for path in sorted((folder / "data/hospital/dicom/abn/DICOM").rglob("IM*")))
    assert re.fullmatch(r"\d{8}", str(read_header(film).PatientID))
