"""Sets that come as COCO JSON."""

from __future__ import annotations

import json

import pytest

from mammo.errors import UserError
from mammo.phantom.pictures import coco_set, picture_films, png

FILMS = picture_films(seed=8)
GOOD, PNG = png(FILMS[0].pixels), png(FILMS[1].pixels)
WIDTH, HEIGHT = FILMS[1].size


def content(boxes=(), **changes):
    """A JSON of two films, good.png without a lesion, film.png with annotations of these boxes."""
    made = {
        "images": [{"id": 1, "file_name": "good.png"}, {"id": 2, "file_name": "film.png"}],
        "annotations": [{"id": 9, "image_id": 2, "category_id": 3, "bbox": box} for box in boxes],
        "categories": [{"id": 3, "name": "mass"}],
    }
    return json.dumps(made | changes)


def run(listed, text, **changes):
    return listed("coco", {"good.png": GOOD, "film.png": PNG, "a.json": text}, **changes)


def reasons(tables):
    return {row.source.removeprefix("Set/raw_files/"): row.reason for row in tables.rejects}


def test_every_film_and_lesion_is_recovered(listed):
    truth = coco_set(FILMS, "Set")
    found = listed("coco", truth.files)
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
    assert {row.annotation_form for row in found.lesions} == {"coco"}
    assert found.rejects == []


# --- where the films are ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("listed_in", "film"),
    [
        ("annotations/instances_val.json", "images/val/film.png"),
        ("annotations/instances_val.json", "val/film.png"),
        ("annotations/instances_val.json", "images/film.png"),
        ("val.json", "film.png"),
        ("part/_annotations.coco.json", "part/film.png"),
    ],
)
def test_films_are_found_in_the_layouts_that_are_in_use(listed, listed_in, film):
    images = [{"id": 2, "file_name": "film.png"}]
    found = listed("coco", {film: PNG, listed_in: content([[1, 1, 5, 5]], images=images)})
    assert [(row.source, row.group) for row in found.images] == [(f"Set/raw_files/{film}", "abn")]
    assert found.rejects == []


def test_the_same_name_in_two_folders_is_two_films(listed):
    images = [{"id": 2, "file_name": "film.png"}]
    files = {
        "images/train/film.png": PNG,
        "images/val/film.png": GOOD,
        "annotations/instances_train.json": content([[1, 1, 5, 5]], images=images),
        "annotations/instances_val.json": content(images=images),
    }
    found = listed("coco", files)
    assert [(row.image_id, row.delivery, row.group) for row in found.images] == [
        ("Set.images_train_film", "train", "abn"),
        ("Set.images_val_film", "val", "normal"),
    ]


def test_one_file_under_two_ids_is_one_film_with_the_lesions_of_both(listed):
    text = content(
        images=[{"id": 1, "file_name": "film.png"}, {"id": 2, "file_name": "./film.png"}],
        annotations=[
            {"image_id": image, "category_id": 3, "bbox": box}
            for image, box in ((1, [1, 1, 5, 5]), (2, [1, 1, 5, 5]), (2, [20, 20, 5, 5]))
        ],
    )
    found = listed("coco", {"film.png": PNG, "a.json": text})
    assert [(row.x1, row.x2) for row in found.lesions] == [(1, 6), (20, 25)]
    assert len(found.images) == 1


def test_a_film_of_another_size_than_listed_is_turned_down(listed):
    images = [
        {"id": 1, "file_name": "good.png", "width": WIDTH, "height": HEIGHT},
        {"id": 2, "file_name": "film.png", "width": 2 * WIDTH, "height": 2 * HEIGHT},
    ]
    found = run(listed, content([[1, 1, 5, 5]], images=images))
    reason = f"the list speaks of {2 * WIDTH}x{2 * HEIGHT} pixels, and the film has {WIDTH}x{HEIGHT}"
    assert reasons(found)["film.png"].startswith(reason)
    assert len(found.images) == 1


# --- boxes ------------------------------------------------------------------------------------------------------------


def test_a_box_is_x_y_width_height_and_is_cut_to_the_film(listed):
    found = run(listed, content([[-2.5, 10, 12.5, 20], [WIDTH - 4, 3, 400, 5]]))
    assert [(row.x1, row.y1, row.x2, row.y2) for row in found.lesions] == [
        (0, 10, 10, 30),
        (WIDTH - 4, 3, WIDTH, 8),
    ]


def test_an_annotation_that_stands_twice_is_one_lesion(listed):
    assert len(run(listed, content([[1, 1, 5, 5], [1, 1.0, 5, 5]])).lesions) == 1


@pytest.mark.parametrize("name", ["\ud800", "a\nb", "  ", "\u202e"])
def test_a_class_without_a_name_that_can_be_written_turns_its_film_down(listed, name):
    found = run(listed, content([[1, 1, 5, 5]], categories=[{"id": 3, "name": name}]))
    assert "no name of a class" in reasons(found)["film.png"]


def test_a_file_name_that_cannot_be_written_has_a_row(listed):
    images = [{"id": 1, "file_name": "good.png"}, {"id": 2, "file_name": "\ud800.png"}]
    assert "images/a/\\ud800.png" in reasons(run(listed, content(images=images)))


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ([5, 5, 0, 9], "the box 5,5,5,14 has no area"),
        ([5, 5, -3, 9], "the box 5,5,2,14 has no area"),
        ([float("nan"), 5, 3, 9], "a number was expected, found nan"),
        ([5, 5, float("inf"), 9], "a number was expected, found inf"),
        ([5, 5, 10**400, 9], "a number was expected, found '1000"),
        ([5, 5, True, 9], "a number was expected, found 'True'"),
        ([5, 5, None, 9], "a number was expected, found 'None'"),
        ([5, 5, [1], 9], "a number was expected, found '[1]'"),
        ([5, 5, 9], "no bbox of four numbers"),
        ("5,5,9,9", "no bbox of four numbers"),
        (None, "no bbox of four numbers"),
        ([WIDTH, 5, 9, 9], "lesion 01 lies outside of the film"),
    ],
)
def test_a_film_with_a_box_that_cannot_be_used_is_turned_down_whole(listed, box, reason):
    found = run(listed, content([[1, 1, 5, 5], box]))
    assert reason in reasons(found)["film.png"]
    assert found.lesions == [] and [row.image_id for row in found.images] == ["Set.good"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iscrowd": 1}, "a crowd (iscrowd), not one lesion's box"),
        ({"category_id": 4}, "its category_id is that of no category"),
        ({"category_id": [3]}, "its category_id is that of no category"),
    ],
)
def test_an_annotation_that_is_no_single_lesion_turns_its_film_down(listed, changes, reason):
    annotation = {"image_id": 2, "category_id": 3, "bbox": [1, 1, 5, 5]}
    found = run(listed, content(annotations=[annotation | changes]))
    assert reasons(found) == {"film.png": f"a.json#images/1: annotations/0: {reason}"}


# --- references that lead nowhere -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "annotation", [{"image_id": 77, "category_id": 3}, {"category_id": 3}, 5, None, {"image_id": {}}]
)
def test_an_annotation_of_no_image_has_a_row_of_its_own(listed, annotation):
    found = run(listed, content(annotations=[annotation]))
    assert reasons(found) == {"a.json#annotations/0": "its image_id is that of no image of the list"}
    assert len(found.images) == 2


@pytest.mark.parametrize("image", [{"id": 3}, {"id": 3, "file_name": 5}, "film.png", None])
def test_an_image_without_a_name_has_a_row_of_its_own(listed, image):
    found = run(listed, content(images=[{"id": 1, "file_name": "good.png"}, image]))
    assert reasons(found)["a.json#images/1"] == "an image without a file_name"


def test_films_that_share_an_id_are_turned_down(listed):
    images = [{"id": 2, "file_name": "good.png"}, {"id": 2, "file_name": "film.png"}]
    files = {"other.png": PNG, "b.json": content(images=[{"id": 1, "file_name": "other.png"}])}
    found = listed(
        "coco", files | {"good.png": GOOD, "film.png": PNG, "a.json": content([[1, 1, 5, 5]], images=images)}
    )
    assert [row.image_id for row in found.images] == ["Set.other"]
    assert "its id is none, or that of several images" in reasons(found)["film.png"]


# --- lists that cannot be read ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (content()[:-40], "broken JSON"),
        ("", "broken JSON"),
        ("[" * 200_000, "broken JSON"),
        ("[]", "COCO needs a list 'images'"),
        (content(annotations=None), "COCO needs a list 'annotations'"),
        (content(categories={}), "COCO needs a list 'categories'"),
        (b"\x81\xff\x00{", "neither UTF-8, UTF-16 nor CP949"),
    ],
)
def test_a_broken_list_stops_with_a_sentence(listed, text, message):
    with pytest.raises(UserError, match=rf"a\.json: .*{message}"):
        run(listed, text)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "cp949"])
def test_a_list_in_another_encoding_is_read(listed, encoding):
    text = json.dumps(
        json.loads(content([[1, 1, 5, 5]], categories=[{"id": 3, "name": "종괴"}])), ensure_ascii=False
    )
    assert [row.lesion_type for row in run(listed, text.encode(encoding)).lesions] == ["종괴"]
