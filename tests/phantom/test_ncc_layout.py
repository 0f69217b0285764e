"""The hospital's deliveries: tars, folders of letters, paired JPEGs, invalid dates, and films to turn down."""

from __future__ import annotations

import io
import re
import tarfile

import cv2
import numpy as np
import pydicom
import pytest

from mammo.phantom import PhantomSettings
from mammo.phantom.ncc import plan_films

from .conftest import Delivered

TEST_FILE = re.compile(r"^NCC/dicom/(abn_[12]/[ACDX]+|normal/normal)/\d{4}/\d+\.(dcm|jpg)$")
TRAIN_FILE = re.compile(
    r"^NCC_trainset/dicom/(abn_180[15]1[67]_[12]/\d{8}_000\d\.(dcm|jpg)|normal_180130/20180130_NORMAL_\d+\.dcm)$"
)


@pytest.fixture(scope="module")
def files(delivered: Delivered) -> dict[str, bytes]:
    return delivered.unpacked("NCC") | delivered.unpacked("NCC_trainset")


@pytest.fixture(scope="module")
def truth(delivered: Delivered) -> dict[str, dict[str, str]]:
    rows = delivered.table("NCC", "images") + delivered.table("NCC_trainset", "images")
    return {row["source"]: row for row in rows}


@pytest.fixture(scope="module")
def lesions(delivered: Delivered) -> list[dict[str, str]]:
    return delivered.table("NCC", "lesions") + delivered.table("NCC_trainset", "lesions")


@pytest.fixture(scope="module")
def rejects(delivered: Delivered) -> list[dict[str, str]]:
    return delivered.table("NCC", "rejects") + delivered.table("NCC_trainset", "rejects")


def dataset(data: bytes) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(data))


def colour_mask(jpeg: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Where a JPEG is coloured (distance from grey), and the picture in RGB."""
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1].astype(int)
    return np.ptp(picture, axis=2) > 60, picture


def test_archives_are_named_by_delivery_and_one_is_compressed(delivered: Delivered) -> None:
    found = {path.relative_to(delivered.data).as_posix() for path in delivered.data.glob("NCC*/tar/*")}
    train = ("abn_180116_1", "abn_180116_2", "abn_180517_1", "abn_180517_2", "normal_180130")
    assert found == {"NCC/tar/abn_1.tar", "NCC/tar/abn_2.tar", "NCC/tar/normal.tar.gz"} | {
        f"NCC_trainset/tar/{name}.tar" for name in train
    }


def test_members_lie_in_folders_of_letters_and_cases_or_flat(files: dict[str, bytes]) -> None:
    for name in files:
        assert (TEST_FILE if name.startswith("NCC/") else TRAIN_FILE).match(name), name


def test_members_carry_a_fixed_time_and_no_owner(delivered: Delivered) -> None:
    with tarfile.open(delivered.data / "NCC/tar/abn_1.tar") as archive:
        for member in archive.getmembers():
            assert (member.uid, member.gid, member.uname, member.mtime) == (0, 0, "", 1_517_443_200)
            assert member.isfile() or member.isdir()


def test_each_usable_abnormal_film_has_a_jpeg_of_its_name_and_normals_have_none(
    files: dict[str, bytes], truth: dict[str, dict[str, str]]
) -> None:
    for source, row in truth.items():
        assert (source.replace(".dcm", ".jpg") in files) == (row["group"] == "abn"), source


def test_outlines_enclose_the_truth_boxes_in_the_readers_colours(
    files: dict[str, bytes], truth: dict[str, dict[str, str]], lesions: list[dict[str, str]]
) -> None:
    for source, row in truth.items():
        if row["group"] == "normal":
            continue
        coloured, picture = colour_mask(files[source.replace(".dcm", ".jpg")])
        height, width = coloured.shape
        scale = np.array([width / int(row["width"]), height / int(row["height"])] * 2)
        boxes = [[int(r[k]) for k in ("x1", "y1", "x2", "y2")] for r in lesions if r["source"] == source]
        expected = np.array(boxes) * scale
        y, x = np.nonzero(coloured)
        extent = np.array([x.min(), y.min(), x.max() + 1, y.max() + 1])
        whole = np.array([*expected[:, :2].min(0), *expected[:, 2:].max(0)])
        # Half a line and a chroma block outside at most; films here are only 160 pixels high.
        assert np.abs(extent - whole).max() <= 4, source
        red, green, _ = picture[coloured].mean(0)
        assert (green > red) == ("green-outline" in row["quirks"]), source


def test_the_two_readers_swapped_colours_between_january_and_may(truth: dict[str, dict[str, str]]) -> None:
    colours = {
        delivery: {
            quirk
            for row in truth.values()
            if row["delivery"] == delivery
            for quirk in row["quirks"].split(";")
            if quirk.endswith("outline")
        }
        for delivery in ("abn_180116_1", "abn_180116_2", "abn_180517_1", "abn_180517_2")
    }
    assert colours == {
        "abn_180116_1": {"red-outline"},
        "abn_180116_2": {"green-outline"},
        "abn_180517_1": {"green-outline"},
        "abn_180517_2": {"red-outline", "dark-red-outline"},
    }


def test_some_jpegs_differ_in_size_by_unequal_factors(
    files: dict[str, bytes], truth: dict[str, dict[str, str]]
) -> None:
    factors = []
    for source, row in truth.items():
        if "scaled-jpeg" in row["quirks"]:
            height, width = colour_mask(files[source.replace(".dcm", ".jpg")])[0].shape
            factors.append((width / int(row["width"]), height / int(row["height"])))
    assert len(factors) >= 4
    assert any(abs(x / y - 1) > 0.02 for x, y in factors)


def test_dates_are_unknown_in_the_bytes_of_every_film_with_a_header(
    files: dict[str, bytes], truth: dict[str, dict[str, str]]
) -> None:
    for source in truth:
        # Element (0008,0020), VR DA, eight bytes: a value that a date cannot have.
        assert b"\x08\x00\x20\x00DA\x08\x00UNKNOWN " in files[source]


def test_every_pixel_form_is_there(truth: dict[str, dict[str, str]]) -> None:
    seen = {quirk for row in truth.values() for quirk in row["quirks"].split(";")}
    assert {"monochrome1", "linear", "sigmoid", "rgb", "rle", "padding", "rescale"} <= seen
    assert {"chroma-420", "chroma-444", "scaled-jpeg"} <= seen


def test_headers_agree_with_the_truth_and_identify_nobody(
    files: dict[str, bytes], truth: dict[str, dict[str, str]]
) -> None:
    for source, row in truth.items():
        header = dataset(files[source])
        assert header.PatientID == row["patient"]
        assert (header.ImageLaterality, header.ViewPosition) == (row["laterality"], row["view"])
        assert (header.Columns, header.Rows) == (int(row["width"]), int(row["height"]))
        assert header.PatientName == "ANONYMOUS"
        assert ("monochrome1" in row["quirks"]) == (header.PhotometricInterpretation == "MONOCHROME1")
        assert ("padding" in row["quirks"]) == ("PixelPaddingValue" in header)
        if "rgb" not in row["quirks"]:
            assert len(header.WindowCenter) == len(header.WindowWidth) == 3
            assert header.VOILUTFunction.lower() in row["quirks"]


def test_padding_is_the_air_and_never_the_breast(
    files: dict[str, bytes], truth: dict[str, dict[str, str]]
) -> None:
    for source, row in truth.items():
        if "padding" not in row["quirks"]:
            continue
        header = dataset(files[source])
        padded = header.pixel_array == header.PixelPaddingValue
        far_edge = -1 if row["laterality"] == "L" else 0
        assert padded[:, far_edge].all()
        breast = header.pixel_array[60:100, 4:20] if far_edge else header.pixel_array[60:100, -20:-4]
        assert not (breast == header.PixelPaddingValue).any()


@pytest.mark.parametrize(
    ("reason", "stage"),
    [("truncated", "decode"), ("zero bytes", "decode"), ("no pixels", "decode"), ("for processing", "decode"),
     ("no outline", "annotate"), ("no jpeg", "annotate")],
)  # fmt: skip
def test_each_fault_is_there_and_really_is_one(
    files: dict[str, bytes], rejects: list[dict[str, str]], reason: str, stage: str
) -> None:
    rows = [row for row in rejects if row["reason"] == reason]
    assert rows
    for row in rows:
        assert row["stage"] == stage
        data, jpeg = files[row["source"]], files.get(row["source"].replace(".dcm", ".jpg"))
        if reason == "truncated":
            with pytest.raises(ValueError, match="less than expected"):
                dataset(data).pixel_array  # noqa: B018
        elif reason == "zero bytes":
            assert data == b""
        elif reason == "no pixels":
            assert "PixelData" not in dataset(data)
            assert dataset(data).Rows
        elif reason == "for processing":
            assert dataset(data).PresentationIntentType == "FOR PROCESSING"
        elif reason == "no outline":
            assert not colour_mask(jpeg)[0].any()
        else:
            assert jpeg is None
            assert dataset(data).pixel_array.any()


def test_every_film_is_either_used_or_turned_down(
    files: dict[str, bytes], truth: dict[str, dict[str, str]], rejects: list[dict[str, str]]
) -> None:
    turned_down = {row["source"] for row in rejects}
    assert {name for name in files if name.endswith(".dcm")} == set(truth) | turned_down
    assert not set(truth) & turned_down


def test_no_patient_is_in_two_deliveries() -> None:
    settings = PhantomSettings()
    deliveries = [*type(settings.ncc).model_fields, *type(settings.ncc_trainset).model_fields]
    patients = [{plan.case for plan in plan_films(settings, delivery)} for delivery in deliveries]
    assert len(set.union(*patients)) == sum(len(group) for group in patients)


def test_counts_are_the_usable_films_and_cases_have_four_views_or_two() -> None:
    settings = PhantomSettings()
    plans = plan_films(settings, "normal")
    assert sum(not plan.fault for plan in plans) == settings.ncc.normal
    cases: dict[str, int] = {}
    for plan in plans:
        cases[plan.case] = cases.get(plan.case, 0) + (not plan.fault)
    assert {2, 4} <= set(cases.values())
    assert any(len(plan.kinds) == 2 for plan in plan_films(settings, "abn_1"))
    assert any(len(plan.letters) == 2 for plan in plan_films(settings, "abn_1"))


def test_abnormal_test_films_lie_under_the_letters_of_their_lesions(truth: dict[str, dict[str, str]]) -> None:
    for source, row in truth.items():
        if row["delivery"] in ("abn_1", "abn_2"):
            assert source.split("/")[3] == row["letters"]
