"""Files of several frames are turned down with a row, or every frame becomes a film of its own."""

from __future__ import annotations

import pytest
from pydicom import dcmread

from mammo.datasets.base import Item
from mammo.datasets.multiframe import split_frames


def with_frames(path, count):
    """Give a film of the delivery `count` frames, all of them its own pixels."""
    film = dcmread(path)
    film.NumberOfFrames = count
    film.PixelData = film.PixelData * count
    film.save_as(path)


def item_of(path, data):
    return Item(
        dataset="NCC", film_id="abn_1_film", film=path.relative_to(data).as_posix(), sha256="0" * 64,
        patient="NCC.1", group="abn",
    )  # fmt: skip


@pytest.fixture
def film(copy):
    data = copy("NCC")
    path = next(
        path
        for path in sorted((data / "NCC/dicom/normal").rglob("*.dcm"))
        if path.stat().st_size and not dcmread(path, force=True).get("NumberOfFrames")
        and "PixelData" in dcmread(path, force=True)
        and not dcmread(path).file_meta.TransferSyntaxUID.is_compressed
    )  # fmt: skip
    return data, path


def test_a_file_of_several_frames_is_turned_down_with_the_way_out(film, pipeline):
    data, path = film
    with_frames(path, 3)
    kept, rejects = split_frames([item_of(path, data)], data, pipeline.dataset_settings("NCC"))
    assert kept == []
    assert [row.source for row in rejects] == [path.relative_to(data).as_posix()]
    assert rejects[0].reason.startswith("3 frames: a film has one (datasets.*.frames: each")


def test_each_frame_becomes_a_film_with_a_name_of_its_own(film, pipeline):
    data, path = film
    with_frames(path, 3)
    kept, rejects = split_frames([item_of(path, data)], data, pipeline.dataset_settings("NCC", frames="each"))
    assert [(item.film_id, item.frame) for item in kept] == [
        ("abn_1_film_f001", 0), ("abn_1_film_f002", 1), ("abn_1_film_f003", 2)
    ]  # fmt: skip
    assert rejects == []


def test_a_header_that_lies_about_frames_is_turned_down(film, pipeline):
    data, path = film
    dataset = dcmread(path)
    dataset.NumberOfFrames = 2_000_000_000
    dataset.save_as(path)
    kept, rejects = split_frames([item_of(path, data)], data, pipeline.dataset_settings("NCC", frames="each"))
    assert kept == [] and "more than any film has" in rejects[0].reason


def test_one_frame_stays_the_film_that_it_is(film, pipeline):
    data, path = film
    item = item_of(path, data)
    assert split_frames([item], data, pipeline.dataset_settings("NCC")) == ([item], [])
