"""What is left in headers: found wherever it stands, without giving its value on."""

from __future__ import annotations

import random

import pytest
from pydicom.config import disable_value_validation
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from mammo.dicom.identifiers import IDENTITY_SEQUENCES, NAMES, NUMBERS, PICTURES, TEXTS
from mammo.dicom.privacy import dated_paths, header_findings, is_dummy, is_dummy_date
from mammo.dicom.read import read_header
from mammo.dicom.unusable import Unusable


def header(**values) -> Dataset:
    dataset = Dataset()
    with disable_value_validation():
        for keyword, value in values.items():
            setattr(dataset, keyword, value)
    return dataset


def found(dataset: Dataset, allowed=()) -> dict[str, str]:
    return {finding.element: finding.kind for finding in header_findings(dataset, allowed)}


def test_every_listed_element_is_one_of_the_dictionary():
    from pydicom.datadict import tag_for_keyword

    listed = NAMES | NUMBERS | TEXTS | IDENTITY_SEQUENCES | PICTURES
    assert len(listed) > 200
    # Overlay comments stand in groups 6000 to 60FF, of which the dictionary knows no single tag.
    assert sorted(name for name in listed if tag_for_keyword(name) is None) == ["OverlayComments"]


def test_names_dates_and_numbers_are_found_and_told_apart():
    dataset = header(
        PatientName="Kim^Minji", PatientBirthDate="19610304", StudyTime="171512", AccessionNumber="A1200345",
        InstitutionName="National Cancer Center", StudyDescription="screening", ViewPosition="CC", Rows=10,
    )  # fmt: skip
    assert found(dataset) == {
        "PatientName": "name",
        "InstitutionName": "name",
        "PatientBirthDate": "date",
        "StudyTime": "date",
        "AccessionNumber": "number",
        "StudyDescription": "text",
    }


def test_an_anonymised_header_has_no_findings():
    dataset = header(
        PatientName="ANONYMOUS^PATIENT", PatientID="", PatientBirthDate="19000101", StudyDate="UNKNOWN",
        StudyTime="000000.00", OperatorsName="XXXX", AccessionNumber="0000", DeviceSerialNumber="REMOVED",
        BurnedInAnnotation="NO", Manufacturer="Vendor", ImageType=["DERIVED", "PRIMARY"], SoftwareVersions="12345678",
        SOPInstanceUID="1.2.840.12345678.20190101",
    )  # fmt: skip
    assert found(dataset) == {}


@pytest.mark.parametrize(
    "text", ["", "^", "Anonymous", "UNKNOWN", "xxxx", "0", "00000", "de-identified", "N/A", "X X"]
)
def test_what_anonymisers_write_is_no_value(text):
    assert is_dummy(text)


@pytest.mark.parametrize("text", ["Kim", "김민지", "A. N. Other", "1234", "ANON007", "No One Else"])
def test_what_may_be_somebody_is_a_value(text):
    assert not is_dummy(text)


@pytest.mark.parametrize(
    "text", ["19000101", "00010101", "00000000", "000000.000000", "18991230", "99991231", "UNKNOWN"]
)
def test_dates_of_anonymisers_are_no_dates(text):
    assert is_dummy_date(text)


@pytest.mark.parametrize("text", ["20180130", "170512", "20180130101500", "19610304", "2018-01", "000001"])
def test_all_other_dates_and_times_are(text):
    assert not is_dummy_date(text)


def test_elements_deep_in_sequences_are_found_by_their_path():
    code = header(CodeMeaning="Dr Somebody", CodeValue="123")
    dataset = header(
        RequestAttributesSequence=[
            header(RequestedProcedureID="P777"),
            header(ScheduledProcedureStepID="S1x"),
        ],
        OperatorIdentificationSequence=[header(PersonIdentificationCodeSequence=[code])],
        ViewCodeSequence=[header(CodeMeaning="cranio-caudal", CodeValue="399162004")],
    )
    person = "OperatorIdentificationSequence.PersonIdentificationCodeSequence"
    assert found(dataset) == {
        "RequestAttributesSequence.RequestedProcedureID": "number",
        "RequestAttributesSequence.ScheduledProcedureStepID": "number",
        f"{person}.CodeMeaning": "text",
        f"{person}.CodeValue": "text",
    }


def test_private_elements_are_found_by_tag_without_their_block_and_their_creator_is_no_finding():
    dataset = Dataset()
    for block in (0x0010, 0x0011):
        dataset.add_new((0x0009, block), "LO", f"SOME VENDOR {block}")
    dataset.add_new((0x0009, 0x1001), "PN", "Kim^Minji")
    dataset.add_new((0x0009, 0x1002), "LO", "born 1961-03-04")
    dataset.add_new((0x0009, 0x1003), "UN", b"case 00123456 ")
    dataset.add_new((0x0009, 0x1004), "DS", "1.25")
    dataset.add_new((0x0009, 0x1105), "SH", "reading room")
    dataset.add_new((0x0009, 0x1106), "UN", b"\x00\x01\x02\xff")
    assert found(dataset) == {
        "(0009,xx01)": "name",
        "(0009,xx02)": "date",
        "(0009,xx03)": "number",
        "(0009,xx05)": "text",
    }


def test_comments_of_overlays_and_texts_of_reports_and_presentations_are_found():
    dataset = header(
        ContentSequence=[header(TextValue="seen by Dr Somebody"), header(PersonName="Some^Body")]
    )
    dataset.add_new((0x6002, 0x4000), "LT", "patient Kim")
    dataset.GraphicAnnotationSequence = [header(TextObjectSequence=[header(UnformattedTextValue="KIM 61Y")])]
    assert found(dataset) == {
        "ContentSequence.TextValue": "text",
        "ContentSequence.PersonName": "name",
        "OverlayComments": "text",
        "GraphicAnnotationSequence.TextObjectSequence.UnformattedTextValue": "text",
    }


def test_numbers_and_dates_inside_texts_are_told_from_mere_texts():
    dataset = header(
        ImageComments="call 010-1234-5678", PatientComments="seen 2018.01.30", SeriesDescription="L MLO 2",
        RequestingService="610304-2123456", PerformedProcedureStepDescription="case 1234567",
    )  # fmt: skip
    assert found(dataset) == {
        "ImageComments": "number",
        "PatientComments": "date",
        "SeriesDescription": "text",
        "RequestingService": "name",
        "PerformedProcedureStepDescription": "number",
    }


def test_the_file_meta_group_the_burned_in_flag_and_pictures_are_looked_at():
    dataset = header(BurnedInAnnotation="YES", IconImageSequence=[header(Rows=64)])
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.SourceApplicationEntityTitle = "NCC_MG_ROOM2"
    assert found(dataset) == {
        "BurnedInAnnotation": "burned_in",
        "IconImageSequence": "picture",
        "SourceApplicationEntityTitle": "number",
    }


def test_allowed_elements_are_passed_at_any_depth():
    dataset = header(PatientID="P_00001", RequestAttributesSequence=[header(AccessionNumber="A12345")])
    dataset.add_new((0x0009, 0x1001), "LO", "reading room")
    assert found(dataset, ["PatientID", "AccessionNumber", "(0009,xx01)"]) == {}
    assert found(dataset, ["RequestAttributesSequence"]) == {"PatientID": "number", "(0009,xx01)": "text"}


def test_a_patient_s_id_that_is_in_the_file_s_name_too_is_a_pseudonym_and_no_other_element_is():
    dataset = header(
        PatientID="P_00001", PatientName="Mass_P_00001", AccessionNumber="P_00001", StudyID="study"
    )
    path = "CBIS-DDSM/dicom/Mass_P_00001/1.dcm"
    kinds = {finding.element: finding.kind for finding in header_findings(dataset, (), path)}
    assert kinds == {
        "PatientID": "pseudonym",
        "PatientName": "pseudonym",
        "AccessionNumber": "number",
        "StudyID": "text",
    }
    short = header_findings(header(PatientID="123"), (), "x/123/123.dcm")
    assert [finding.kind for finding in short] == ["number"]


def test_values_that_break_their_representation_are_found_and_no_value_is_given_on():
    dataset = Dataset()
    with disable_value_validation():
        dataset.add(DataElement("StudyDate", "DA", "30 January, Kim"))
        dataset.add(DataElement("PatientAge", "AS", "Kim Minji"))
    findings = header_findings(dataset)
    assert [finding.kind for finding in findings] == ["text", "date"]
    assert "Kim" not in repr(findings)


def test_a_header_nested_without_end_is_walked_to_a_bounded_depth():
    dataset = header(PatientID="P1234")
    for _ in range(60):
        dataset = header(RequestAttributesSequence=[dataset])
    assert found(dataset) == {}


def test_dates_in_the_names_of_files_and_folders_are_noticed_and_case_numbers_are_none():
    dated = [
        "NCC/dicom/normal_180130/20180130_NORMAL_1.dcm",
        "NCC/dicom/normal_180130/20180131_NORMAL_2.dcm",
        "x/2018-01-30/1.dcm",
        "CBIS-DDSM/dicom/08-29-2017-DDSM-11739/1-1.dcm",
    ]
    cases = [f"NCC/dicom/abn_180116_1/{number}_0001.dcm" for number in (20021203, 20021399, 20023903)]
    other = [
        "inbreast/20586908_6c613a14b80a8591_MG_R_CC_ANON.dcm",
        "d/20181330.dcm",
        "NCC/abn_180116_1/1.dcm",
    ]
    assert dated_paths([*dated, *cases, *other]) == set(dated)


def test_headers_with_broken_bytes_are_walked_or_turned_down(tmp_path):
    dataset = header(
        PatientName="Kim^Minji",
        StudyDate="20180130",
        RequestAttributesSequence=[header(AccessionNumber="A12345")],
    )
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(tmp_path / "whole.dcm", enforce_file_format=True)
    whole, rng, walked = (tmp_path / "whole.dcm").read_bytes(), random.Random(1), 0
    for _ in range(150):
        broken = bytearray(whole)
        for _ in range(3):
            broken[rng.randrange(132, len(broken))] = rng.randrange(256)
        (tmp_path / "broken.dcm").write_bytes(broken[: rng.randrange(140, len(broken) + 200)])
        try:
            header_findings(read_header(tmp_path / "broken.dcm"))
            walked += 1
        except Unusable:
            pass
    assert walked > 50


def test_real_films_of_two_vendors_are_walked_to_the_end(shared_data):
    folder = shared_data / "dicom/mammography"
    vendor = found(read_header(folder / "fodicom_GH133_GE_MG.dcm"))
    assert vendor["(07A1,xx5D)"] == "date" and vendor["IconImageSequence"] == "picture"
    assert vendor["InstitutionName"] == vendor["PatientName"] == "name"
    other = found(read_header(folder / "fodicom_OutOfBoundsOverlay_MG.dcm"))
    assert other["PlacerOrderNumberImagingServiceRequest"] == other["PatientID"] == "number"
