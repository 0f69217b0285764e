"""A file name that is no UTF-8 costs its film and nothing else."""

from __future__ import annotations

import os
import shutil

import pytest

KOREAN = "환자".encode("cp949")


@pytest.fixture
def renamed(copy, tmp_path):
    """NCC with one normal film whose name a disk kept in CP949; gives the data folder."""
    data = copy("NCC")
    folder = data / "NCC/dicom/normal"
    film = max(folder.rglob("*.dcm"), key=lambda path: path.stat().st_size)
    target = os.fsencode(film.parent) + b"/" + KOREAN + b".dcm"
    try:
        shutil.copy(os.fsencode(film), target)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    return data


def test_the_film_has_a_row_with_its_bytes_spelled_out_and_the_others_come_out(renamed, pipeline):
    tables = pipeline.run(renamed, "NCC")
    rows = [row for row in tables.rejects if "not UTF-8" in row.reason]
    assert len(rows) == 1 and rows[0].source.endswith("\\xc0\\xda.dcm")
    assert tables.images
