"""VinDr-Mammo: finding_annotations.csv and images/<study_id>/<image_id>.dicom."""

from __future__ import annotations

import io
import shutil
import subprocess

import pydicom
import pytest
from pydicom.uid import JPEG2000Lossless, JPEGLosslessSV1

from mammo.errors import UserError
from mammo.phantom.vindr import COLUMNS, HEIGHT, STUDIES, WIDTH, vindr_set
from mammo.settings import PartSettings
from mammo.trainset.tables import select

TRUTH = vindr_set(4, "Set")
FILES = dict(TRUTH.files)
FILM = FILES[TRUTH.images[0].source.removeprefix("Set/raw_files/")]
GOOD = f"s0,e,good,L,CC,{HEIGHT},{WIDTH},BI-RADS 1,DENSITY B,['No Finding'],,,,,,training"


def row(categories="['Mass']", birads="BI-RADS 4", box="20,30,60.5,80", **cells):
    """A row about the film s1/film; `cells` change others."""
    values = {
        "study": "s1", "image": "film", "side": "R", "view": "MLO", "height": HEIGHT, "width": WIDTH,
        "breast": "BI-RADS 4", "split": "training",
    } | cells  # fmt: skip
    study, image, side, view, height, width, breast, split = values.values()
    categories = categories.replace('"', '""')
    head = f"{study},e,{image},{side},{view},{height},{width},{breast},DENSITY C"
    return f'{head},"{categories}",{birads},{box},{split}'


def one(listed, *rows, film=FILM, **changes):
    """Tables of a normal film and of rows about another."""
    table = "".join(f"{line}\n" for line in (COLUMNS, GOOD, *rows))
    files = {"images/s0/good.dicom": FILM, "images/s1/film.dicom": film, "finding_annotations.csv": table}
    return listed("vindr", files, **changes)


def boxes(found):
    return [(row.x1, row.y1, row.x2, row.y2) for row in found.lesions]


def reasons(found):
    return {row.source.removeprefix("Set/raw_files/"): row.reason for row in found.rejects}


def group(found):
    """Group of the film that the rows are about."""
    return next(image.group for image in found.images if image.source.endswith("s1/film.dicom"))


@pytest.fixture
def whole(listed):
    return listed("vindr", FILES)


# --- the set ----------------------------------------------------------------------------------------------------------


def test_every_film_is_recovered(whole):
    def facts(row, patient):
        return (
            row.source, row.delivery, patient, row.laterality, row.view, row.width, row.height, row.group,
            row.lesion_types,
        )  # fmt: skip

    assert sorted(facts(row, row.patient) for row in whole.images) == sorted(
        facts(row, f"Set.{row.patient}") for row in TRUTH.images
    )
    assert {row.pixel_mm for row in whole.images} == {0.085}
    assert {row.density for row in whole.images} == {"c"}
    assert whole.rejects == []


def test_every_lesion_is_recovered(whole):
    sources = {row.image_id: row.source for row in whole.images}

    def facts(row, source):
        return source, row.x1, row.y1, row.x2, row.y2, row.lesion_type, row.pathology

    assert sorted(facts(row, sources[row.image_id]) for row in whole.lesions) == sorted(
        facts(row, row.source) for row in TRUTH.lesions
    )
    assert {row.pathology for row in whole.lesions} == {"malignant", "benign"}


def test_four_films_of_a_study_are_one_patients(whole):
    patients = [row.patient for row in whole.images]
    assert {patients.count(name) for name in patients} == {4}
    assert len(set(patients)) == len(STUDIES)


def test_a_part_takes_one_split(whole):
    part = select(whole.images, whole.lesions, PartSettings(deliveries=("test",)))
    assert {image.delivery for image in part.images} == {"test"}
    assert len(part.images) == 8


# --- categories -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("categories", "kind"),
    [
        ("['Mass', 'Suspicious Calcification']", "mass"),
        ("['Suspicious Calcification', 'Mass']", "mass"),
        ("['Focal Asymmetry', 'Suspicious Calcification']", "calcification"),
        ("['Skin Thickening', 'Global Asymmetry']", "global_asymmetry"),
        ('["Mass"]', "mass"),
    ],
)
def test_a_box_of_several_categories_is_one_lesion_of_the_first_in_order(listed, categories, kind):
    found = one(listed, row(categories))
    assert [lesion.lesion_type for lesion in found.lesions] == [kind]


@pytest.mark.parametrize(
    "name", ["Skin Thickening", "Skin Retraction", "Nipple Retraction", "Suspicious Lymph Node"]
)
def test_a_film_of_other_findings_only_is_no_normal_and_in_no_part(listed, name):
    found = one(listed, row(f"['{name}']"))
    assert group(found) == "abn"
    assert found.lesions == []
    assert found.rejects == []
    part = select(found.images, found.lesions, PartSettings())
    assert [image.source for image in part.images] == ["Set/raw_files/images/s0/good.dicom"]


def test_the_config_makes_a_category_a_lesion(listed):
    found = one(listed, row("['Skin Thickening']"), classes={"Skin Thickening": {"use": True}})
    assert [lesion.lesion_type for lesion in found.lesions] == ["skin_thickening"]


def test_the_config_gives_a_category_another_type_and_it_stays_a_lesion(listed):
    classes = {"Focal Asymmetry": {"lesion_type": "asymmetry"}}
    found = one(listed, row("['Focal Asymmetry']"), classes=classes)
    assert [lesion.lesion_type for lesion in found.lesions] == ["asymmetry"]


def test_a_film_of_a_category_that_the_config_turns_off_is_no_normal(listed):
    found = one(listed, row("['Asymmetry']"), classes={"Asymmetry": {"use": False}})
    assert group(found) == "abn"
    assert found.lesions == []


def test_an_unknown_category_turns_the_film_down_until_the_config_knows_it(listed):
    assert "Cyst" in reasons(one(listed, row("['Cyst']")))["images/s1/film.dicom"]
    found = one(listed, row("['Cyst']"), classes={"Cyst": {}})
    assert [lesion.lesion_type for lesion in found.lesions] == ["cyst"]


@pytest.mark.parametrize(
    "categories",
    [
        "",
        "Mass",
        "[]",
        "[['Mass']]",
        "['Mass', 3]",
        "('Mass',)",
        "{'Mass'}",
        "['Mass'",
        "[" * 900,
        "-" * 900,
        "['" + "x" * 2000 + "']",
        "[__import__('os').mkdir('ran')]",
        "['a'] * 10**9",
        "['No Finding', 'Mass']",
    ],
)
def test_categories_that_are_no_list_of_names_turn_the_film_down(listed, categories, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = one(listed, row(categories))
    assert list(reasons(found)) == ["images/s1/film.dicom"]
    assert len(reasons(found)["images/s1/film.dicom"]) < 300
    assert not (tmp_path / "ran").exists()


# --- BI-RADS ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("birads", "pathology"),
    [
        ("BI-RADS 2", "benign"),
        ("BI-RADS 3", "benign"),
        ("BI-RADS 4", "malignant"),
        ("BI-RADS 4A", "malignant"),
        ("BI-RADS 5", "malignant"),
        ("BI-RADS 0", ""),
        ("", ""),
    ],
)
def test_pathology_is_by_the_findings_birads(listed, birads, pathology):
    assert [lesion.pathology for lesion in one(listed, row(birads=birads)).lesions] == [pathology]


@pytest.mark.parametrize("birads", ["4", "BI-RADS 7", "BI-RADS x", "nan"])
def test_a_birads_that_is_none_turns_the_film_down(listed, birads):
    assert "finding_birads" in reasons(one(listed, row(birads=birads)))["images/s1/film.dicom"]


@pytest.mark.parametrize(
    ("breast", "expected"),
    [("BI-RADS 1", "normal"), ("BI-RADS 2", "normal"), ("BI-RADS 3", "abn"), ("BI-RADS 5", "abn")],
)
def test_a_film_without_finding_is_normal_if_its_breast_is(listed, breast, expected):
    assert group(one(listed, row("['No Finding']", "", ",,,", breast=breast))) == expected


def test_no_finding_with_a_box_turns_the_film_down(listed):
    assert "images/s1/film.dicom" in reasons(one(listed, row("['No Finding']", breast="BI-RADS 1")))


# --- boxes and films --------------------------------------------------------------------------------------------------


def test_a_box_that_leaves_the_film_is_cut(listed):
    assert boxes(one(listed, row(box="-3.5,-1,20,30"), row(box=f"100,200,{WIDTH + 9},{HEIGHT + 9}"))) == [
        (0, 0, 20, 30),
        (100, 200, WIDTH, HEIGHT),
    ]


@pytest.mark.parametrize(
    "box",
    [",,,", "1,2,3,", "9,9,9,20", "30,30,20,40", "nan,1,2,3", "1,1,inf,9", "a,b,c,d", "900,900,950,950"],
)
def test_a_lesion_without_a_usable_box_turns_the_film_down(listed, box):
    found = one(listed, row(), row("['Asymmetry']", box=box))
    assert found.lesions == []
    assert list(reasons(found)) == ["images/s1/film.dicom"]


@pytest.mark.parametrize("size", [{"height": HEIGHT + 1}, {"width": 2 * WIDTH}, {"width": "wide"}])
@pytest.mark.parametrize("categories", ["['Mass']", "['No Finding']"])
def test_a_size_other_than_the_dicoms_turns_the_film_down(listed, size, categories):
    cells = {"birads": "", "box": ",,,", "breast": "BI-RADS 1"} if "No" in categories else {}
    assert reasons(one(listed, row(categories, **cells, **size)))


@pytest.mark.parametrize(
    "cells",
    [
        {"study": ""},
        {"image": ""},
        {"study": "../../etc"},
    ],
)
def test_a_row_that_names_no_film_has_a_reason(listed, cells):
    found = one(listed, row(**cells))
    assert len(found.images) == 1
    assert any("finding_annotations.csv#3" in place for place in reasons(found))


@pytest.mark.parametrize("cells", [{"split": "validation"}, {"split": ""}, {"side": "B"}, {"width": "wide"}])
def test_a_lesion_whose_row_makes_no_sense_is_no_background(listed, cells):
    found = one(listed, row(), row(box="1,2,30,40", **cells))
    assert list(reasons(found)) == ["images/s1/film.dicom"] and found.lesions == []
    assert "finding_annotations.csv#4: " in reasons(found)["images/s1/film.dicom"]


@pytest.mark.parametrize(
    ("cells", "about"),
    [({"side": "L"}, "laterality"), ({"view": "CC"}, "view"), ({"width": WIDTH - 1}, "size")],
)
def test_rows_that_disagree_about_their_film_turn_it_down(listed, cells, about):
    found = one(listed, row(), row(box="1,2,30,40", **cells))
    assert reasons(found) == {
        "images/s1/film.dicom": f"finding_annotations.csv#4: another {about} than in the film's first row"
    }


def test_two_tables_of_findings_are_an_error(listed):
    with pytest.raises(UserError, match=r"two tables .*finding_annotations\.csv.*take one of them away"):
        listed("vindr", FILES | {"old/finding_annotations.csv": FILES["finding_annotations.csv"]})


def test_a_film_in_both_splits_with_different_lesions_is_turned_down(listed):
    found = one(listed, row(), row(box="1,2,30,40", split="test"))
    assert "different lesions" in reasons(found)["images/s1/film.dicom"]


@pytest.mark.parametrize("film", [b"", b"no DICOM", FILM[: len(FILM) // 2]])
def test_a_film_that_cannot_be_read_is_turned_down(listed, film):
    assert list(reasons(one(listed, row(), film=film))) == ["images/s1/film.dicom"]


def test_a_table_without_a_column_is_an_error(listed):
    table = COLUMNS.replace("finding_birads", "birads") + "\n" + GOOD + "\n"
    with pytest.raises(UserError, match="finding birads"):
        listed("vindr", {"finding_annotations.csv": table, "images/s0/good.dicom": FILM})


def test_the_tables_that_come_beside_it_are_no_rejects(listed):
    found = listed(
        "vindr", FILES | {"metadata.csv": "SOP Instance UID\n", "SHA256SUMS.txt": "0 x\n", "LICENSE.txt": ""}
    )
    assert found.rejects == []


def test_a_film_of_the_breasts_table_only_is_not_taken_for_a_normal(listed):
    assert reasons(listed("vindr", FILES | {"images/s9/other.dicom": FILM})) == {
        "images/s9/other.dicom": "no list names this file"
    }


# --- compressed films -------------------------------------------------------------------------------------------------


def jpeg_2000(data, folder):
    dataset = pydicom.dcmread(io.BytesIO(data))
    dataset.compress(JPEG2000Lossless)
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def jpeg_lossless(data, folder):
    if not shutil.which("dcmcjpeg"):
        pytest.skip("DCMTK's dcmcjpeg is not installed")
    (folder / "plain.dcm").write_bytes(data)
    subprocess.run(["dcmcjpeg", "+e1", "+ua", "plain.dcm", "packed.dcm"], cwd=folder, check=True)
    packed = (folder / "packed.dcm").read_bytes()
    assert pydicom.dcmread(io.BytesIO(packed)).file_meta.TransferSyntaxUID == JPEGLosslessSV1
    return packed


@pytest.mark.parametrize("pack", [jpeg_2000, jpeg_lossless])
@pytest.mark.parametrize("number", [0, 1])
def test_a_compressed_film_becomes_the_same_picture(listed, tmp_path, pack, number):
    plain = FILES[TRUTH.images[number].source.removeprefix("Set/raw_files/")]
    tables = [
        COLUMNS,
        row("['No Finding']", "", ",,,", breast="BI-RADS 1"),
        row("['No Finding']", "", ",,,", breast="BI-RADS 1", image="packed"),
    ]
    files = {"images/s1/film.dicom": plain, "images/s1/packed.dicom": pack(plain, tmp_path)}
    found = listed("vindr", files | {"finding_annotations.csv": "\n".join(tables)})
    first, second = found.images
    assert first.sha256 == second.sha256
    assert first.source_sha256 != second.source_sha256
