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


def test_what_joins_datasets_waits_until_all_of_them_are_made_again(fresh):
    """A changed reader makes index and films of every dataset again; nothing may read films that are being replaced."""
    targets = [*REPORT, *TRAIN_SET]
    fresh.run(targets=targets)
    change_the_reader(fresh)
    said = fresh.run(targets=targets)
    made = {name: said.rindex(f"Decode shard 00 of {name}") for name in ("CBIS-DDSM", "inbreast", "NCC")}
    assert said.index("Report on the data") > max(made.values())
    assert "Merge train set" not in said or said.index("Merge train set") > max(
        made["CBIS-DDSM"], made["inbreast"]
    )


def test_a_train_set_and_its_training_wait_until_all_datasets_behind_them_are_made_again(fresh):
    """One dataset is made again, tables and all, while the others are still being looked through."""
    targets = ["snapshots/tiny/snapshots.csv"]
    fresh.run(targets=TRAIN_SET)
    (fresh.folder / "logs/train_set/all.log").unlink()
    change_the_reader(fresh)
    fresh.config["display"] = {"jpeg_quality": 90}
    take_time(fresh, ("inbreast", "NCC"), until="logs/train_set/all.log", seconds=30)
    said = fresh.run("--cores", "4", "--set-threads", "train=1", targets=targets)
    made = [said.rindex(f"Decode shard 00 of {name}") for name in ("CBIS-DDSM", "inbreast")]
    assert said.index("Merge train set all") > max(made)
    assert said.index("Train tiny") > max(made)
    assert fresh.would_run(targets=targets) == set()


def take_time(workplace, datasets, until, seconds):
    """Let the index of some datasets last until a file is there, so many seconds at most."""
    script = workplace.project / "scripts/index.py"
    wait = f"""
    import sys, time
    for _ in range({seconds}):
        time.sleep(any(name in sys.argv for name in {datasets!r}) and not Path({until!r}).exists())
"""
    head, main, rest = script.read_text().partition("def main() -> None:\n")
    script.write_text(head + main + wait + rest)


def change_the_reader(workplace):
    """A statement that changes no film, in the module behind every index."""
    reader = workplace.project / "scripts/mammo/dicom/read.py"
    first = "from __future__ import annotations"
    reader.write_text(reader.read_text().replace(first, f"{first}\n\nX = 1", 1))
