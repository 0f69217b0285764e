"""From tables to train and test sets: label policies, parts, merging, the split by patient, the checks."""

from __future__ import annotations

import pytest

from mammo.errors import UserError
from mammo.settings import LabelSettings, PartSettings, ValidationSettings
from mammo.tables.records import Image, Lesion
from mammo.tables.retinanet_csv import read_annotations
from mammo.trainset.checks import check_disjoint, check_testable, check_trainable, check_validation
from mammo.trainset.labels import class_names, class_of, labelled_boxes
from mammo.trainset.split import split_by_patient
from mammo.trainset.tables import ImageSet, merge, read_set, select, with_labels_only, write_set


def image(name: str, patient: str = "", group: str = "abn", **changes: object) -> Image:
    values = {
        "image_id": name, "path": f"img/{name}.jpg", "dataset": "A", "delivery": "one",
        "patient": patient or f"A.{name}", "study": "", "laterality": "L", "view": "CC", "width": 100, "height": 100,
        "pixel_mm": None, "group": group, "lesion_types": "", "source": f"A/{name}.dcm",
        "source_sha256": "0" * 64, "sha256": name.encode().hex().rjust(64, "0"),
    }  # fmt: skip
    return Image(**(values | changes))


def lesion(
    image_id: str, number: str = "1", pathology: str = "malignant", kind: str = "mass", x2: float = 9
) -> Lesion:
    return Lesion(
        image_id=image_id, lesion_id=number, x1=1, y1=1, x2=x2, y2=9,
        lesion_type=kind, pathology=pathology, annotation_form="mask",
    )  # fmt: skip


def image_set(images: list[Image], lesions: list[Lesion] | None = None) -> ImageSet:
    return ImageSet(tuple(images), tuple(lesions or []))


# --- label policy


@pytest.mark.parametrize(
    ("policy", "unknown", "classes"),
    [
        ("all_malignant", "leave_out", ["malignant", "malignant", "malignant"]),
        ("by_pathology", "malignant", ["malignant", "benign", "malignant"]),
        ("by_pathology", "benign", ["malignant", "benign", "benign"]),
        ("by_pathology", "leave_out", ["malignant", "benign", None]),
        ("malignant_only", "malignant", ["malignant", None, "malignant"]),
        ("malignant_only", "benign", ["malignant", None, None]),
        ("malignant_only", "leave_out", ["malignant", None, None]),
    ],
)
def test_a_policy_says_the_class_of_malignant_benign_and_unknown_lesions(policy, unknown, classes):
    settings = LabelSettings(policy=policy, unknown_pathology=unknown)
    assert [
        class_of(lesion("a", pathology=name), settings) for name in ("malignant", "benign", "")
    ] == classes


def test_the_classes_of_a_policy_hold_every_class_it_gives():
    for policy in ("all_malignant", "by_pathology", "malignant_only"):
        settings = LabelSettings(policy=policy)
        given = {
            box.class_name for box in labelled_boxes([lesion("a"), lesion("a", "2", "benign")], settings)
        }
        assert given <= set(class_names(settings))
    assert class_names(LabelSettings(policy="by_pathology")) == ["benign", "malignant"]
    assert class_names(LabelSettings()) == ["malignant"]


def test_left_out_lesions_go_and_their_films_stay():
    whole = image_set([image("a"), image("b")], [lesion("a", pathology="benign"), lesion("b")])
    kept = with_labels_only(whole, LabelSettings(policy="malignant_only"))
    assert [found.image_id for found in kept.lesions] == ["b"] and len(kept.images) == 2


# --- parts


def test_an_empty_part_takes_all_in_the_order_of_ids():
    part = select(
        [image("b"), image("a"), image("n", group="normal")], [lesion("b"), lesion("a")], PartSettings()
    )
    assert [found.image_id for found in part.images] == ["a", "b", "n"]
    assert [found.image_id for found in part.lesions] == ["a", "b"]


def test_a_part_takes_deliveries_and_groups():
    images = [image("a"), image("b", delivery="two"), image("n", group="normal")]
    lesions = [lesion("a"), lesion("b")]
    taken = select(images, lesions, PartSettings(deliveries=("one",)))
    assert [found.image_id for found in taken.images] == ["a", "n"]
    assert [found.image_id for found in select(images, lesions, PartSettings(groups=("normal",))).images] == [
        "n"
    ]


@pytest.mark.parametrize("group", ["abn", "normal", "other"])
def test_a_film_whose_lesions_are_all_unwanted_never_becomes_background(group):
    part = select(
        [image("a", group=group)], [lesion("a", kind="calcification")], PartSettings(lesion_types=("mass",))
    )
    assert part == image_set([])


def test_an_abnormal_film_without_lesions_never_becomes_background():
    assert select([image("a")], [], PartSettings()) == image_set([])


def test_a_film_with_wanted_and_unwanted_lesions_keeps_the_wanted():
    lesions = [lesion("a", "1", kind="mass"), lesion("a", "2", kind="calcification")]
    part = select([image("a")], lesions, PartSettings(lesion_types=("mass",)))
    assert [found.lesion_id for found in part.lesions] == ["1"]


# --- merging


def test_merging_rewrites_paths_to_the_folder_of_the_merged_table():
    merged = merge(
        [("B", image_set([image("b")])), ("A/x", image_set([image("a")])), (".", image_set([image("c")]))]
    )
    assert [found.path for found in merged.images] == ["A/x/img/a.jpg", "B/img/b.jpg", "img/c.jpg"]


def test_a_film_in_two_tables_is_one_film_with_all_its_lesions():
    first = image_set([image("a")], [lesion("a", "1")])
    second = image_set([image("a")], [lesion("a", "2"), lesion("a", "1")])
    merged = merge([("A", first), ("A", second)])
    assert len(merged.images) == 1 and [found.lesion_id for found in merged.lesions] == ["1", "2"]


def test_tables_that_contradict_each_other_are_refused():
    with pytest.raises(UserError, match="image a stands in two tables"):
        merge([("A", image_set([image("a")])), ("A", image_set([image("a", patient="A.other")]))])
    with pytest.raises(UserError, match="lesion 1 of image a stands in two tables"):
        merge(
            [
                ("A", image_set([image("a")], [lesion("a")])),
                ("A", image_set([image("a")], [lesion("a", x2=20)])),
            ]
        )


def test_a_set_reads_back_as_it_was_written(tmp_path):
    whole = image_set([image("a"), image("n", group="normal")], [lesion("a")])
    write_set(tmp_path / "data_x.csv", whole, LabelSettings())
    assert read_set(tmp_path / "data_x.csv") == whole
    boxes = read_annotations(tmp_path / "data_x.csv")
    assert {path: len(found) for path, found in boxes.items()} == {"img/a.jpg": 1, "img/n.jpg": 0}
    assert {path.name for path in tmp_path.iterdir()} == {
        "data_x.csv", "data_x.images.csv", "data_x.lesions.csv",
    }  # fmt: skip


# --- the split


def many(patients: int, normals: int = 0) -> ImageSet:
    images = [
        image(f"p{number}{side}", patient=f"A.p{number}") for number in range(patients) for side in "LR"
    ]
    images += [image(f"n{number}", patient=f"A.n{number}", group="normal") for number in range(normals)]
    return image_set(images, [lesion(f"p{number}L") for number in range(patients)])


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.5, 0.99, 1.0])
def test_the_sides_share_no_patient_and_lose_nothing(fraction):
    whole = many(30, 20)
    training, validation = split_by_patient(whole, ValidationSettings(fraction=fraction, seed=3))
    assert not training.patients & validation.patients
    assert {*training.images, *validation.images} == set(whole.images)
    assert {*training.lesions, *validation.lesions} == set(whole.lesions)


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.99])
def test_both_sides_hold_patients_with_and_without_lesions(fraction):
    for side in split_by_patient(many(12, 7), ValidationSettings(fraction=fraction)):
        with_lesions = {found.image_id for found in side.lesions}
        patients = {found.patient for found in side.images if found.image_id in with_lesions}
        assert patients and side.patients - patients


def test_the_share_is_of_patients():
    _, validation = split_by_patient(many(40, 20), ValidationSettings(fraction=0.25))
    assert len(validation.patients) == 15


def test_a_seed_is_one_split_whatever_the_order():
    whole = many(30, 20)
    turned = image_set(list(reversed(whole.images)), list(whole.lesions))
    first, second = (
        split_by_patient(given, ValidationSettings(seed=5))[1].patients for given in (whole, turned)
    )
    assert first == second != split_by_patient(whole, ValidationSettings(seed=6))[1].patients


def test_new_patients_move_few_of_the_others():
    before = split_by_patient(many(100), ValidationSettings(fraction=0.2))[1].patients
    after = split_by_patient(many(105), ValidationSettings(fraction=0.2))[1].patients
    assert len(before - after) <= 3


@pytest.mark.parametrize("fraction", [0.1, 0.6, 1.0])
def test_a_single_patient_is_for_training(fraction):
    training, validation = split_by_patient(many(1), ValidationSettings(fraction=fraction))
    assert len(training.images) == 2 and not validation.images


def test_a_fraction_of_zero_keeps_nobody_apart():
    training, validation = split_by_patient(many(5, 5), ValidationSettings(fraction=0.0))
    assert training == many(5, 5) and validation == image_set([])


# --- folds


def folds_of(images: ImageSet, folds: int, seed: int = 3) -> list[frozenset[str]]:
    """The validation patients of each fold."""
    sides = [
        split_by_patient(images, ValidationSettings(folds=folds, fold=fold, seed=seed))
        for fold in range(1, folds + 1)
    ]
    assert not any(training.patients & validation.patients for training, validation in sides)
    return [frozenset(validation.patients) for _, validation in sides]


@pytest.mark.parametrize(("patients", "normals", "folds"), [(30, 20, 5), (7, 3, 3), (3, 3, 5), (2, 0, 2)])
def test_each_patient_is_in_exactly_one_fold_and_no_fold_is_empty(patients, normals, folds):
    whole = many(patients, normals)
    found = folds_of(whole, folds)
    assert sorted(patient for fold in found for patient in fold) == sorted(whole.patients)
    assert {len(fold) for fold in found} <= {len(whole.patients) // folds, len(whole.patients) // folds + 1}


def test_each_fold_has_its_share_of_patients_with_and_without_lesions():
    for fold in folds_of(many(33, 22), 5):
        assert 6 <= sum(patient.startswith("A.p") for patient in fold) <= 7


def test_folds_do_not_depend_on_the_order_and_another_seed_is_another_cut():
    whole = many(30, 20)
    turned = image_set(list(reversed(whole.images)), list(whole.lesions))
    assert folds_of(whole, 4) == folds_of(turned, 4) != folds_of(whole, 4, seed=4)


def test_a_new_patient_moves_few_of_the_others_to_another_fold():
    before, after = folds_of(many(100, 50), 5), folds_of(many(101, 50), 5)
    assert sum(len(old - new) for old, new in zip(before, after, strict=True)) <= 8


# --- checks


def test_sets_without_common_patients_and_films_pass():
    check_disjoint("train", many(3), "test", image_set([image("x")]))


def test_common_patients_are_named():
    with pytest.raises(UserError, match=r"A\.p0, A\.p1, A\.p2, A\.p3, A\.p4 and 1 more"):
        check_disjoint("train", many(6), "test", many(6))


def test_equal_pixels_under_other_names_are_named():
    twin = image("x", sha256=image("p0L").sha256)
    with pytest.raises(UserError, match=r"1 film.* p0L = x"):
        check_disjoint("train", many(2), "test", image_set([twin]))


def test_a_train_set_needs_images_and_lesions():
    with pytest.raises(UserError, match="train set t has no image"):
        check_trainable("t", image_set([]))
    with pytest.raises(UserError, match="train set t has no lesion"):
        check_trainable("t", image_set([image("n", group="normal")]))


def test_a_test_set_needs_images_only():
    check_testable("t", image_set([image("n", group="normal")]))
    with pytest.raises(UserError, match="test set t has no image"):
        check_testable("t", image_set([]))


def test_a_validation_set_that_was_asked_for_needs_images():
    check_validation("v", image_set([]), ValidationSettings(fraction=0.0), patients=1)
    with pytest.raises(UserError, match="too few patients"):
        check_validation("v", image_set([]), ValidationSettings(fraction=0.1), patients=1)


def test_more_folds_than_patients_are_refused_in_every_fold():
    whole = many(2, 1)
    for fold in (1, 2, 3, 4):
        settings = ValidationSettings(folds=4, fold=fold)
        _, validation = split_by_patient(whole, settings)
        with pytest.raises(UserError, match="3 patients cannot be cut into 4 folds"):
            check_validation("v", validation, settings, len(whole.patients))
