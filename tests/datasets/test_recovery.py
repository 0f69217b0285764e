"""From the raw files of every format come exactly the films, lesions and rejects that are in them."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

DATASETS = ("CBIS-DDSM", "inbreast", "NCC", "NCC_trainset")
# The phantoms file a spiculated region and a cluster under other names than INbreast's readers do.
SAME_TYPE = {"spiculated": "spiculated_region"}


def iou(first, second):
    across = max(0, min(first[2], second[2]) - max(first[0], second[0]))
    down = max(0, min(first[3], second[3]) - max(first[1], second[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return across * down / (sum(areas) - across * down)


def box_of(lesion):
    return (lesion.x1, lesion.y1, lesion.x2, lesion.y2)


def duplicates(tables):
    return {row.source: row for row in tables.rejects if row.reason.startswith("duplicate of ")}


@pytest.mark.parametrize("name", DATASETS)
def test_every_film_comes_out_once(tables, truth, name):
    wanted = {row["source"] for row in truth(name, "images")}
    assert {image.source for image in tables[name].images} == wanted - set(duplicates(tables[name]))


@pytest.mark.parametrize("name", DATASETS)
def test_every_file_that_must_be_turned_down_has_one_row_of_its_stage(tables, truth, name):
    wanted = {(row["source"], row["stage"]) for row in truth(name, "rejects")}
    found = [
        (row.source, row.stage) for row in tables[name].rejects if row.source not in duplicates(tables[name])
    ]
    assert sorted(found) == sorted(wanted)


@pytest.mark.parametrize("name", DATASETS)
def test_side_view_size_group_and_delivery_are_known(tables, truth, name):
    wanted = {row["source"]: row for row in truth(name, "images")}
    for image in tables[name].images:
        row = wanted[image.source]
        assert (image.laterality, image.view) == (row["laterality"], row["view"])
        assert (image.width, image.height) == (int(row["width"]), int(row["height"]))
        assert (image.group, image.delivery) == (row["group"], row["delivery"])


@pytest.mark.parametrize("name", DATASETS)
def test_films_of_one_patient_and_no_others_share_a_patient(tables, truth, name):
    wanted = {row["source"]: row["patient"] for row in truth(name, "images")}
    pairs = {(image.patient, wanted[image.source]) for image in tables[name].images}
    # Normals of the training set are named by film: nothing in the raw files says which belong together.
    pairs = {pair for pair in pairs if "NORMAL" not in pair[1]}
    assert len({ours for ours, _ in pairs}) == len({theirs for _, theirs in pairs}) == len(pairs)


@pytest.mark.parametrize("name", DATASETS)
def test_every_lesion_is_found_at_its_place(tables, truth, name):
    sources = {image.source for image in tables[name].images}
    for row in truth(name, "lesions"):
        if row["source"] in sources:
            drawn = tuple(int(row[side]) for side in ("x1", "y1", "x2", "y2"))
            found = tables[name].lesions_of(row["source"])
            assert max((iou(drawn, box_of(lesion)) for lesion in found), default=0) >= 0.9


@pytest.mark.parametrize("name", ("inbreast", "NCC", "NCC_trainset"))
def test_nothing_else_is_found(tables, truth, name):
    for image in tables[name].images:
        drawn = [row for row in truth(name, "lesions") if row["source"] == image.source]
        assert len(tables[name].lesions_of(image.source)) == len(drawn)


@pytest.mark.parametrize("name", ("CBIS-DDSM", "inbreast"))
def test_pathology_and_type_of_a_lesion_are_the_tables(tables, truth, name):
    for row in truth(name, "lesions"):
        for lesion in tables[name].lesions_of(row["source"]):
            if lesion.lesion_id == row["lesion_id"]:
                assert lesion.pathology == row["pathology"].lower().removesuffix("_without_callback")
                kind = SAME_TYPE.get(row["lesion_type"], row["lesion_type"])
                assert lesion.lesion_type in (kind, "cluster" if kind == "calcification" else kind)


@pytest.mark.parametrize("name", DATASETS)
def test_images_lie_where_the_table_says_grey_and_of_their_size(delivered, tables, name):
    for image in tables[name].images:
        picture = cv2.imread(str(delivered[0] / name / image.path), cv2.IMREAD_UNCHANGED)
        assert picture.shape == (image.height, image.width)


@pytest.mark.parametrize("name", DATASETS)
def test_a_second_run_gives_the_same_bytes(tables, copy, pipeline, name):
    again = pipeline.run(copy(name), name)
    assert again == tables[name]


def test_a_film_listed_as_mass_and_as_calc_is_used_once_with_the_lesions_of_both(tables):
    twins = duplicates(tables["CBIS-DDSM"])
    assert len(twins) == 1
    (image,) = [image for image in tables["CBIS-DDSM"].images if image.lesion_types == "calcification;mass"]
    assert image.source in next(iter(twins.values())).reason
    kinds = {lesion.lesion_type for lesion in tables["CBIS-DDSM"].lesions_of(image.source)}
    assert kinds == {"mass", "calcification"}


def test_a_lesion_of_a_film_with_several_letters_has_no_type_of_its_own(tables):
    several = [image for image in tables["NCC"].images if ";" in image.lesion_types]
    assert several
    for image in several:
        assert {lesion.lesion_type for lesion in tables["NCC"].lesions_of(image.source)} == {""}


def test_inbreast_knows_its_pixel_size_although_its_headers_do_not(tables):
    assert {image.pixel_mm for image in tables["inbreast"].images} == {0.07}


def test_a_reject_of_a_lesion_names_the_mask(tables):
    reasons = [row.reason for row in tables["CBIS-DDSM"].rejects if row.stage == "annotate"]
    assert len(reasons) == 2 and all("CBIS-DDSM/dicom/" in reason for reason in reasons)
    assert any("empty" in reason for reason in reasons) and any("cut off" in reason for reason in reasons)


def test_no_raw_file_is_touched(delivered, tables, truth):
    # The stages ran: what they wrote lies in img and work alone.
    for name in DATASETS:
        tops = {path.name for path in Path(delivered[0] / name).iterdir()}
        assert tops <= {"csv", "dicom", "raw_files", "tar", "img", "work"}
