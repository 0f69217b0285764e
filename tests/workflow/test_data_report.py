"""The data report of a whole run, and the gate before merged sets."""

from __future__ import annotations

import csv

from pydicom import dcmread

REPORT = ["results/data_report.html"]
TRAIN_SET = ["data/retinanet_train_all.csv"]


def test_the_report_covers_every_dataset_and_every_merged_set(finished):
    finished.run(targets=REPORT)
    with open(finished.folder / "results/data_report.csv", newline="", encoding="utf-8") as file:
        sets = {row["set"] for row in csv.DictReader(file)}
    assert {"CBIS-DDSM", "inbreast", "NCC"} <= sets
    assert any("all" in name for name in sets) and any("normal" in name for name in sets)
    assert finished.would_run(targets=REPORT) == set()


def test_another_contact_sheet_makes_the_report_again_and_no_audit(changed):
    changed.config["data_report"] = {"contact_sheet": 5}
    assert changed.would_run(targets=REPORT) == {"data_report"}


def test_merged_sets_wait_for_the_gate_where_the_config_stops_there(changed):
    assert "privacy" not in changed.would_run(targets=TRAIN_SET)
    changed.config["data_report"] = {"privacy": "stop"}
    assert "privacy" in changed.would_run(targets=TRAIN_SET)


def test_the_gate_stops_at_a_name_and_does_not_repeat_it(fresh):
    film = next((fresh.folder / "data/inbreast/raw_files/AllDICOMs").glob("*.dcm"))
    header = dcmread(film)
    header.PatientName = "Kim^Somebody"
    header.save_as(film)
    fresh.config["data_report"] = {"privacy": "stop"}
    run = fresh.snakemake(targets=["data/inbreast/privacy.csv"])
    said = run.stdout + run.stderr
    assert run.returncode != 0
    assert "inbreast: the delivery is not anonymised" in said and "PatientName" in said
    assert "Kim" not in said
    assert not (fresh.folder / "data/inbreast/privacy.csv").exists()
