"""Duplicates in a set and leakage between sets: by patient, by pixels, by looks."""

from __future__ import annotations

import hashlib

from mammo.tables.records import Image
from mammo.trainset.leakage import NEAR_BITS, duplicates, leakage, near_duplicates, near_pairs


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def film(name: str, patient: str = "", pixels: str = "", raw: str = "", source: str = "") -> Image:
    return Image(
        image_id=name, path=f"{name}.jpg", dataset="d", delivery="", patient=patient or name, study="",
        laterality="L", view="CC", width=10, height=20, pixel_mm=None, group="abn", lesion_types="",
        source=source or f"{name}.dcm", source_sha256=digest(raw or f"raw {name}"),
        sha256=digest(pixels or f"pixels {name}"),
    )  # fmt: skip


def look(bits_set: int) -> str:
    return ((1 << bits_set) - 1).to_bytes(32, "big").hex()


def names(groups) -> list[list[str]]:
    return [[image.image_id for image in group] for group in groups]


def test_the_same_pixels_under_two_names_are_duplicates():
    films = [film("c"), film("b", pixels="same"), film("a", pixels="same")]
    assert names(duplicates(films)) == [["a", "b"]]


def test_the_same_raw_file_decoded_to_other_pixels_is_a_duplicate_and_joins_its_twins():
    films = [film("a", raw="one", pixels="p"), film("b", raw="one", pixels="q"), film("c", pixels="q")]
    assert names(duplicates(films)) == [["a", "b", "c"]]


def test_frames_of_one_file_are_duplicates_only_where_their_pixels_are_the_same():
    frames = [film("a", raw="f", source="f.dcm"), film("b", raw="f", source="f.dcm")]
    assert duplicates(frames) == []
    still = [film("a", "", "p", "f", "f.dcm"), film("b", "", "p", "f", "f.dcm")]
    assert names(duplicates(still)) == [["a", "b"]]


def test_frames_of_two_copies_of_a_file_are_duplicates_frame_by_frame():
    frames = [film(f"{copy}{n}", "", f"frame {n}", "f", f"{copy}.dcm") for copy in "ab" for n in (1, 2)]
    assert names(duplicates(frames)) == [["a1", "b1"], ["a2", "b2"]]


def test_leakage_names_patients_and_films_that_two_sets_share():
    train = [film("a", "p1"), film("b", "p2", pixels="same"), film("c", "p3")]
    test = [film("d", "p1"), film("e", "p4", pixels="same"), film("f", "p5")]
    found = leakage(train, test)
    assert (found.patients, found.twins, found.near) == (("p1",), (("b", "e"),), ())


def test_films_that_look_alike_are_named_apart_from_those_with_the_same_pixels():
    train, test = [film("a", pixels="same"), film("b")], [film("c", pixels="same"), film("d")]
    looks = {"a": look(100), "b": look(3), "c": look(100), "d": look(5)}
    found = leakage(train, test, looks)
    assert (found.twins, found.near) == ((("a", "c"),), (("b", "d"),))
    assert near_duplicates([*train, *test], looks) == [("b", "d")]


def test_looks_are_near_up_to_the_limit_and_films_without_are_left_out():
    looks = {"a": look(0), "b": look(NEAR_BITS), "c": look(NEAR_BITS + 1)}
    assert near_pairs(["a", "z"], ["b", "c", "z"], looks) == [("a", "b")]
    assert near_pairs([], ["a"], looks) == near_pairs(["z"], ["a"], looks) == []


def test_pairs_are_found_across_blocks_of_many_films():
    looks = {f"n{index:04d}": digest(str(index)) for index in range(700)}
    looks["twin"] = looks["n0599"]
    assert near_pairs(sorted(looks)[:-1], ["twin"], looks) == [("n0599", "twin")]
