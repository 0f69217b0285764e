"""The CBIS-DDSM delivery: the real CSVs' form, the layouts in circulation, and each of its traps."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import numpy as np
import pydicom
import pytest
from scipy import ndimage

from mammo.errors import UserError
from mammo.phantom import PhantomSettings, deliver

from .conftest import Delivered

SETS = ("calc_case_description_test_set", "calc_case_description_train_set")
SETS += ("mass_case_description_test_set", "mass_case_description_train_set")
NOTHING_ELSE = {
    "inbreast": {"films": 0},
    "ncc": {"abn_1": 0, "abn_2": 0, "normal": 0},
    "ncc_trainset": dict.fromkeys(
        ["abn_180116_1", "abn_180116_2", "abn_180517_1", "abn_180517_2", "normal_180130"], 0
    ),
}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Delivered:
    """Enough films for every rare quirk."""
    folder = tmp_path_factory.mktemp("cbis")
    deliver(PhantomSettings.tiny(1, cbis={"films": 30}, **NOTHING_ELSE), folder / "data", folder / "truth")
    return Delivered(folder / "data", folder / "truth")


def rows(folder: Path) -> list[dict[str, str]]:
    found = []
    for name in SETS:
        with open(folder / f"{name}.csv", newline="", encoding="utf-8") as file:
            found += [{**row, "set": name} for row in csv.DictReader(file)]
    return found


def read(path: Path) -> pydicom.Dataset | None:
    dataset = pydicom.dcmread(path)
    try:
        dataset.pixel_array  # noqa: B018
    except ValueError:
        return None
    return dataset


def by_series(data: Path) -> dict[str, list[pydicom.Dataset]]:
    found: dict[str, list[pydicom.Dataset]] = {}
    for path in sorted((data / "CBIS-DDSM/dicom").rglob("*.dcm")):
        dataset = read(path)
        if dataset is not None:
            found.setdefault(dataset.SeriesInstanceUID, []).append(dataset)
    return found


def largest_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    areas = ndimage.sum(mask > 0, labels, range(1, count + 1))
    y, x = ndimage.find_objects(labels)[int(np.argmax(areas))]
    return x.start, y.start, x.stop, y.stop


@pytest.mark.parametrize("name", SETS)
def test_the_csvs_have_the_real_ones_columns_and_line_ends(
    many: Delivered, shared_data: Path, name: str
) -> None:
    ours = (many.data / f"CBIS-DDSM/csv/{name}.csv").read_bytes()
    real = (shared_data / f"cbis-ddsm/csv/{name}.csv").read_bytes()
    assert ours.split(b"\n")[0] == real.split(b"\n")[0]
    assert b"\r" not in ours
    field = "ROI mask file path" if name.startswith("mass") else "cropped image file path"
    for text in (ours, real):
        parsed = list(csv.DictReader(io.StringIO(text.decode(), newline="")))
        assert all(row[field].endswith("\n") for row in parsed)
        assert len(text.splitlines()) == 1 + 2 * len(parsed)


def test_values_are_those_of_the_real_csvs(many: Delivered, shared_data: Path) -> None:
    real = rows(shared_data / "cbis-ddsm/csv")
    ours = rows(many.data / "CBIS-DDSM/csv")
    for column in (
        "left or right breast",
        "image view",
        "abnormality type",
        "pathology",
        "assessment",
        "subtlety",
    ):
        assert {row[column] for row in ours} <= {row[column] for row in real}, column
    assert {"MALIGNANT", "BENIGN", "BENIGN_WITHOUT_CALLBACK"} == {row["pathology"] for row in ours}
    details = ("mass shape", "mass margins", "calc type", "calc distribution")
    for column in details:
        assert {row[column] for row in ours if column in row} <= {row.get(column) for row in real}, column
    assert "N/A" in {row.get(column) for row in ours for column in details}


def test_film_and_lesion_files_are_found_by_the_series_uid_the_csv_names(many: Delivered) -> None:
    series = by_series(many.data)
    # The folder's name is the film's PatientID; other UIDs in the paths are the studies'.
    lost = 0
    for row in rows(many.data / "CBIS-DDSM/csv"):
        subject, study, film = row["image file path"].split("/")[:3]
        found = series.get(film, [])
        lost += not found
        for dataset in found:
            assert (dataset.PatientID, dataset.StudyInstanceUID) == (subject, study)
            assert dataset.SOPClassUID == "1.2.840.10008.5.1.4.1.1.7"
            assert (dataset.BitsAllocated, dataset.PhotometricInterpretation) == (16, "MONOCHROME2")
            assert "WindowCenter" not in dataset
    assert lost == 1, "one film is broken"


def test_the_layouts_in_circulation_are_all_there(many: Delivered) -> None:
    paths = [path.relative_to(many.data / "CBIS-DDSM/dicom").as_posix() for path in many.data.rglob("*.dcm")]
    uid = r"2\.25\.\d+"
    for pattern in (
        rf"^[^/]+/{uid}/{uid}/00000[01]\.dcm$",
        rf"^[^/]+/{uid}/{uid}/1-[12]\.dcm$",
        rf"^[^/]+/{uid}/{uid}/0000000[12]\.dcm$",
        r"^[^/]+/\d\d-\d\d-201[67]-DDSM-\d{5}/1\.000000-(full mammogram|ROI mask) images-\d{5}/1-[12]\.dcm$",
    ):
        assert any(re.match(pattern, path) for path in paths), pattern
    named = {
        row[c].strip().split("/")[-1]
        for row in rows(many.data / "CBIS-DDSM/csv")
        for c in row
        if c.endswith("file path")
    }
    assert named == {"000000.dcm", "000001.dcm"}, "whatever lies on disk, the CSVs name these"


def test_masks_are_two_valued_bytes_of_about_the_films_size_and_crops_are_small_words(
    many: Delivered,
) -> None:
    truth = {row["annotation"]: row for row in many.table("CBIS-DDSM", "lesions")}
    images = {row["source"]: row for row in many.table("CBIS-DDSM", "images")}
    other_size = 0
    for path, row in truth.items():
        if row["recoverable"] == "0":
            continue
        mask, film = pydicom.dcmread(many.data / path), images[row["source"]]
        assert mask.BitsAllocated == 8
        assert set(np.unique(mask.pixel_array)) == {0, 255}
        ratio = (mask.Columns / int(film["width"]), mask.Rows / int(film["height"]))
        assert 0.75 < min(ratio) <= max(ratio) <= 1
        other_size += ratio != (1, 1)
        box = np.array(largest_box(mask.pixel_array)) / np.tile(ratio, 2)
        expected = np.array([int(row[key]) for key in ("x1", "y1", "x2", "y2")])
        # Exact on masks of the film's size, within the coarser pixels of the others.
        assert np.abs(box - expected).max() <= (1e-9 if ratio == (1, 1) else 1.5)
    assert other_size >= 3


def test_mask_and_crop_are_swapped_half_of_the_time_for_masses_and_nearly_always_for_calcifications(
    tmp_path: Path,
) -> None:
    settings = PhantomSettings.tiny(5, cbis={"films": 90}, broken_files=False, **NOTHING_ELSE)
    deliver(settings, tmp_path / "data", tmp_path / "truth")
    series = by_series(tmp_path / "data")
    swapped: dict[str, list[bool]] = {"mass": [], "calcification": []}
    kinds = set()
    for row in rows(tmp_path / "data/CBIS-DDSM/csv"):
        crop, mask = (
            row[column].split("/")[2] for column in ("cropped image file path", "ROI mask file path")
        )
        kinds.add(crop == mask)
        if crop == mask:
            first = min(series[mask], key=lambda dataset: dataset.InstanceNumber)
            # By its own numbering the mass CSV puts the crop first, the calc CSV the mask.
            expected_first = 16 if row["abnormality type"] == "mass" else 8
            swapped[row["abnormality type"]].append(first.BitsAllocated != expected_first)
        else:
            swapped[row["abnormality type"]].append(series[mask][0].BitsAllocated == 16)
    assert kinds == {True, False}, "in one series and in two"
    assert 0.3 < np.mean(swapped["mass"]) < 0.7
    assert np.mean(swapped["calcification"]) > 0.8


def test_some_masks_have_specks_and_a_scratch_that_is_larger_by_box_but_not_by_area(many: Delivered) -> None:
    decoys = 0
    for row in many.table("CBIS-DDSM", "lesions"):
        if row["recoverable"] == "1":
            labels, count = ndimage.label(
                pydicom.dcmread(many.data / row["annotation"]).pixel_array, np.ones((3, 3))
            )
            heights = [y.stop - y.start for y, _ in ndimage.find_objects(labels)]
            areas = ndimage.sum(labels > 0, labels, range(1, count + 1))
            decoys += count > 1 and np.argmax(heights) != np.argmax(areas)
    assert decoys >= 2


def test_one_mask_is_empty_one_broken_and_one_film_broken(many: Delivered) -> None:
    rejects = {row["reason"]: row for row in many.table("CBIS-DDSM", "rejects")}
    assert {(reason, row["stage"]) for reason, row in rejects.items()} == {
        ("empty mask", "annotate"), ("broken mask", "annotate"), ("truncated", "decode"),
    }  # fmt: skip
    assert not pydicom.dcmread(many.data / rejects["empty mask"]["cause"]).pixel_array.any()
    assert read(many.data / rejects["broken mask"]["cause"]) is None
    assert read(many.data / rejects["truncated"]["source"]) is None


def test_one_film_is_listed_as_mass_and_as_calc_under_different_uids(many: Delivered) -> None:
    films: dict[str, list[str]] = {}
    for row in many.table("CBIS-DDSM", "images"):
        films.setdefault(row["film"], []).append(row["source"])
    (twins,) = [sources for sources in films.values() if len(sources) > 1]
    first, second = (pydicom.dcmread(many.data / source) for source in twins)
    assert {first.PatientID, second.PatientID} == {
        "Calc-Training_P_00003_LEFT_CC",
        "Mass-Training_P_00003_LEFT_CC",
    }
    assert np.array_equal(first.pixel_array, second.pixel_array)
    assert first.SeriesInstanceUID != second.SeriesInstanceUID


def test_one_patient_is_in_training_and_test_when_the_types_are_merged(many: Delivered) -> None:
    patients = {(row["patient_id"], "train" in row["set"]) for row in rows(many.data / "CBIS-DDSM/csv")}
    assert {("P_00003", True), ("P_00003", False)} <= patients


def test_abnormalities_are_not_counted_from_one_and_several_share_a_film(many: Delivered) -> None:
    numbers: dict[str, list[int]] = {}
    for row in rows(many.data / "CBIS-DDSM/csv"):
        numbers.setdefault(row["image file path"], []).append(int(row["abnormality id"]))
    assert any(min(found) > 1 for found in numbers.values())
    assert any(len(found) > 1 for found in numbers.values())


def test_films_differ_in_size(many: Delivered) -> None:
    assert len({(row["width"], row["height"]) for row in many.table("CBIS-DDSM", "images")}) > 10


def test_real_csvs_give_films_for_their_first_rows_under_their_uids(
    tmp_path: Path, shared_data: Path
) -> None:
    folder = shared_data / "cbis-ddsm/csv"
    settings = PhantomSettings.tiny(
        1, cbis={"csv": str(folder), "rows": 6}, broken_files=False, **NOTHING_ELSE
    )
    deliver(settings, tmp_path / "data", tmp_path / "truth")
    series = by_series(tmp_path / "data")
    for name in SETS:
        ours = (tmp_path / f"data/CBIS-DDSM/csv/{name}.csv").read_bytes()
        assert (folder / f"{name}.csv").read_bytes().startswith(ours)
    taken = rows(tmp_path / "data/CBIS-DDSM/csv")
    assert len(taken) == 24
    for row in taken:
        film, mask = row["image file path"].split("/")[2], row["ROI mask file path"].split("/")[2]
        assert [dataset.PatientID for dataset in series[film]] == [row["image file path"].split("/")[0]]
        assert any(dataset.BitsAllocated == 8 for dataset in series[mask])
    assert len(Delivered(tmp_path / "data", tmp_path / "truth").table("CBIS-DDSM", "lesions")) == 24


def test_real_csvs_that_are_missing_or_lack_a_column_are_named_before_anything_is_written(
    tmp_path: Path,
) -> None:
    settings = PhantomSettings.tiny(1, cbis={"csv": str(tmp_path), "rows": 6}, **NOTHING_ELSE)
    with pytest.raises(UserError, match=r"calc_case_description_test_set\.csv.*cannot be read.*cbis\.csv"):
        deliver(settings, tmp_path / "data", tmp_path / "truth")
    for name in SETS:
        (tmp_path / f"{name}.csv").write_text("patient_id,image view\n")
    with pytest.raises(UserError, match="column 'ROI mask file path' is missing"):
        deliver(settings, tmp_path / "data", tmp_path / "truth")
    assert not (tmp_path / "data").exists()
