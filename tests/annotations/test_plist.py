"""INbreast's XML: regions with an extent, in any spelling; nothing hostile."""

from __future__ import annotations

import plistlib

import pytest

from mammo.annotations.finding import Evidence
from mammo.annotations.plist import find, lesion_type, read_regions
from mammo.dicom.unusable import Unusable
from mammo.settings import AnnotationSettings

SQUARE = ["(10.5, 20.0)", "(30.2, 20.0)", "(30.2, 50.9)", "(10.5, 50.9)"]


def written(tmp_path, *rois, raw=None):
    path = tmp_path / "1.xml"
    path.write_bytes(plistlib.dumps({"Images": [{"ROIs": list(rois)}]}) if raw is None else raw)
    return path


def roi(name="Mass", kind=15, points=SQUARE):
    return {"Name": name, "Type": kind, "NumberOfPoints": len(points), "Point_px": points}


def test_a_polygons_box_holds_every_pixel_it_touches(tmp_path):
    assert read_regions(written(tmp_path, roi()))[0].box == (10, 20, 31, 51)


@pytest.mark.parametrize(
    "region", [roi(kind=19, points=SQUARE[:1]), roi(points=SQUARE[:1]), roi(points=SQUARE[:2])]
)
def test_points_and_lines_have_no_box(tmp_path, region):
    assert read_regions(written(tmp_path, region))[0].box is None


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Mass", "mass"), ("Calcification", "calcification"), ("Calcifications", "calcification"),
        ("Cluster", "cluster"), ("Spiculated Region", "spiculated_region"), ("Espiculated Region", "spiculated_region"),
        ("Asymmetry", "asymmetry"), ("Assymetry", "asymmetry"), ("Asimmetry", "asymmetry"),
        ("Distortion", "distortion"), ("Point 1", "other"), ("Unnamed", "other"), ("", "other"), (" mass ", "mass"),
    ],
)  # fmt: skip
def test_every_spelling_has_its_type(name, kind):
    assert lesion_type(name) == kind


BOMB = b"""<?xml version="1.0"?><!DOCTYPE plist [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>
<plist version="1.0"><string>&b;</string></plist>"""


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (BOMB, "entities"),
        (BOMB.decode().encode("utf-16"), "entities"),
        (b"", "line|regions"),
        (b"<plist><dict>", "broken in line"),
        (plistlib.dumps({"Images": []}, fmt=plistlib.FMT_BINARY), "broken|regions"),
        (plistlib.dumps({"Pictures": []}), "regions"),
        (plistlib.dumps({"Images": [{"ROIs": [{"Name": "Mass"}]}]}), "region 0"),
        (plistlib.dumps({"Images": [{"ROIs": [roi(points=["(1, 2)", "(nan, 3)", "x"])]}]}), "region 0"),
    ],
)
def test_what_is_no_list_of_regions_is_unusable(tmp_path, raw, reason):
    with pytest.raises(Unusable, match=reason):
        read_regions(written(tmp_path, raw=raw))


def test_a_film_without_regions_has_none(tmp_path):
    assert read_regions(written(tmp_path)) == []


def test_findings_are_the_regions_on_the_film_with_the_types_they_name(tmp_path):
    near, far = ([f"({x}, 5)", f"({x + 10}, 5)", f"({x + 10}, 9)"] for x in (50, 500))
    path = written(tmp_path, roi(), roi(kind=19), roi("Unnamed", points=near), roi(points=far))
    findings = find(Evidence(tmp_path / "film.dcm", (100, 100), 0, {"plist": [path]}), AnnotationSettings())
    assert [(one.box, one.label, one.form) for one in findings] == [
        ((10, 20, 31, 51), "mass", "plist"),
        ((50, 5, 61, 10), "", "plist"),
    ]
    assert find(Evidence(tmp_path / "film.dcm", (100, 100)), AnnotationSettings()) == []
