"""Which part a DICOM file plays, and what it refers to, from headers alone."""

from __future__ import annotations

import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from mammo.annotations.references import references, role_of
from mammo.dicom.read import read_header

STORAGE = "1.2.840.10008.5.1.4.1.1."
SECONDARY, MAMMO = STORAGE + "7", STORAGE + "1.2"
PROCESSING = STORAGE + "1.2.1"


def dataset(**values):
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def image(sop_class="", modality="", bits=16, **values):
    return dataset(
        SOPClassUID=sop_class, Modality=modality, Rows=10, Columns=8, BitsAllocated=bits, SamplesPerPixel=1, **values
    )  # fmt: skip


def source(uid="1.2.3", sop_class=MAMMO):
    return [dataset(ReferencedSOPClassUID=sop_class, ReferencedSOPInstanceUID=uid)]


@pytest.mark.parametrize(
    ("header", "role"),
    [
        (dataset(SOPClassUID=STORAGE + "11.1", Modality="PR"), "gsps"),
        (dataset(SOPClassUID=STORAGE + "11.2", Modality="PR"), "gsps"),
        (dataset(Modality="PR"), "gsps"),
        (image(STORAGE + "66.4", "SEG", 1), "seg"),
        (dataset(SOPClassUID=STORAGE + "88.50", Modality="SR"), "sr"),
        (dataset(SOPClassUID=STORAGE + "88.33", Modality="SR"), "sr"),
        (dataset(SOPClassUID=STORAGE + "88.59", Modality="KO"), ""),
        (dataset(SOPClassUID=STORAGE + "104.1", Modality="MG"), ""),
        (image(STORAGE + "2", "CT"), ""),
        (image(MAMMO, "MG"), "film"),
        (image(STORAGE + "1", "CR"), "film"),
        (image(SECONDARY, "MG"), "film"),
        (image(SECONDARY, "OT", 8), "film"),
        (image("", "MG"), "film"),
        (image(), "film"),
        (dataset(SOPClassUID=MAMMO, Modality="MG"), ""),
        (Dataset(), ""),
        (image(SECONDARY, "MG", SourceImageSequence=source()), "twin"),
        (image(SECONDARY, "MG", 8, SourceImageSequence=source()), "twin"),
        (image(SECONDARY, "MG", SourceImageSequence=[]), "film"),
        (image(MAMMO, "MG", ImageType=["DERIVED", "PRIMARY"], SourceImageSequence=source()), "twin"),
        (
            image(MAMMO, "MG", ImageType=["DERIVED", "PRIMARY"], SourceImageSequence=source("1", PROCESSING)),
            "film",
        ),
        (image(SECONDARY, "MG", 1, SourceImageSequence=source()), "mask"),
        (image(SECONDARY, "MG", 8, BitsStored=1, SourceImageSequence=source()), "mask"),
        (image(SECONDARY, "MG", 8, SeriesDescription="ROI mask images", SourceImageSequence=source()), "mask"),
        (image(SECONDARY, "MG", 8, SeriesDescription="ROI mask images"), "film"),
        (
            image(
                SECONDARY, "OT", 8, SourceImageSequence=source(),
                DerivationCodeSequence=[dataset(CodeValue="113076", CodingSchemeDesignator="DCM")],
            ),
            "mask",
        ),
    ],
)  # fmt: skip
def test_the_part_a_file_plays(header, role):
    assert role_of(header) == role


def test_a_presentation_state_refers_to_its_series_images():
    header = dataset(
        SOPClassUID=STORAGE + "11.1",
        ReferencedSeriesSequence=[
            dataset(ReferencedImageSequence=source("1.1") + source("1.2")),
            dataset(ReferencedImageSequence=source("1.3")),
        ],
        ReferencedStudySequence=source("9.9"),
    )
    assert references(header) == {"1.1", "1.2", "1.3"}


def test_a_report_refers_to_its_evidence_not_to_its_predecessor():
    evidence = [dataset(ReferencedSeriesSequence=[dataset(ReferencedSOPSequence=source("1.1"))])]
    header = dataset(
        SOPClassUID=STORAGE + "88.50",
        CurrentRequestedProcedureEvidenceSequence=evidence,
        PredecessorDocumentsSequence=[dataset(ReferencedSeriesSequence=evidence)],
        ContentSequence=[dataset(ContentSequence=[dataset(ReferencedSOPSequence=source("1.2"))])],
    )
    assert references(header) == {"1.1", "1.2"}


def test_a_segmentation_refers_to_the_sources_of_its_frames():
    frame = dataset(DerivationImageSequence=[dataset(SourceImageSequence=source("1.1"))])
    header = dataset(SOPClassUID=STORAGE + "66.4", PerFrameFunctionalGroupsSequence=[frame, Dataset()])
    assert references(header) == {"1.1"}


def test_a_marked_copy_refers_to_its_source_not_to_comparisons():
    header = image(SECONDARY, "MG", SourceImageSequence=source("1.1"), ReferencedImageSequence=source("1.2"))
    assert references(header) == {"1.1"}


def test_a_sequence_where_text_should_be_says_nothing():
    item = Dataset()
    item[0x544E4941] = RawDataElement(Tag(0x544E4941), "NE", 4, b"nono", 0, False, True)
    header = Dataset()
    header.add_new("Modality", "SQ", [item])
    header.add_new("ReferencedSOPInstanceUID", "SQ", [item])
    assert role_of(header) == ""
    assert references(header) == frozenset()


def test_empty_and_missing_references_are_none():
    empty = dataset(SourceImageSequence=[Dataset(), dataset(ReferencedSOPInstanceUID="")])
    assert references(empty) == references(Dataset()) == frozenset()


@pytest.mark.parametrize(
    ("file", "role"),
    [
        ("mammography/MG_Explicit_Little.dcm", "film"),
        ("mammography/fodicom_GH133_GE_MG.dcm", "film"),
        # DERIVED, with a source: but that is the detector's raw exposure.
        ("mammography/fodicom_OutOfBoundsOverlay_MG.dcm", "film"),
        ("overlay/dcm4che_ovly_p01.dcm", "film"),
        ("overlay/pydicom_examples_overlay.dcm", ""),
        ("sr_seg/highdicom_seg_image_cr_binary.dcm", "seg"),
        ("sr_seg/highdicom_sr_document.dcm", "sr"),
        ("sr_seg/pydicom_test-SR.dcm", "sr"),
    ],
)
def test_real_files(shared_data, file, role):
    assert role_of(read_header(shared_data / "dicom" / file)) == role


def test_a_real_segmentation_names_its_three_slices(shared_data):
    found = references(read_header(shared_data / "dicom/sr_seg/highdicom_seg_image_ct_binary.dcm"))
    assert {f"1.3.6.1.4.1.5962.1.1.0.0.0.1196530851.28319.0.{n}" for n in (94, 95)} <= found
