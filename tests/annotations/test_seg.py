"""Segmentations: parts of each segment, on this film only; written here and by highdicom."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import RLELossless

from mammo.annotations import seg
from mammo.annotations.finding import Evidence
from mammo.dicom.unusable import Unusable
from mammo.phantom.annotation_objects import (
    SegmentTruth,
    drawn_raster,
    ellipse_outline,
    film_name,
    pixel_box_of,
    segmentation,
)
from mammo.phantom.dicomfile import elements, encode, set_pixels
from mammo.settings import AnnotationSettings, MarkSettings

SHAPE = (320, 240)
EGG, ROUND = ellipse_outline((120.5, 150.5), 40, 22, 30), ellipse_outline((60.5, 60.5), 20, 20, 0)
OTHER = film_name(240, 320, "another film")


def filled(*outlines, shape=SHAPE):
    return drawn_raster(shape, outlines, filled=True)


def found(film, settings, *data, frame=0):
    findings = seg.find(film.evidence("seg", *data, frame=frame), settings)
    return [(one.box, one.label) for one in findings]


def edited(data, edit):
    dataset = dcmread(io.BytesIO(data))
    edit(dataset)
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()


@pytest.mark.parametrize("fractional", [False, True])
def test_segments_and_their_types(film, settings, fractional):
    segments = [
        SegmentTruth(((film.name, filled(EGG)),), "mass"),
        SegmentTruth(((film.name, filled(ROUND)),), "cluster"),
    ]
    expected = [(pixel_box_of(EGG), "mass"), (pixel_box_of(ROUND), "cluster")]
    data = segmentation(segments, "seg", fractional=fractional)
    assert found(film, settings, data) == expected


def test_overlapping_segments_are_lesions_each(film, settings):
    inner = ellipse_outline((120.5, 150.5), 8, 8, 0)
    data = segmentation(
        [SegmentTruth(((film.name, filled(one)),), kind) for one, kind in ((EGG, "mass"), (inner, "cluster"))], "seg"
    )  # fmt: skip
    assert found(film, settings, data) == [(pixel_box_of(EGG), "mass"), (pixel_box_of(inner), "cluster")]


def test_parts_of_a_segment_are_lesions_each_and_crumbs_are_none(film, settings):
    raster = filled(EGG, ROUND)
    raster[5:8, 5:9] = 1
    data = segmentation([SegmentTruth(((film.name, raster),))], "seg")
    assert [box for box, _ in found(film, settings, data)] == [pixel_box_of(ROUND), pixel_box_of(EGG)]


def test_a_small_lesion_that_stands_alone_is_kept(film, settings):
    grain = ellipse_outline((60.5, 60.5), 2, 2, 0)
    data = segmentation([SegmentTruth(((film.name, filled(grain)),), "calcification")], "seg")
    assert found(film, settings, data) == [(pixel_box_of(grain), "calcification")]


def test_frames_of_other_films_are_theirs(film, settings):
    data = segmentation([SegmentTruth(((OTHER, filled(EGG)), (film.name, filled(ROUND))))], "seg")
    assert [box for box, _ in found(film, settings, data)] == [pixel_box_of(ROUND)]
    data = segmentation([SegmentTruth(((OTHER, filled(EGG)),))], "seg")
    assert found(film, settings, data) == []


def test_frames_of_other_frames_are_theirs(film, settings):
    second = replace(film.name, frames=(2,))
    data = segmentation([SegmentTruth(((second, filled(EGG)),))], "seg")
    assert found(film, settings, data) == []
    assert found(film, settings, data, frame=1) == [(pixel_box_of(EGG), "mass")]


def test_frames_without_a_source_belong_to_the_only_film(film, settings):
    def strip(dataset):
        del dataset.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence

    one = segmentation([SegmentTruth(((film.name, filled(EGG)),))], "seg")
    assert len(found(film, settings, edited(one, strip))) == 1
    two = segmentation([SegmentTruth(((film.name, filled(EGG)), (OTHER, filled(ROUND))))], "seg")
    with pytest.raises(Unusable, match="on which"):
        found(film, settings, edited(two, strip))


def test_another_matrix_is_scaled_in_x_and_y_by_themselves(film, settings):
    half = ellipse_outline((60.5, 75.5), 20, 11, 0)
    data = segmentation([SegmentTruth(((film.name, filled(half, shape=(150, 120))),))], "seg")
    x1, y1, x2, y2 = pixel_box_of(half)
    ((box, _),) = found(film, settings, data)
    assert box == pytest.approx((2 * x1, y1 * 320 / 150, 2 * x2, y2 * 320 / 150))


def test_other_proportions_are_another_film_s(film, settings):
    data = segmentation([SegmentTruth(((film.name, filled(ROUND, shape=(240, 320))),))], "seg")
    with pytest.raises(Unusable, match="proportions"):
        found(film, settings, data)


def test_anatomy_is_no_lesion(film, settings):
    data = segmentation([SegmentTruth(((film.name, filled(EGG)),), "nipple")], "seg")
    assert found(film, settings, data) == []


def test_a_label_names_a_type_or_the_breast_and_is_never_passed_on(film, settings):
    def label(text):
        def edit(dataset):
            del dataset.SegmentSequence[0].SegmentedPropertyTypeCodeSequence
            dataset.SegmentSequence[0].SegmentLabel = text

        return edited(segmentation([SegmentTruth(((film.name, filled(EGG)),))], "seg"), edit)

    assert found(film, settings, label("Mass")) == [(pixel_box_of(EGG), "mass")]
    assert found(film, settings, label("Jane Doe")) == [(pixel_box_of(EGG), "")]
    assert found(film, settings, label("Pectoral muscle")) == []


def test_an_empty_segment_holds_nothing(film, settings):
    assert found(film, settings, segmentation([SegmentTruth(((film.name, filled()),))], "seg")) == []


def test_a_label_map(film, settings):
    """Segments as values of one raster (PS3.3 C.8.20, since 2024)."""
    raster = filled(EGG) * 2 + filled(ROUND) * 3

    def edit(dataset):
        dataset.SegmentationType = "LABELMAP"
        dataset.BitsAllocated = dataset.BitsStored = 8
        dataset.HighBit = 7
        dataset.NumberOfFrames = 1
        del dataset.PerFrameFunctionalGroupsSequence[1:]
        dataset.SegmentSequence[0].SegmentNumber = 2
        dataset.SegmentSequence[1].SegmentNumber = 3
        dataset.PixelData = raster.astype(np.uint8).tobytes()

    segments = [SegmentTruth(((film.name, filled()),), kind) for kind in ("mass", "distortion")]
    data = edited(segmentation(segments, "seg"), edit)
    assert found(film, settings, data) == [(pixel_box_of(EGG), "mass"), (pixel_box_of(ROUND), "distortion")]


def test_compressed_fractions(film, settings):
    data = segmentation([SegmentTruth(((film.name, filled(EGG)),))] * 2, "seg", fractional=True)
    packed = edited(data, lambda dataset: dataset.compress(RLELossless, encoding_plugin="pydicom"))
    assert len(packed) < len(data) / 4
    assert found(film, settings, packed) == [(pixel_box_of(EGG), "mass")]


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda dataset: setattr(dataset, "PixelData", dataset.PixelData[:-40]), "cut off: 9560 of 9600"),
        (lambda dataset: setattr(dataset, "Rows", 65535), "cut off|more than any"),
        (lambda dataset: setattr(dataset, "NumberOfFrames", 70000), "describes 1"),
        (lambda dataset: setattr(dataset, "SegmentSequence", []), "no segments"),
        (lambda dataset: dataset.SegmentSequence[0].pop("SegmentNumber"), "without a number"),
        (lambda dataset: dataset.pop("PixelData"), "no pixels"),
        (lambda dataset: setattr(dataset, "BitsAllocated", 4), "bits"),
    ],
    ids=["short", "rows", "frames", "no segments", "no number", "no pixels", "four bits"],
)
def test_a_broken_segmentation_is_unusable(film, settings, edit, reason):
    data = segmentation([SegmentTruth(((film.name, filled(EGG)),))], "seg")
    with pytest.raises(Unusable, match=reason):
        found(film, settings, edited(data, edit))


# --- written by others


def written_by_highdicom(film, masks, kind, labels):
    """A SEG of masks (frames, rows, columns, segments) on the film."""
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
    descriptions = [
        hd.seg.SegmentDescription(
            number, f"s{number}", codes.SCT.MorphologicallyAbnormalStructure, getattr(codes.SCT, label),
            hd.seg.SegmentAlgorithmTypeValues.MANUAL,
        )
        for number, label in enumerate(labels, 1)
    ]  # fmt: skip
    made = hd.seg.Segmentation(
        [source], masks, getattr(hd.seg.SegmentationTypeValues, kind), descriptions, "1.2.3.5", 1, "1.2.3.6", 1,
        "maker", "model", "1", "serial", omit_empty_frames=True, max_fractional_value=100,
    )  # fmt: skip
    out = io.BytesIO()
    made.save_as(out)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
def test_highdicom_s_segments(film, settings, kind):
    pytest.importorskip("highdicom")
    masks = np.stack([filled(EGG), filled(ROUND)], axis=-1)[None]
    masks = masks.astype(float) if kind == "FRACTIONAL" else masks
    data = written_by_highdicom(film, masks, kind, ["Mass", "CalcificationCluster"])
    assert found(film, settings, data) == [(pixel_box_of(EGG), "mass"), (pixel_box_of(ROUND), "cluster")]


def test_real_files(shared_data, tmp_path):
    """Segmentations of a CR image and of CT slices, with the region that highdicom reads in them."""
    for file, count in (("highdicom_seg_image_cr_binary.dcm", 1), ("highdicom_seg_image_ct_binary.dcm", 3)):
        path = shared_data / "dicom/sr_seg" / file
        dataset = dcmread(path)
        frames = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)
        assert len(frames) == count
        groups = dataset.PerFrameFunctionalGroupsSequence
        for raster, group in zip(frames, groups, strict=True):
            source = group.DerivationImageSequence[0].SourceImageSequence[0]
            film = tmp_path / "film.dcm"
            made = elements(Modality="CR")
            set_pixels(made, np.zeros(raster.shape, np.uint16), 12, "MONOCHROME2")
            data = edited(
                encode(made, "1.2.840.10008.5.1.4.1.1.1", "x"),
                lambda one, uid=source.ReferencedSOPInstanceUID: setattr(one, "SOPInstanceUID", uid),
            )
            film.write_bytes(data)
            evidence = Evidence(film, raster.shape[::-1], 0, {"seg": [path]})
            settings = AnnotationSettings(marks=MarkSettings(min_side=1))
            boxes = [one.box for one in seg.find(evidence, settings)]
            rows, columns = np.nonzero(raster)
            extent = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            whole = np.array(boxes)
            assert (*whole[:, :2].min(axis=0), *whole[:, 2:].max(axis=0)) == extent
