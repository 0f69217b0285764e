"""Breast density on its way from the deliveries' tables to images.csv."""

from __future__ import annotations

import csv

import pytest

from mammo.datasets.density import density_of


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("1", "a"), ("4", "d"), ("2.0", "b"), (" 3 ", "c"), ("DENSITY C", "c"), ("B", "b"), ("d", "d"),
        ("", ""), (" ", ""), ("0", ""), ("5", ""), ("N/A", ""), ("12", ""), ("DENSITY E", ""),
    ],
)  # fmt: skip
def test_a_category_however_a_table_writes_it(text, category):
    assert density_of(text) == category


def test_density_is_that_of_the_tables(tables, delivered):
    """CBIS-DDSM by patient (both spellings of the column), INbreast by film; the blank one stays empty."""
    data, _ = delivered
    cbis = {}
    for path in sorted((data / "CBIS-DDSM/csv").glob("*.csv")):
        with open(path, newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                cbis[row["patient_id"]] = row.get("breast_density") or row["breast density"]
    found = {image.patient.partition(".")[2]: image.density for image in tables["CBIS-DDSM"].images}
    assert found == {patient: " abcd"[int(cbis[patient])] for patient in found}

    with open(data / "inbreast/raw_files/INbreast.csv", newline="", encoding="utf-8-sig") as file:
        acr = {row["File Name"]: row["ACR"].strip() for row in csv.DictReader(file, delimiter=";")}
    density = {image.image_id.partition(".")[2]: image.density for image in tables["inbreast"].images}
    assert density == {name: " abcd"[int(acr[name])] if acr[name] else "" for name in density}
    assert "" in density.values()
    assert {image.density for image in tables["NCC"].images} == {""}
