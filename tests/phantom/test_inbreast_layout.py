"""The INbreast delivery: names, the semicolon CSV, plist XML, and headers that say nothing."""

from __future__ import annotations

import plistlib
import re
from pathlib import Path

import numpy as np
import pydicom
import pytest

from mammo.phantom import PhantomSettings, deliver

from .conftest import Delivered
from .test_cbis_layout import NOTHING_ELSE

NAME = re.compile(r"^(\d{8})_([0-9a-f]{16})_MG_([LR])_(CC|ML|FB)_ANON\.dcm$")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Delivered:
    folder = tmp_path_factory.mktemp("inbreast")
    settings = PhantomSettings.tiny(1, **{**NOTHING_ELSE, "inbreast": {"films": 40}, "cbis": {"films": 0}})
    deliver(settings, folder / "data", folder / "truth")
    return Delivered(folder / "data", folder / "truth")


def films(data: Path) -> list[Path]:
    return sorted((data / "inbreast/raw_files/AllDICOMs").iterdir())


def regions(data: Path) -> dict[str, list[dict[str, object]]]:
    found = {}
    for path in sorted((data / "inbreast/raw_files/AllXML").iterdir()):
        try:
            (image,) = plistlib.loads(path.read_bytes())["Images"]
        except Exception:  # the broken one: expat's error is none of plistlib's own
            continue
        assert image["NumberOfROIs"] == len(image["ROIs"])
        found[path.stem] = image["ROIs"]
    return found


def points(roi: dict[str, object]) -> np.ndarray:
    texts = roi["Point_px"]
    assert all(re.fullmatch(r"\(-?\d+\.\d+, -?\d+\.\d+\)", text) for text in texts)
    return np.array([[float(part) for part in text.strip("()").split(",")] for text in texts])


def test_film_names_tell_id_patient_side_and_view(many: Delivered) -> None:
    parts = [NAME.match(path.name) for path in films(many.data)]
    assert all(parts)
    assert {part[4] for part in parts} == {"CC", "ML", "FB"}
    truth = {row["source"]: row for row in many.table("inbreast", "images")}
    for source, row in truth.items():
        part = NAME.match(Path(source).name)
        assert row["patient"] == part[2]
        assert (row["laterality"], row["view"]) == (part[3], {"ML": "MLO"}.get(part[4], part[4]))
    assert len({part[2] for part in parts}) == 10, "four films a patient"


def test_the_csv_is_semicolons_and_crlf_with_one_blank_acr_and_every_birads(many: Delivered) -> None:
    text = (many.data / "inbreast/raw_files/INbreast.csv").read_bytes().decode("ascii")
    lines = text.split("\r\n")
    assert lines[-1] == ""
    assert lines[0] == "Patient ID;Patient age;Laterality;View;Acquisition date;File Name;ACR;Bi-Rads"
    table = [line.split(";") for line in lines[1:-1]]
    assert [row[5] for row in table] == [path.name[:8] for path in films(many.data)]
    assert [row[6].strip() for row in table].count("") == 1
    assert {row[6] for row in table if not row[6].strip()} == {" "}
    assert {"1", "2", "4a", "4b", "4c", "5", "6"} <= {row[7] for row in table}


def test_headers_hold_no_window_spacing_side_or_view(many: Delivered) -> None:
    for path in films(many.data):
        dataset = pydicom.dcmread(path)
        assert (dataset.BitsAllocated, dataset.PhotometricInterpretation) == (16, "MONOCHROME2")
        for keyword in (
            "WindowCenter",
            "PixelSpacing",
            "ImagerPixelSpacing",
            "ImageLaterality",
            "ViewPosition",
        ):
            assert keyword not in dataset, keyword


def test_polygons_and_points_are_as_the_workstation_wrote_them(many: Delivered) -> None:
    names = set()
    for rois in regions(many.data).values():
        for roi in rois:
            names.add(roi["Name"])
            assert roi["Type"] in (15, 19)
            assert len(roi["Point_px"]) == len(roi["Point_mm"]) == roi["NumberOfPoints"]
            assert set(roi["Point_mm"]) == {"(0.000000, 0.000000, 0.000000)"}
            assert (roi["NumberOfPoints"] == 1) == (roi["Type"] == 19)
            points(roi)
    assert {"Mass", "Cluster", "Calcification", "Point 1", "Point 3", "Unnamed", "Distortion"} <= names
    assert names & {"Asymmetry", "Assymetry", "Asimmetry"}
    assert {"Spiculated Region", "Espiculated Region"} <= names


def test_truth_boxes_are_the_extent_of_the_polygons(many: Delivered) -> None:
    rois = regions(many.data)
    checked = 0
    for row in many.table("inbreast", "lesions"):
        if row["recoverable"] == "0":
            continue
        polygon = points(rois[Path(row["annotation"]).stem][int(row["lesion_id"])])
        expected = [int(row[key]) for key in ("x1", "y1", "x2", "y2")]
        assert [*np.floor(polygon.min(0)), *(np.floor(polygon.max(0)) + 1)] == expected
        checked += 1
    assert checked >= 20


def test_half_of_the_films_have_a_mass_and_clean_films_have_no_xml(many: Delivered) -> None:
    images = many.table("inbreast", "images")
    assert 0.4 < np.mean(["mass" in row["lesion_types"].split(";") for row in images]) < 0.65
    with_xml = {path.stem for path in (many.data / "inbreast/raw_files/AllXML").iterdir()}
    for row in images:
        assert (Path(row["source"]).name[:8] in with_xml) == (row["group"] == "abn")


def test_one_film_and_one_xml_are_broken(many: Delivered) -> None:
    rejects = {row["stage"]: row for row in many.table("inbreast", "rejects")}
    assert set(rejects) == {"decode", "annotate"}
    with pytest.raises(ValueError, match="less than expected"):
        pydicom.dcmread(many.data / rejects["decode"]["source"]).pixel_array  # noqa: B018
    with pytest.raises(Exception, match=r"no element found|unclosed token"):
        plistlib.loads((many.data / rejects["annotate"]["cause"]).read_bytes())
