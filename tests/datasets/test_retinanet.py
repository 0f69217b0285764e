"""Sets that come as keras-retinanet's CSV."""

from __future__ import annotations

import pytest

from mammo.errors import UserError
from mammo.phantom.dicomfile import MAMMO_FOR_PRESENTATION, PixelForm, elements, encode, set_brightness
from mammo.phantom.film import FilmSpec, make_film
from mammo.phantom.pictures import jpeg, pgm, picture_films, png, retinanet_set
from mammo.phantom.settings import DifficultySettings

FILMS = picture_films(seed=7)
PNG = png(FILMS[1].pixels)
WIDTH, HEIGHT = FILMS[1].size


def reasons(tables):
    return {row.source.removeprefix("Set/raw_files/"): row.reason for row in tables.rejects}


def boxes(tables):
    return [(row.x1, row.y1, row.x2, row.y2) for row in tables.lesions]


def one(listed, row, **changes):
    """Tables of one good film and of a row about another."""
    files = {"good.png": png(FILMS[0].pixels), "film.png": PNG}
    return listed("retinanet", files | {"a.csv": f"good.png,,,,,\n{row}\n"}, **changes)


def test_every_film_and_lesion_is_recovered(listed):
    truth = retinanet_set(FILMS, "Set")
    found = listed("retinanet", truth.files)
    assert [
        (row.source, row.delivery, row.width, row.height, row.group, row.lesion_types) for row in found.images
    ] == [(row.source, "train", row.width, row.height, row.group, row.lesion_types) for row in truth.images]
    sources = {row.image_id: row.source for row in found.images}
    assert [
        (sources[row.image_id], row.lesion_id, row.x1, row.y1, row.x2, row.y2, row.lesion_type)
        for row in found.lesions
    ] == [
        (row.source, row.lesion_id, row.x1, row.y1, row.x2, row.y2, row.lesion_type) for row in truth.lesions
    ]
    assert {row.annotation_form for row in found.lesions} == {"csv"}
    assert found.rejects == []


def test_the_written_image_has_the_pixels_of_the_picture(listed, tmp_path):
    import cv2
    import numpy as np

    found = listed("retinanet", retinanet_set(FILMS, "Set").files)
    for film, row in zip(FILMS, found.images, strict=True):
        written = cv2.imread(str(tmp_path / "Set" / row.path), cv2.IMREAD_UNCHANGED).astype(int)
        assert np.abs(written - film.pixels).mean() < 2


# --- films ------------------------------------------------------------------------------------------------------------


def test_a_film_may_be_dicom_whatever_its_name_says(listed):
    film = make_film(FilmSpec("x", "x", 160, 128, "L", "CC", (), DifficultySettings(), 0.01))
    dataset = elements(ImageLaterality="R", ViewPosition="MLO", ImagerPixelSpacing=[0.1, 0.1])
    set_brightness(dataset, film.pixels, film.air, PixelForm())
    files = {
        "film.png": encode(dataset, MAMMO_FOR_PRESENTATION, "film"),
        "a.csv": "film.png,10,10,20,30,mass\n",
    }
    (image,) = listed("retinanet", files).images
    assert (image.laterality, image.view, image.pixel_mm, image.width) == ("R", "MLO", 0.1, 128)


@pytest.mark.parametrize(
    "name", ["films\\a b.png", "./films/a b.png", "films/A B.PNG", "films//a b.png", "films/a b"]
)
def test_a_path_may_be_written_in_other_ways(listed, name):
    found = listed("retinanet", {"films/a b.png": PNG, "a.csv": f"{name},1,1,9,9,mass\n"})
    assert [row.source for row in found.images] == ["Set/raw_files/films/a b.png"]


def test_two_names_that_differ_in_capitals_only_are_two_films(listed):
    files = {"a.png": PNG, "A.png": png(FILMS[0].pixels), "l.csv": "a.png,1,1,9,9,mass\nA.png,,,,,\n"}
    found = listed("retinanet", files)
    assert {(row.source[-5:], row.group) for row in found.images} == {("A.png", "normal"), ("a.png", "abn")}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949"])
def test_korean_names_are_found_in_every_encoding_of_the_list(listed, encoding):
    files = {"유방/환자1.png": PNG, "a.csv": "유방/환자1.png,1,1,9,9,종괴\n".encode(encoding)}
    found = listed("retinanet", files)
    assert [(row.source, row.lesion_types) for row in found.images] == [
        ("Set/raw_files/유방/환자1.png", "종괴")
    ]


def test_a_name_in_decomposed_letters_is_found(listed):
    import unicodedata

    files = {unicodedata.normalize("NFD", "환자.png"): PNG, "a.csv": "환자.png,,,,,\n"}
    assert len(listed("retinanet", files).images) == 1


def test_a_film_of_odd_letters_keeps_its_name_when_another_comes(listed):
    before = listed("retinanet", {"환자.png": PNG, "a.csv": "환자.png,,,,,\n"})
    after = listed("retinanet", {"유방.png": PNG, "a.csv": "환자.png,,,,,\n유방.png,,,,,\n"})
    assert {row.image_id for row in before.images} < {row.image_id for row in after.images}


@pytest.mark.parametrize(
    "name", ["/film.png", "../film.png", "a/../../film.png", "C:\\film.png", "\\\\host\\film.png"]
)
def test_a_path_never_leaves_the_raw_folder(listed, name):
    found = one(listed, f"{name},1,1,9,9,mass")
    assert reasons(found)["a.csv#2"].endswith("is no path inside the raw folder")
    assert [row.source[-8:] for row in found.images] == ["good.png"]


def test_a_film_in_deep_folders_has_a_name_that_a_disk_takes(listed):
    deep = "/".join("f" * 100 for _ in range(5))
    names = [f"{deep}/a.png", f"{deep}/b.png"]
    rows = "".join(f"{name},,,,,\n" for name in names)
    assert len(listed("retinanet", dict.fromkeys(names, PNG) | {"a.csv": rows}).images) == 2


def test_a_listed_film_that_is_missing_and_a_file_that_no_list_names_have_rows(listed):
    found = reasons(one(listed, "other.png,1,1,9,9,mass"))
    assert found == {
        "other.png": "listed (a.csv#2), but there is no such file",
        "film.png": "no list names this file",
    }


def test_a_film_in_two_lists_belongs_to_the_smaller_one(listed):
    files = {"f.png": PNG, "g.png": PNG, "all.csv": "f.png,1,1,9,9,mass\ng.png,,,,,\n"}
    found = listed("retinanet", files | {"val.csv": "f.png,1,1,9,9,mass\n"})
    assert [(row.image_id, row.delivery) for row in found.images] == [("Set.f", "val"), ("Set.g", "all")]
    assert len(found.lesions) == 1


def test_lists_that_contradict_each_other_turn_their_film_down(listed):
    files = {"f.png": PNG, "g.png": PNG, "all.csv": "f.png,1,1,9,9,mass\ng.png,,,,,\n"}
    found = listed("retinanet", files | {"val.csv": "f.png,,,,,\n"})
    assert reasons(found) == {"f.png": "val and all list different lesions of this film"}


# --- boxes ------------------------------------------------------------------------------------------------------------


def test_a_box_that_leaves_the_film_is_cut(listed):
    assert boxes(one(listed, f"film.png,-5.5,3,20,{HEIGHT + 40},mass")) == [(0, 3, 20, HEIGHT)]


def test_a_row_that_stands_twice_is_one_lesion(listed):
    assert boxes(one(listed, "film.png,1,1,9,9,mass\nfilm.png,1.0,1,9,9,mass")) == [(1, 1, 9, 9)]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (f"film.png,{WIDTH},1,{WIDTH + 9},9,mass", "lesion 00 lies outside of the film"),
        ("film.png,9,1,1,9,mass", "a.csv#2: the box 9,1,1,9 has no area"),
        ("film.png,1,1,1,9,mass", "a.csv#2: the box 1,1,1,9 has no area"),
        ("film.png,nan,1,9,9,mass", "a.csv#2: a number was expected, found nan"),
        ("film.png,1,1,1e999,9,mass", "a.csv#2: a number was expected, found inf"),
        ("film.png,one,1,9,9,mass", "a.csv#2: a number was expected, found 'one'"),
        ("film.png,1,,9,9,mass", "a.csv#2: a number was expected, found ''"),
        ("film.png,1,1,9,9,", "a.csv#2: a box without a class"),
    ],
)
def test_a_film_with_a_box_that_cannot_be_used_is_turned_down_whole(listed, row, reason):
    found = one(listed, f"{row}\nfilm.png,1,1,9,9,mass")
    assert reasons(found) == {"film.png": reason}
    assert found.lesions == []


@pytest.mark.parametrize(("row", "cells"), [("film.png,1,1,9,9", 5), ("film.png,1,1,9,9,mass,left", 7)])
def test_a_row_with_too_few_or_too_many_cells_turns_its_film_down(listed, row, cells):
    found = one(listed, f"film.png,11,11,19,19,mass\n{row}")
    assert reasons(found) == {
        "film.png": f"a.csv#3: expected path,x1,y1,x2,y2,class_name, found {cells} cells"
    }
    assert found.lesions == []


def test_a_row_that_names_no_film_is_turned_down_by_itself(listed):
    found = one(listed, "film.png,1,1,9,9,mass\nfilm.png;1;1;9;9;mass\n,1,1,9,9,mass")
    assert reasons(found) == {
        "film.png;1;1;9;9;mass": "listed (a.csv#3), but there is no such file",
        "a.csv#4": "expected path,x1,y1,x2,y2,class_name, found no path",
    }


def test_the_class_table_is_passed_over_and_a_list_of_films_never(listed):
    files = {"film.png": PNG, "good.png": png(FILMS[0].pixels), "a.csv": "good.png,,,,,\n"}
    found = listed(
        "retinanet", files | {"classes.csv": "mass,0\n", "classified.csv": "film.png,1,1,9,9,mass\n"}
    )
    assert reasons(found) == {}
    assert [(row.image_id, row.delivery) for row in found.images] == [
        ("Set.film", "classified"),
        ("Set.good", "a"),
    ]


# --- what classes and names mean --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "classes", "meaning"),
    [
        ("Big Mass", {}, ("big_mass", "")),
        ("malignant", {}, ("", "malignant")),
        ("Benign", {}, ("", "benign")),
        ("m", {"m": {"lesion_type": "mass", "pathology": "malignant"}}, ("mass", "malignant")),
        ("benign", {"benign": {"lesion_type": "mass"}}, ("mass", "benign")),
    ],
)
def test_a_class_gives_lesion_type_and_pathology(listed, name, classes, meaning):
    (lesion,) = one(listed, f"film.png,1,1,9,9,{name}", classes=classes).lesions
    assert (lesion.lesion_type, lesion.pathology) == meaning


def test_a_film_with_nothing_but_unused_classes_is_a_normal(listed):
    found = one(listed, "film.png,1,1,9,9,marker", classes={"marker": {"use": False}})
    assert [row.group for row in found.images] == ["normal", "normal"] and found.lesions == []


def test_patients_come_from_the_path(listed):
    files = {
        "p1_a.png": PNG,
        "p1_b.png": PNG,
        "other.png": PNG,
        "a.csv": "p1_a.png,,,,,\np1_b.png,,,,,\nother.png,,,,,",
    }
    found = listed("retinanet", files, patient_pattern="(?P<patient>p[0-9]+)_")
    assert [row.patient for row in found.images] == ["Set.p1", "Set.p1"]
    assert reasons(found) == {"other.png": "patient_pattern finds no patient in its path"}


def test_without_a_pattern_every_film_is_a_patient_of_its_own(listed):
    found = listed("retinanet", retinanet_set(FILMS, "Set").files)
    assert len({row.patient for row in found.images}) == len(FILMS)


# --- lists that cannot be read ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'"film.png,1,1,9,9,mass\n', "line 1: cannot be read as CSV"),
        (b"\xff\xfe\x00", "neither UTF-8, UTF-16 nor CP949"),
        (b"film.png,1,1,9,9," + b"m" * 200_000, "field larger than field limit"),
    ],
)
def test_a_broken_list_stops_with_a_sentence(listed, data, message):
    with pytest.raises(UserError, match=message):
        listed("retinanet", {"film.png": PNG, "a.csv": data})


def test_a_folder_without_a_list_is_named(listed):
    with pytest.raises(
        UserError, match=r"no file \*\.csv inside; put keras-retinanet's annotation CSV there"
    ):
        listed("retinanet", {"film.png": PNG})


def test_broken_pictures_have_rows(listed):
    files = {
        "good.pgm": pgm(FILMS[0].pixels),
        "cut.jpg": jpeg(FILMS[1].pixels)[:2000],
        "zero.png": bytes(500),
    }
    found = listed("retinanet", files | {"a.csv": "good.pgm,,,,,\ncut.jpg,1,1,9,9,mass\nzero.png,,,,,\n"})
    assert [row.source[-8:] for row in found.images] == ["good.pgm"]
    assert reasons(found)["cut.jpg"] == "cut off: the JPEG has no end"
    assert "zero.png" in reasons(found)
