"""CBIS-DDSM: every row of the tables is used, merged or rejected, and no lesion becomes background."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pytest

from mammo.datasets.cbis_account import RowFate, account, kind_of, summary
from mammo.datasets.cbis_masks import mask_box
from mammo.datasets.cbis_rows import read_rows
from mammo.dicom.unusable import Unusable
from mammo.errors import UserError
from mammo.phantom.cbis import csv_job, csv_name, invented_rows, real_rows
from mammo.phantom.cbis_rows import FAULTS, LAYOUTS, deliver_rows
from mammo.phantom.dicomfile import SECONDARY_CAPTURE, elements, encode, set_pixels
from mammo.tables.csvio import read_table, write_table
from mammo.tables.records import Image, Lesion, Reject

NAME = "CBIS-DDSM"
SETS = ("calc_test", "calc_train", "mass_test", "mass_train")


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """The four tables of invented patients; P_00003 LEFT CC is listed as Mass and as Calc."""
    folder = tmp_path_factory.mktemp("tables")
    rows = invented_rows(7, 42)
    for name in SETS:
        ((_, data),) = csv_job(name, tuple(row for row in rows if row.set_name == name)).files
        (folder / csv_name(name)).write_bytes(data)
    return folder


@pytest.fixture(scope="module")
def whole(tables, tmp_path_factory):
    """A data folder as published, and its truth."""
    data = tmp_path_factory.mktemp("whole")
    return data, deliver_rows(tables, data)


@pytest.fixture
def copy(whole, tmp_path):
    shutil.copytree(whole[0], tmp_path / "data", ignore=shutil.ignore_patterns("work", "img"))
    return tmp_path / "data"


@pytest.fixture
def fates(pipeline):
    """The fates of all rows by (table, line) once the workflow has been through a data folder, and its tables."""

    def found(data):
        tables = pipeline.run(data, NAME, most=1.0)
        rows = account(data / NAME, tables.images, tables.lesions, tables.rejects)
        return {(row.table, row.line): row for row in rows}, tables

    return found


def check(truth, found, tables):
    boxes = {(row.image_id, row.lesion_id): (row.x1, row.y1, row.x2, row.y2) for row in tables.lesions}
    assert len(found) == len(truth)
    for row in truth:
        fate = found[row.table, row.line]
        assert (fate.fate, row.reason in fate.reason) == (row.fate, True), (row, fate)
        if row.fate != "rejected":
            assert np.abs(np.subtract(boxes[fate.image_id, fate.lesion_id], row.box)).max() <= row.close
    used = {(fate.image_id, fate.lesion_id) for fate in found.values() if fate.fate != "rejected"}
    assert used == set(boxes), "no lesion comes from nowhere"


def edit(data, table, change):
    path = data / NAME / "csv" / csv_name(table)
    path.write_bytes(change(path.read_bytes().decode()).encode())


def files_of(data, patient, bits):
    """The files whose header has this PatientID and BitsAllocated, whatever their layout."""
    found = []
    for path in sorted((data / NAME / "dicom").rglob("*")):
        if path.is_file():
            header = pydicom.dcmread(path, stop_before_pixels=True)
            found += [path] if (header.PatientID, header.BitsAllocated) == (patient, bits) else []
    return found


def of_view(found, patient, side, view):
    return [fate for fate in found.values() if (fate.patient, fate.side, fate.view) == (patient, side, view)]


# --- all rows ---------------------------------------------------------------------------------------------------------


def test_every_row_of_a_whole_download_is_used_or_merged_whatever_its_layout(whole, fates):
    found, tables = fates(whole[0])
    check(whole[1], found, tables)
    assert Counter(fate.fate for fate in found.values())["merged"] == 1


def test_every_row_of_a_damaged_download_has_the_fate_and_reason_planned_for_it(tables, tmp_path, fates):
    truth = deliver_rows(tables, tmp_path, damaged=0.8)
    check(truth, *fates(tmp_path))
    assert {row.fault for row in truth} >= set(FAULTS)


def test_a_slice_of_the_real_rows_with_all_films_that_are_listed_twice(shared_data, tmp_path, fates):
    real = shared_data / "cbis-ddsm/csv"
    kinds: dict[str, set[str]] = {}
    rows = real_rows(real, 10_000)
    for row in rows:
        kinds.setdefault(row.film, set()).add(row["abnormality type"])
    twice = {film for film, both in kinds.items() if len(both) == 2}
    assert len(twice) == 71
    (tmp_path / "tables").mkdir()
    for name in SETS:
        ((_, data),) = csv_job(
            name, tuple(row for row in rows if row.set_name == name and row.film in twice)
        ).files
        (tmp_path / "tables" / csv_name(name)).write_bytes(data)
    truth = deliver_rows(tmp_path / "tables", tmp_path / "data", damaged=0.1)
    assert len(truth) > 180
    check(truth, *fates(tmp_path / "data"))
    assert {row.fate for row in truth} == {"used", "merged", "rejected"}


def test_the_layouts_in_circulation_are_all_there(whole):
    paths = [path.relative_to(whole[0]).as_posix() for path in whole[0].rglob("*") if path.is_file()]
    ends = ("/000000.dcm", "/1-1.dcm", "/00000001.dcm", "/1-1.DCM")
    assert all(any(path.endswith(end) for path in paths) for end in ends)
    assert any("/dicom/all/" in path for path in paths) and any(
        "1.000000-ROI mask images" in path for path in paths
    )
    assert len(LAYOUTS) == 6


def test_a_table_that_is_there_twice_doubles_no_lesion(copy, whole, fates):
    table = copy / NAME / "csv" / csv_name("mass_train")
    shutil.copy(table, table.with_name("mass_case_description_train_set (1).csv"))
    found, tables = fates(copy)
    assert len(found) == len(whole[1]) + sum(" (1)" in fate.table for fate in found.values())
    assert sum(fate.fate == "used" for fate in found.values()) == len(whole[1]) - 1
    assert len(tables.lesions) == len(whole[1])


def test_the_account_of_tables_older_than_the_raw_files_says_so(copy, pipeline):
    tables = pipeline.run(copy, NAME)
    with pytest.raises(UserError, match=r"nothing about 1 row\(s\).*csv, line \d+; they are older"):
        account(copy / NAME, tables.images, tables.lesions[1:], tables.rejects)


def test_the_summary_adds_up_to_all_rows(whole, fates):
    text = summary(list(fates(whole[0])[0].values()))
    assert f"| **all** | **{len(whole[1])}** |" in text


def test_reasons_of_one_kind_are_counted_together():
    first = kind_of("annotate: mass-01: no mask: a/1-1.dcm: the mask is empty")
    assert first == kind_of("annotate: calcification-03: no mask: b/000001.dcm: the mask is empty")
    assert first == "annotate: a mask is empty"


def test_windows_line_ends_and_na_for_what_is_not_applicable_change_nothing(copy, whole, fates):
    for name in SETS:
        edit(copy, name, lambda text: text.replace("\n", "\r\n").replace("N/A", "NA"))
    check(whole[1], *fates(copy))


def test_the_script_writes_a_row_for_every_row(copy, whole, pipeline):
    tables, root = pipeline.run(copy, NAME), copy / NAME
    for name, model in (("images", Image), ("lesions", Lesion), ("rejects", Reject)):
        write_table(root / f"{name}.csv", model, getattr(tables, name))
    script = Path(__file__).parents[2] / "scripts/cbis_account.py"
    command = [sys.executable, script, "--root", root, "--out", copy / "account.csv"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"| **all** | **{len(whole[1])}** |" in done.stdout
    assert len(read_table(copy / "account.csv", RowFate)) == len(whole[1])


# --- rows -------------------------------------------------------------------------------------------------------------


def test_a_bad_row_turns_down_the_other_listing_of_its_film_too(copy, fates):
    def spoil(text):
        head, rest = text.split("\n", 1)
        return head + "\n" + rest.replace(",P_00003", "").replace("BENIGN", "?").replace("MALIGNANT", "?")

    edit(copy, "calc_train", spoil)
    found, tables = fates(copy)
    mass = of_view(found, "P_00003", "L", "CC")
    assert {fate.fate for fate in mass} == {"rejected"}
    assert all("calc_case_description_train_set.csv, line " in fate.reason for fate in mass)
    assert not any("P_00003_LEFT_CC" in image.source for image in tables.images)


def test_a_film_is_not_used_while_its_other_listing_is_missing_on_disk(copy, fates):
    for path in files_of(copy, "Calc-Training_P_00003_LEFT_CC", 16):
        path.unlink()
    found, _ = fates(copy)
    mine = of_view(found, "P_00003", "L", "CC")
    assert len(mine) > 1 and {fate.fate for fate in mine} == {"rejected"}
    assert any("the same view is listed as Calc-Training_P_00003_LEFT_CC" in fate.reason for fate in mine)


def test_a_row_that_says_neither_film_nor_patient_stops(copy):
    edit(copy, "mass_train", lambda text: text + "," * 13 + "x\n")
    with pytest.raises(UserError, match=r"line \d+: .*names neither its film nor its patient"):
        read_rows(copy / NAME / "csv")


def test_rows_of_one_film_that_differ_in_their_side_turn_it_down(copy, fates):
    rows = read_rows(copy / NAME / "csv")
    counts = Counter(row.film_series for row in rows)
    row = next(row for row in rows if counts[row.film_series] > 1)
    name = "LEFT" if row.laterality == "L" else "RIGHT"

    def change(text):
        lines = text.split("\n")
        assert f",{name}," in lines[row.line - 1]
        other = "RIGHT" if name == "LEFT" else "LEFT"
        lines[row.line - 1] = lines[row.line - 1].replace(f",{name},", f",{other},")
        return "\n".join(lines)

    edit(copy, row.delivery, change)
    found, _ = fates(copy)
    fate = found[row.table, row.line]
    assert fate.fate == "rejected" and "different patients, sides or views" in fate.reason


def test_two_lesions_that_name_one_series_of_masks_are_told_apart_by_nobody(copy, fates):
    rows = read_rows(copy / NAME / "csv")
    first, second = (
        row for row in rows if row.delivery == "mass_train" and row.view == "MLO" and row.patient == "P_00003"
    )

    def change(text):
        for uid, other in zip(first.lesion_series, second.lesion_series, strict=False):
            text = text.replace(uid, other)
        return text

    edit(copy, "mass_train", change)
    found, _ = fates(copy)
    assert {found[row.table, row.line].fate for row in (first, second)} == {"rejected"}
    assert "two lesions, one series of masks" in found[first.table, first.line].reason


# --- files ------------------------------------------------------------------------------------------------------------


def test_copies_of_a_film_are_duplicates_and_the_whole_one_is_taken(copy, fates, whole):
    film, *_ = files_of(copy, "Mass-Training_P_00003_LEFT_MLO", 16)
    data = film.read_bytes()
    (film.parent / "again.dcm").write_bytes(data)
    film.write_bytes(data[: len(data) // 2])
    (copy / NAME / "dicom" / "0.dcm").write_bytes(data[: len(data) // 3])
    found, tables = fates(copy)
    check(whole[1], found, tables)
    mine = [row for row in tables.rejects if "again.dcm" in row.reason]
    assert len(mine) >= 2 and all(row.reason.startswith("duplicate of ") for row in mine)


def test_a_missing_film_in_whose_place_another_one_lies_takes_nothing_from_it(copy, fates):
    rows = {row.subject: row for row in read_rows(copy / NAME / "csv") if row.patient == "P_00003"}
    (film,) = files_of(copy, "Mass-Training_P_00003_LEFT_MLO", 16)[:1]
    for path in files_of(copy, "Calc-Test_P_00003_RIGHT_CC", 16):
        path.unlink()
    place = copy / NAME / "dicom" / rows["Calc-Test_P_00003_RIGHT_CC"].film_path
    place.parent.mkdir(parents=True, exist_ok=True)
    for other in files_of(copy, "Mass-Training_P_00003_LEFT_MLO", 16)[1:]:
        other.unlink()
    film.rename(place)
    found, _ = fates(copy)
    assert {fate.fate for fate in of_view(found, "P_00003", "L", "MLO")} == {"used"}
    (missing,) = of_view(found, "P_00003", "R", "CC")
    assert "no file has its SeriesInstanceUID" in missing.reason


def test_two_different_images_of_one_size_in_a_film_s_series_turn_it_down(copy, fates):
    film, *_ = files_of(copy, "Mass-Training_P_00003_LEFT_MLO", 16)
    data = film.read_bytes()
    (film.parent / "other.dcm").write_bytes(data[:-200] + bytes(200))
    found, _ = fates(copy)
    mine = of_view(found, "P_00003", "L", "MLO")
    assert mine and all("two different images" in fate.reason for fate in mine)


def test_a_series_with_two_different_masks_turns_its_film_down(copy, fates):
    mask, *_ = files_of(copy, "Mass-Training_P_00003_LEFT_MLO_2", 8)
    dataset = pydicom.dcmread(mask)
    dataset.PixelData = dataset.pixel_array[:, ::-1].tobytes()
    dataset.save_as(mask.with_name("second.dcm"))
    found, _ = fates(copy)
    mine = of_view(found, "P_00003", "L", "MLO")
    assert mine and all("different masks" in fate.reason for fate in mine)


@pytest.fixture
def write(tmp_path):
    def written(pixels, bits=8):
        dataset = elements(Modality="MG")
        set_pixels(dataset, pixels, bits, "MONOCHROME2")
        path = tmp_path / "mask.dcm"
        path.write_bytes(encode(dataset, SECONDARY_CAPTURE, "mask"))
        return path

    return written


def test_a_mask_of_another_size_gives_a_box_in_the_film_s_pixels(write):
    mask = np.zeros((100, 80), np.uint8)
    mask[30:50, 20:40] = 255
    assert mask_box(write(mask), (120, 165)) == pytest.approx((30, 49.5, 60, 82.5))


def test_the_largest_part_is_the_lesion(write):
    mask = np.zeros((100, 80), np.uint8)
    mask[30:50, 20:40] = mask[2:98, 70] = 1
    assert mask_box(write(mask), (80, 100)) == (20, 30, 40, 50)


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((100, 80), np.uint16), np.zeros((20, 16), np.uint8), np.arange(8000).reshape(100, 80) % 251],
)
def test_what_is_no_mask_of_the_film_is_none(write, pixels):
    kind = np.uint8 if pixels.dtype != np.uint16 else np.uint16
    assert mask_box(write(pixels.astype(kind), 8 if kind is np.uint8 else 16), (80, 100)) is None


def test_pixels_are_decoded_once_and_those_of_a_crop_not_at_all(write, monkeypatch):
    from mammo.datasets import cbis_masks

    decoded = []
    monkeypatch.setattr(
        cbis_masks,
        "stored_pixels",
        lambda film, real=cbis_masks.stored_pixels: decoded.append(1) or real(film),
    )
    mask = np.zeros((100, 80), np.uint8)
    mask[30:50, 20:40] = 255
    mask_box(write(mask), (80, 100))
    assert len(decoded) == 1
    mask_box(write(mask.astype(np.uint16), 16), (80, 100))
    assert len(decoded) == 1


def test_an_empty_mask_is_unusable(write):
    with pytest.raises(Unusable, match="empty"):
        mask_box(write(np.zeros((100, 80), np.uint8)), (80, 100))
