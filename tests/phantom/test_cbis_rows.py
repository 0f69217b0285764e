"""Downloads for all rows of the description tables: the tables are the given ones, the plan is what lies on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from scipy import ndimage

from mammo.errors import UserError
from mammo.phantom.cbis import SETS, csv_job, csv_name, invented_rows
from mammo.phantom.cbis_rows import FAULTS, deliver_rows


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    rows = invented_rows(3, 40)
    for name in SETS:
        ((_, data),) = csv_job(name, tuple(row for row in rows if row.set_name == name)).files
        (folder / csv_name(name)).write_bytes(data)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_the_same_seed_gives_the_same_bytes_with_any_number_of_processes(
    tables: Path, tmp_path: Path
) -> None:
    truths = [deliver_rows(tables, tmp_path / str(n), 1, 0.5, workers=n) for n in (1, 2)]
    assert truths[0] == truths[1]
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_undamaged_tables_are_the_given_ones_byte_for_byte(shared_data: Path, tmp_path: Path) -> None:
    real = shared_data / "cbis-ddsm/csv"
    deliver_rows(real, tmp_path, most=3)
    for name in SETS:
        ours = (tmp_path / "CBIS-DDSM/csv" / csv_name(name)).read_bytes()
        assert (real / csv_name(name)).read_bytes().startswith(ours) and ours.count(b"\n") == 7


def test_the_line_of_a_row_is_where_it_begins_in_the_table(tables: Path, tmp_path: Path) -> None:
    for truth in deliver_rows(tables, tmp_path, damaged=0.5):
        text = (tmp_path / "CBIS-DDSM/csv" / truth.table).read_text()
        assert text.split("\n")[truth.line - 1].startswith("P_")


def test_masks_show_the_box_that_the_truth_has(tables: Path, tmp_path: Path) -> None:
    boxes = {truth.box for truth in deliver_rows(tables, tmp_path)}
    checked = 0
    for path in (tmp_path / "CBIS-DDSM/dicom").rglob("*"):
        if path.is_file() and path.suffix.lower() == ".dcm" and "again" not in path.parts:
            mask = pydicom.dcmread(path)
            if (mask.BitsAllocated, mask.Rows) == (8, 96):
                labels, count = ndimage.label(mask.pixel_array, np.ones((3, 3)))
                areas = ndimage.sum(labels > 0, labels, range(1, count + 1))
                y, x = ndimage.find_objects(labels)[int(np.argmax(areas))]
                assert (x.start, y.start, x.stop, y.stop) in boxes
                checked += 1
    assert checked > 10


def test_every_fault_is_there_and_strikes_all_rows_of_its_film(tables: Path, tmp_path: Path) -> None:
    truths = deliver_rows(tables, tmp_path, damaged=1.0)
    assert {truth.fault.removeprefix("twin: ") for truth in truths} == set(FAULTS)
    assert {truth.fate for truth in truths} == {"rejected"}


def test_missing_tables_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"calc_case_description_test_set\.csv"):
        deliver_rows(tmp_path, tmp_path / "out")
