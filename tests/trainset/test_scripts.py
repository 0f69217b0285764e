"""part.py, classes.py and merge.py as the rules run them: from a dataset's tables to merged sets."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from mammo.settings import LabelSettings, PartSettings, ValidationSettings, section_json
from mammo.tables.csvio import read_table, write_table
from mammo.tables.records import Image, Lesion
from mammo.tables.retinanet_csv import read_annotations, read_classes
from mammo.trainset.tables import read_set

LABELS = section_json(LabelSettings())


class Done(NamedTuple):
    returncode: int
    stderr: str


@pytest.fixture
def run(root, monkeypatch, capsys):
    """Run a script as its own program, in this process: starting Python twenty times takes longer than all else."""

    def command(script: str, *arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", [script, *map(str, arguments)])
        capsys.readouterr()
        try:
            runpy.run_path(str(root / "scripts" / script), run_name="__main__")
        except SystemExit as end:
            return Done(int(end.code or 0), capsys.readouterr().err)
        return Done(0, capsys.readouterr().err)

    return command


def deliver(folder: Path, names: str, *, patients: str = "", pixels: str = "", group: str = "abn") -> Path:
    """A dataset's images.csv and lesions.csv: a film for each letter, its patient and its pixels by letter too."""
    images = [
        Image(
            image_id=f"{folder.name}.{name}", path=f"img/{name}.jpg", dataset=folder.name, delivery="one",
            patient=f"P.{patient}", study="", laterality="L", view="CC", width=100, height=100, pixel_mm=0.1,
            group=group, lesion_types="mass", source=f"{folder.name}/{name}.dcm", source_sha256="0" * 64,
            sha256=pixel.encode().hex().rjust(64, "0"),
        )
        for name, patient, pixel in zip(names, patients or names, pixels or names, strict=True)
    ]  # fmt: skip
    lesions = [
        Lesion(
            image_id=image.image_id, lesion_id="1", x1=1, y1=2, x2=30, y2=40, lesion_type="mass", pathology="",
            annotation_form="mask",
        )
        for image in images
        if group == "abn"
    ]  # fmt: skip
    write_table(folder / "images.csv", Image, images)
    write_table(folder / "lesions.csv", Lesion, lesions)
    return folder


@pytest.fixture
def part(run):
    def command(folder: Path) -> Path:
        done = run(
            "part.py", "--images", folder / "images.csv", "--lesions", folder / "lesions.csv",
            "--part", section_json(PartSettings()), "--labels", LABELS, "--out", folder / "data.csv",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return folder / "data.csv"

    return command


def merged(run, data: Path, tables: list[Path], tests: list[Path], fraction: float = 0.3):
    return run(
        "merge.py", *tables, "--labels", LABELS, "--out", data / "retinanet_train_x.csv",
        "--validation", section_json(ValidationSettings(fraction=fraction)),
        "--out-validation", data / "retinanet_val_x.csv", "--tests", *tests,
    )  # fmt: skip


def test_from_tables_of_datasets_to_merged_sets(tmp_path, run, part):
    tables = [part(deliver(tmp_path / "A", "abcdef")), part(deliver(tmp_path / "B", "nopq", group="normal"))]
    test = part(deliver(tmp_path / "T", "xyz"))
    done = merged(run, tmp_path, tables, [test])
    assert done.returncode == 0, done.stderr
    training, validation = (read_set(tmp_path / f"retinanet_{side}_x.csv") for side in ("train", "val"))
    assert len(training.images) + len(validation.images) == 10 and len(validation.images) == 3
    assert not training.patients & validation.patients
    boxes = read_annotations(tmp_path / "retinanet_train_x.csv")
    assert all(path.startswith(("A/img/", "B/img/")) for path in boxes)
    assert {bool(found) for path, found in boxes.items() if path.startswith("A/")} == {True}
    assert {bool(found) for path, found in boxes.items() if path.startswith("B/")} == {False}


def test_two_runs_write_the_same_bytes(tmp_path, run, part):
    tables = [part(deliver(tmp_path / "A", "abcdef"))]
    seen = []
    for _ in range(2):
        merged(run, tmp_path, tables, [])
        seen.append({path.name: path.read_bytes() for path in tmp_path.glob("retinanet_*")})
    assert seen[0] == seen[1] and len(seen[0]) == 6


def test_a_test_set_is_merged_whole(tmp_path, run, part):
    tables = [part(deliver(tmp_path / "A", "ab")), part(deliver(tmp_path / "B", "n", group="normal"))]
    done = run("merge.py", *tables, "--labels", LABELS, "--out", tmp_path / "retinanet_test_t.csv")
    assert done.returncode == 0, done.stderr
    assert len(read_set(tmp_path / "retinanet_test_t.csv").images) == 3


@pytest.mark.parametrize("fraction", [0.0, 0.3])
def test_a_patient_of_a_test_set_stops_the_merge_and_writes_nothing(tmp_path, run, part, fraction):
    table, test = part(deliver(tmp_path / "A", "abcdef")), part(deliver(tmp_path / "T", "xy", patients="xd"))
    done = merged(run, tmp_path, [table], [test], fraction)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "P.d" in done.stderr and "retinanet_train_x" in done.stderr and len(done.stderr.splitlines()) == 1
    assert list(tmp_path.glob("retinanet_*")) == []


def test_a_film_with_the_pixels_of_a_test_film_stops_the_merge(tmp_path, run, part):
    table, test = part(deliver(tmp_path / "A", "abcdef")), part(deliver(tmp_path / "T", "xy", pixels="xd"))
    done = merged(run, tmp_path, [table], [test])
    assert done.returncode == 1 and "A.d = T.y" in done.stderr
    assert list(tmp_path.glob("retinanet_*")) == []


@pytest.mark.parametrize(
    ("names", "group", "says"),
    [("", "abn", "has no image"), ("ab", "normal", "has no lesion"), ("a", "abn", "too few patients")],
)
def test_a_set_that_cannot_be_trained_on_stops_the_merge(tmp_path, run, part, names, group, says):
    done = merged(run, tmp_path, [part(deliver(tmp_path / "A", names, group=group))], [])
    assert done.returncode == 1 and says in done.stderr


def test_an_empty_test_set_stops_the_merge(tmp_path, run, part):
    done = run("merge.py", part(deliver(tmp_path / "A", "")), "--labels", LABELS, "--out", tmp_path / "t.csv")
    assert done.returncode == 1 and "test set t has no image" in done.stderr


def test_a_missing_column_is_one_line(tmp_path, run, part):
    table = part(deliver(tmp_path / "A", "ab"))
    (tmp_path / "A" / "data.lesions.csv").write_text("image_id,x1\n")
    done = merged(run, tmp_path, [table], [])
    assert done.returncode == 1 and "data.lesions.csv" in done.stderr and "missing: lesion_id" in done.stderr


def test_a_split_needs_a_place_to_go(tmp_path, run):
    done = run("merge.py", "x.csv", "--labels", LABELS, "--out", tmp_path / "a.csv", "--validation", "{}")
    assert done.returncode == 2 and "go together" in done.stderr


def test_a_part_without_its_left_out_lesions(tmp_path, run):
    folder = deliver(tmp_path / "A", "ab")
    labels = json.dumps({"policy": "by_pathology", "unknown_pathology": "leave_out"})
    run(
        "part.py", "--images", folder / "images.csv", "--lesions", folder / "lesions.csv", "--part", "{}",
        "--labels", labels, "--out", folder / "data.csv",
    )  # fmt: skip
    assert read_table(folder / "data.lesions.csv", Lesion) == []
    assert len(read_table(folder / "data.images.csv", Image)) == 2


def test_the_class_table_is_that_of_the_policy(tmp_path, run):
    run("classes.py", "--labels", json.dumps({"policy": "by_pathology"}), "--out", tmp_path / "c.csv")
    assert read_classes(tmp_path / "c.csv") == ["benign", "malignant"]
