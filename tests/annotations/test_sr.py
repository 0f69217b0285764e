"""Structured reports: regions and CAD marks on this film; written here and by highdicom."""

from __future__ import annotations

import io
import time
from dataclasses import replace

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from mammo.annotations import sr
from mammo.annotations.finding import Evidence
from mammo.annotations.references import references
from mammo.dicom.read import read_header
from mammo.dicom.unusable import Unusable
from mammo.phantom.annotation_objects import (
    Graphic,
    Region,
    box_of,
    cad_report,
    circle,
    closed_line,
    content,
    ellipse,
    ellipse_outline,
    film_name,
    measurement_report,
)
from mammo.settings import AnnotationSettings

EGG = ellipse_outline((120, 150), 40, 22, 30)
OTHER = film_name(240, 320, "another film")
WRITERS = pytest.mark.parametrize("write", [measurement_report, cad_report])


def found(film, settings, *data, frame=0):
    findings = sr.find(film.evidence("sr", *data, frame=frame), settings)
    return [(one.box, one.label) for one in findings]


def edited(data, edit):
    dataset = dcmread(io.BytesIO(data))
    edit(dataset)
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def items_of(dataset):
    """All content items of a report."""
    for item in dataset.get("ContentSequence", []):
        yield item
        yield from items_of(item)


def regions_of(dataset):
    """The coordinates that outline a region."""
    return [
        item
        for item in items_of(dataset)
        if item.get("ValueType") == "SCOORD" and item.ConceptNameCodeSequence[0].CodeValue in ("111030", "111041")
    ]  # fmt: skip


@WRITERS
@pytest.mark.parametrize(
    ("graphic", "truth"),
    [
        (closed_line(EGG), box_of(EGG)),
        (Graphic("POLYLINE", EGG), box_of(EGG)),
        (circle((100.5, 90), 31, 77), (69.5, 59, 131.5, 121)),
        (ellipse((120, 150), 40, 22, 30), box_of(EGG)),
        (Graphic("MULTIPOINT", EGG[::40]), box_of(EGG[::40])),
    ],
    ids=["closed", "left open", "circle", "ellipse", "grains"],
)
def test_every_graphic(film, settings, write, graphic, truth):
    data = write([Region(film.name, graphic)], "report")
    assert found(film, settings, data) == [(pytest.approx(truth, abs=0.01), "mass")]


@WRITERS
@pytest.mark.parametrize("kind", ["mass", "calcification", "cluster", "distortion", "asymmetry", ""])
def test_the_finding_s_code_is_the_label(film, settings, write, kind):
    ((_, label),) = found(film, settings, write([Region(film.name, closed_line(EGG), kind)], "report"))
    assert label == kind


@WRITERS
def test_older_codes_mean_the_same(film, settings, write):
    def edit(dataset):
        for item in items_of(dataset):
            for code in item.get("ConceptCodeSequence", []):
                if code.CodeValue == "129769006":
                    code.CodeValue, code.CodingSchemeDesignator = "F-01775", "SRT"

    data = edited(write([Region(film.name, closed_line(EGG), "cluster")], "report"), edit)
    assert found(film, settings, data) == [(pytest.approx(box_of(EGG), abs=0.01), "cluster")]


@WRITERS
def test_a_code_of_a_private_scheme_says_nothing(film, settings, write):
    def edit(dataset):
        for item in items_of(dataset):
            for code in item.get("ConceptCodeSequence", []):
                if code.CodeValue == "129793001":
                    code.CodingSchemeDesignator, code.CodeMeaning = "99HOSPITAL", "Jane Doe"

    data = edited(write([Region(film.name, closed_line(EGG))], "report"), edit)
    assert found(film, settings, data) == [(pytest.approx(box_of(EGG), abs=0.01), "")]


@WRITERS
def test_anatomy_is_no_lesion(film, settings, write):
    assert found(film, settings, write([Region(film.name, closed_line(EGG), "nipple")], "report")) == []


@WRITERS
def test_regions_of_other_films_and_frames_are_theirs(film, settings, write):
    second = replace(film.name, frames=(2,))
    ring = circle((60, 60), 20)
    data = write([Region(OTHER, closed_line(EGG)), Region(film.name, ring)], "report")
    assert found(film, settings, data) == [((40, 40, 80, 80), "mass")]
    assert found(film, settings, write([Region(OTHER, ring)], "report")) == []
    data = write([Region(second, ring)], "report")
    assert found(film, settings, data) == []
    assert found(film, settings, data, frame=1) == [((40, 40, 80, 80), "mass")]


def test_coordinates_that_name_no_image_lie_on_the_only_one(film, settings):
    def strip(dataset):
        for item in regions_of(dataset):
            del item.ContentSequence

    one = measurement_report([Region(film.name, closed_line(EGG))], "report")
    assert len(found(film, settings, edited(one, strip))) == 1
    two = measurement_report([Region(film.name, closed_line(EGG)), Region(OTHER, closed_line(EGG))], "report")
    assert found(film, settings, edited(two, strip)) == []


def test_cad_marks_that_are_not_to_be_presented_are_none(film, settings):
    regions = [
        Region(film.name, closed_line(EGG), "mass", rendered=False),
        Region(film.name, circle((60, 60), 20), "cluster"),
    ]
    assert found(film, settings, cad_report(regions, "report")) == [((40, 40, 80, 80), "cluster")]


def test_nothing_below_a_mark_that_is_not_presented_is(film, settings):
    inner = Region(film.name, circle((60, 60), 20), "calcification")
    outer = Region(film.name, closed_line(EGG), "cluster", rendered=False, inner=(inner,))
    assert found(film, settings, cad_report([outer], "report")) == []


def test_the_grains_of_a_cluster_belong_to_it(film, settings):
    grains = tuple(Region(film.name, circle((110 + 6 * n, 150), 2), "calcification") for n in range(4))
    alone = Region(film.name, circle((40, 40), 3), "calcification")
    outer = Region(film.name, closed_line(EGG), "cluster", inner=grains)
    assert [label for _, label in found(film, settings, cad_report([outer, alone], "report"))] == [
        "cluster",
        "calcification",
    ]


def test_a_centre_is_no_box(film, settings):
    def strip(dataset):
        for item in items_of(dataset):
            if "ContentSequence" in item:
                kept = [one for one in item.ContentSequence if one.get("GraphicType") != "POLYLINE"]
                item.ContentSequence = kept

    assert found(film, settings, edited(cad_report([Region(film.name, closed_line(EGG))], "r"), strip)) == []


@pytest.mark.parametrize(
    "points",
    [
        [[50.0, 60.0]],
        [[50.0, 60.0], [90.0, 60.0]],
        [[50.0, 60.0], [90.0, 60.0], [50.0, 60.0]],
        [[500.0, 60.0], [590.0, 60.0], [520.0, 90.0]],
    ],
)
def test_what_has_no_area_on_the_film_is_no_lesion(film, settings, points):
    graphic = Graphic("POLYLINE", np.array(points))
    assert found(film, settings, measurement_report([Region(film.name, graphic)], "report")) == []


@pytest.mark.parametrize("values", [[float("nan"), 1.0, 2.0, 3.0], [1.0, 2.0, 3.0], None, [1e20, 1.0]])
def test_broken_coordinates_make_the_report_unusable(film, settings, values):
    def spoil(dataset):
        regions_of(dataset)[0].GraphicData = values

    data = measurement_report([Region(film.name, closed_line(EGG))], "report")
    with pytest.raises(Unusable, match="coordinates"):
        found(film, settings, edited(data, spoil))


def nested(depth, inner):
    for _ in range(depth):
        inner = content("CONTAINER", "CONTAINS", None, inner)
    return inner


def test_fifty_levels_are_read(film, settings):
    def wrap(dataset):
        dataset.ContentSequence = [nested(50, dataset.ContentSequence[0])]

    data = edited(measurement_report([Region(film.name, closed_line(EGG))], "report"), wrap)
    assert len(found(film, settings, data)) == 1


def deep_sequence(depth):
    """A content sequence nested as deep as wanted, in bytes, every length given."""
    inner = b""
    for _ in range(depth):
        item = b"\xfe\xff\x00\xe0" + len(inner).to_bytes(4, "little") + inner
        inner = b"\x40\x00\x30\xa7SQ\0\0" + len(item).to_bytes(4, "little") + item
    return inner


def test_thousands_of_levels_cost_neither_time_nor_memory(film, settings):
    data = measurement_report([Region(film.name, closed_line(EGG))], "report")
    start = data.index(b"\x40\x00\x30\xa7SQ")
    began = time.monotonic()
    with pytest.raises(Unusable):
        found(film, settings, data[:start] + deep_sequence(20_000))
    assert time.monotonic() - began < 5


def test_a_reference_that_leads_nowhere_is_none(film, settings):
    def spoil(dataset):
        for item in items_of(dataset):
            if "ReferencedContentItemIdentifier" in item:
                item.ReferencedContentItemIdentifier = [1, 99, 1]

    regions = [Region(film.name, closed_line(EGG)), Region(OTHER, closed_line(EGG))]
    assert found(film, settings, edited(cad_report(regions, "report"), spoil)) == []


def test_empty_reports_hold_nothing(film, settings):
    def empty(dataset):
        dataset.ContentSequence = []

    data = measurement_report([Region(film.name, closed_line(EGG))], "report")
    assert found(film, settings, edited(data, empty)) == []
    assert found(film, settings) == []


# --- written by others


def written_by_highdicom(film, kind, points):
    import highdicom as hd
    from pydicom.sr.codedict import codes

    source = dcmread(film.path)
    for keyword in (
        "PatientID",
        "PatientName",
        "PatientBirthDate",
        "PatientSex",
        "StudyID",
        "AccessionNumber",
    ):
        setattr(source, keyword, "")
    source.StudyDate, source.StudyTime, source.ReferringPhysicianName = "", "", ""
    source.StudyInstanceUID, source.SeriesInstanceUID = "1.2.3", "1.2.3.4"
    region = hd.sr.ImageRegion(kind, points, hd.sr.SourceImageForRegion.from_source_image(source))
    group = hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        referenced_region=region, tracking_identifier=hd.sr.TrackingIdentifier("1.2.9", "one"),
        finding_type=codes.SCT.CalcificationCluster,
    )  # fmt: skip
    observer = hd.sr.ObserverContext(
        codes.DCM.Device, hd.sr.DeviceObserverIdentifyingAttributes(uid="1.2.8", name="x")
    )
    report = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_device_context=observer),
        procedure_reported=codes.LN.CTUnspecifiedBodyRegion, imaging_measurements=[group],
    )  # fmt: skip
    made = hd.sr.ComprehensiveSR([source], report[0], "1.2.3.5", 1, "1.2.3.6", 1, "maker")
    out = io.BytesIO()
    made.save_as(out)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["POLYLINE", "CIRCLE", "ELLIPSE"])
def test_highdicom_s_regions(film, settings, kind):
    hd = pytest.importorskip("highdicom")
    graphics = [closed_line(EGG), circle((100, 90), 31), ellipse((120, 150), 40, 22, 30)]
    graphic = {one.kind: one for one in graphics}[kind]
    truth = (69, 59, 131, 121) if kind == "CIRCLE" else box_of(EGG)
    data = written_by_highdicom(film, getattr(hd.sr.GraphicTypeValues, kind), graphic.points)
    assert found(film, settings, data) == [(pytest.approx(truth, abs=0.01), "cluster")]


@pytest.mark.parametrize(
    ("file", "boxes"),
    [
        # A measurement report of a CT slice with one circle: centre 58\\52, a point on it 58\\41.
        ("highdicom_sr_document.dcm", {(47, 41, 69, 63)}),
        ("pydicom_test-SR.dcm", set()),
    ],
)
def test_real_reports(shared_data, tmp_path, file, boxes):
    path = shared_data / "dicom/sr_seg" / file
    named = sorted(references(read_header(path)))
    assert named
    for uid in named:
        image = Dataset()
        image.SOPInstanceUID = uid
        image.save_as(tmp_path / "film.dcm", implicit_vr=False, little_endian=True)
        evidence = Evidence(tmp_path / "film.dcm", (512, 512), 0, {"sr": [path]})
        assert {one.box for one in sr.find(evidence, AnnotationSettings())} == boxes
