"""Films at network size: what is written is what is read, and what is not as the index says is never read."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest

from mammo.detector.network_films import (
    NetworkFilm,
    NetworkFilms,
    read_film,
    scale_film,
    write_network_films,
)
from mammo.errors import UserError
from mammo.settings import SideSettings
from mammo.tables.csvio import read_table, write_table
from mammo.tables.records import Image

from .conftest import image_row

SCRIPTS = Path(__file__).parents[2] / "scripts"
SIDES = SideSettings(min=48, max=64)
# (width, height) of the films, in the order of the table; the index is in the order of their ids.
SIZES = {"b": (100, 120), "a": (90, 200), "c": (64, 40)}


def make_set(folder: Path, dtype: type = np.uint16) -> Path:
    """Three films of noise as PNG, and their table."""
    rows = []
    for number, (name, (width, height)) in enumerate(SIZES.items()):
        film = np.random.default_rng(number).integers(0, np.iinfo(dtype).max + 1, (height, width), dtype)
        cv2.imwrite(str(folder / f"{name}.png"), film)
        rows.append(image_row(f"set.{name}", f"{name}.png", width, height))
    write_table(folder / "set.images.csv", Image, rows)
    return folder / "set.images.csv"


@pytest.fixture
def images(tmp_path):
    return make_set(tmp_path)


@pytest.fixture
def index(images):
    """The films of `images` at network size."""
    path = images.parent / "network/set.csv"
    write_network_films(images, SIDES, 16, path)
    return path


@pytest.mark.parametrize("bits", [8, 16])
def test_a_film_is_read_as_it_was_scaled(images, tmp_path, bits):
    write_network_films(images, SIDES, bits, tmp_path / "out.csv")
    films = NetworkFilms(tmp_path / "out.csv")
    assert [row.image_id for row in films.rows] == ["set.a", "set.b", "set.c"]
    for position, name in enumerate("abc"):
        expected = scale_film(read_film(tmp_path / f"{name}.png", bits), SIDES)
        found = films.read(position)
        assert found.dtype == np.dtype(f"uint{bits}") and np.array_equal(found, expected)
        assert np.array_equal(
            films.read(position), expected
        )  # the second time, when the digest is not taken again


def test_the_shorter_side_is_as_asked_unless_the_longer_would_exceed(index):
    assert [(row.width, row.height) for row in NetworkFilms(index).rows] == [(29, 64), (48, 58), (64, 40)]


def test_boxes_follow_each_side_by_itself(index):
    films = NetworkFilms(index)
    assert np.allclose(films.box_factors(0) * [90, 200, 45, 100], [29, 64, 14.5, 32])


def test_what_is_read_may_be_changed_and_changes_nothing(index):
    films = NetworkFilms(index)
    before = films.read(0).copy()
    films.read(0)[:] = 0
    assert np.array_equal(films.read(0), before)


def test_an_empty_set_is_an_index_without_rows(tmp_path):
    write_table(tmp_path / "empty.images.csv", Image, [])
    write_network_films(tmp_path / "empty.images.csv", SIDES, 8, tmp_path / "empty.csv")
    assert len(NetworkFilms(tmp_path / "empty.csv")) == 0


def test_the_same_films_give_the_same_bytes_whatever_their_order_in_the_table(images, index, tmp_path):
    write_table(images, Image, reversed(read_table(images, Image)))
    write_network_films(images, SIDES, 16, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == index.read_bytes()
    assert (tmp_path / "again.pixels").read_bytes() == index.with_suffix(".pixels").read_bytes()


def test_eight_bit_films_are_refused_where_sixteen_are_asked_for(tmp_path):
    images = make_set(tmp_path, np.uint8)
    with pytest.raises(UserError, match=r"a\.png: holds 8 bits a pixel .* set display.image_format to png16"):
        write_network_films(images, SIDES, 16, tmp_path / "out.csv")


def test_a_film_of_another_size_than_its_row_is_named_and_nothing_is_left(images, tmp_path):
    cv2.imwrite(str(tmp_path / "b.png"), np.zeros((10, 20), np.uint16))
    with pytest.raises(UserError, match=r"b\.png: is 20×10 pixels, its row .* says 100×120"):
        write_network_films(images, SIDES, 16, tmp_path / "network/out.csv")
    assert list((tmp_path / "network").iterdir()) == []


@pytest.mark.parametrize("fault", ["missing", "no image"])
def test_a_film_that_cannot_be_read_is_named(images, tmp_path, fault):
    (tmp_path / "c.png").unlink()
    if fault == "no image":
        (tmp_path / "c.png").write_bytes(b"text")
    with pytest.raises(UserError, match=r"c\.png: is missing or cannot be read as an image"):
        write_network_films(images, SIDES, 16, tmp_path / "out.csv")


@pytest.mark.parametrize("change", [-1, 1], ids=["shorter", "longer"])
def test_a_file_of_pixels_of_another_length_than_its_index_says_is_refused(index, change):
    pixels = index.with_suffix(".pixels")
    size = pixels.stat().st_size
    with open(pixels, "r+b") as file:
        file.truncate(size + change)
    with pytest.raises(UserError, match=f"holds {size + change} bytes, set.csv says {size}; remove both"):
        NetworkFilms(index)


def test_a_missing_file_of_pixels_is_named(index):
    index.with_suffix(".pixels").unlink()
    with pytest.raises(UserError, match=r"set\.pixels: cannot be read .* remove it and set.csv"):
        NetworkFilms(index)


def test_pixels_of_another_film_are_never_taken_for_those_of_the_index(index):
    pixels = index.with_suffix(".pixels")
    content = bytearray(pixels.read_bytes())
    content[-1] ^= 1
    pixels.write_bytes(content)
    films = NetworkFilms(index)
    films.read(0)
    with pytest.raises(UserError, match=r"does not hold the pixels of set\.c that its index names"):
        films.read(2)


def test_pixels_that_end_while_they_are_read_are_an_error(index):
    films = NetworkFilms(index)
    with open(index.with_suffix(".pixels"), "r+b") as file:
        file.truncate(10)
    with pytest.raises(UserError, match=r"does not hold the pixels of set\.a"):
        films.read(0)


def test_bits_that_no_pixel_has_are_refused(index):
    rows = read_table(index, NetworkFilm)
    index.write_text(index.read_text().replace(f",{rows[0].bits},", ",12,"))
    with pytest.raises(UserError, match=r"set\.csv, line 2, bits"):
        NetworkFilms(index)


def test_reading_many_films_holds_one(tmp_path):
    """A hundred films of 1 MB that are one file with a hundred names."""
    cv2.imwrite(str(tmp_path / "film.png"), np.zeros((1024, 1024), np.uint8))
    rows = [image_row(f"set.{number:03d}", "film.png", 1024, 1024) for number in range(100)]
    write_table(tmp_path / "set.images.csv", Image, rows)
    tracemalloc.start()
    write_network_films(
        tmp_path / "set.images.csv", SideSettings(min=1024, max=1024), 8, tmp_path / "set.csv"
    )
    films = NetworkFilms(tmp_path / "set.csv")
    for position in range(len(films)):
        films.read(position)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (tmp_path / "set.pixels").stat().st_size == 100 * 2**20
    assert peak < 40 * 2**20


def scale(images: Path, out: Path, code: str = "c") -> str:
    """Run the script and return what it said."""
    arguments = {"images": images, "out": out, "kept": out.parent / ".kept", "code": code}
    arguments |= {"min-side": 48, "max-side": 64, "bits": 16}
    command = [sys.executable, str(SCRIPTS / "scale.py")]
    command += [text for name, value in arguments.items() for text in (f"--{name}", str(value))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_script_writes_the_index_with_the_pixels_beside_it(images, index, tmp_path):
    assert "out.csv: 3 films" in scale(images, tmp_path / "out.csv")
    assert (tmp_path / "out.pixels").read_bytes() == index.with_suffix(".pixels").read_bytes()


@pytest.fixture
def lost(images, tmp_path):
    """An index that was made and then deleted with its pixels, as Snakemake does; with what was in them."""
    out = tmp_path / "out/set.csv"
    scale(images, out)
    content = out.read_bytes(), out.with_suffix(".pixels").read_bytes()
    for path in (out, out.with_suffix(".pixels")):
        path.unlink()
    return out, content


def test_the_same_films_are_not_scaled_again_when_the_outputs_were_deleted(images, tmp_path, lost):
    out, content = lost
    row, *rest = read_table(images, Image)
    write_table(images, Image, [row.model_copy(update={"lesion_types": "mass", "group": "normal"}), *rest])
    (tmp_path / "a.png").unlink()  # nobody looks at it
    assert "none was scaled" in scale(images, out)
    assert (out.read_bytes(), out.with_suffix(".pixels").read_bytes()) == content


@pytest.mark.parametrize("change", ["film", "code", "lost", "damaged"])
def test_films_are_scaled_again_when_they_the_code_or_what_was_kept_changed(images, tmp_path, lost, change):
    out, content = lost
    if change == "film":
        cv2.imwrite(str(tmp_path / "a.png"), np.zeros((200, 90), np.uint16))
        rows = read_table(images, Image)
        write_table(images, Image, [row.model_copy(update={"sha256": "1" * 64}) for row in rows])
    elif change == "lost":
        for path in (out.parent / ".kept").iterdir():
            path.unlink()
    elif change == "damaged":
        pixels = out.parent / ".kept/set.pixels"
        pixels.write_bytes(pixels.read_bytes()[:-1] + b"x")
    assert "none was scaled" not in scale(images, out, "d" if change == "code" else "c")
    assert ((out.read_bytes(), out.with_suffix(".pixels").read_bytes()) == content) == (change != "film")
