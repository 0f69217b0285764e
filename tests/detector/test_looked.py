"""A snapshot looks at a set once: what it found is kept by a key of all that it depends on."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from mammo.detector.looked import KEPT, Looked, look_keys, parse_sets
from mammo.detector.model import build_model
from mammo.detector.network_films import write_network_films
from mammo.errors import UserError
from mammo.settings import section_json
from mammo.tables.csvio import read_table, write_table
from mammo.tables.records import Detection, Image

from .conftest import image_row, tiny_settings

ROW = Detection(image_id="a", x1=0, y1=0, x2=2, y2=2, score=0.5, label="malignant")


@pytest.fixture
def files(tmp_path):
    paths = {name: tmp_path / name for name in ("snapshot", "classes", "one.csv", "two.csv")}
    for name, path in paths.items():
        path.write_text(name)
    return paths


def keys(files, code="code", **changes):
    sets = {"one": files["one.csv"], "two": files["two.csv"]}
    return look_keys(files["snapshot"], sets, files["classes"], tiny_settings(**changes), code)


def test_a_key_is_the_same_for_the_same_content(files):
    assert keys(files) == keys(files)
    assert len(set(keys(files).values())) == 2


@pytest.mark.parametrize("name", ["snapshot", "classes"])
def test_another_snapshot_or_class_table_is_another_key(files, name):
    before = keys(files)
    files[name].write_text("other")
    assert not set(before.values()) & set(keys(files).values())


def test_other_films_change_the_key_of_their_set_only(files):
    before = keys(files)
    files["two.csv"].write_text("other")
    assert keys(files)["one"] == before["one"]
    assert keys(files)["two"] != before["two"]


@pytest.mark.parametrize(
    "change",
    [{"code": "other"}, {"detect": {"nms_threshold": 0.4}}, {"model": {"head_features": 16}}, {"bits": 16}],
)
def test_other_code_or_settings_of_the_look_are_another_key(files, change):
    assert not set(keys(files).values()) & set(keys(files, **change).values())


def test_settings_of_training_do_not_matter(files):
    assert keys(files, train={"epochs": 9, "learning_rate": 0.5}) == keys(files)


def test_what_was_kept_is_published_as_one_file(tmp_path):
    store, out = Looked(tmp_path / "store"), tmp_path / "out/one.csv"
    assert not store.has("k")
    store.keep("k", [ROW])
    os.utime(store.path("k"), (0, 0))
    store.publish("k", out)
    assert read_table(out, Detection) == [ROW]
    assert out.stat().st_ino == store.path("k").stat().st_ino
    assert out.stat().st_mtime > 1e9  # newer than what it was made from, or Snakemake would ask for it again
    out.unlink()
    assert store.has("k")


def test_the_longest_unused_go_first_and_the_present_ones_stay(tmp_path):
    store = Looked(tmp_path)
    for number in range(KEPT + 3):
        store.keep(str(number), [])
        os.utime(store.path(str(number)), (number, number))
    store.forget_oldest(but=["0"])
    gone = [str(number) for number in range(KEPT + 3) if not store.has(str(number))]
    assert gone == ["1", "2"]


def test_sets_are_given_once_by_name():
    assert list(parse_sets(["a=x.csv", "b=y.csv"])) == ["a", "b"]
    for wrong in (["a"], ["=x.csv"], ["a="], ["a=x", "a=y"]):
        with pytest.raises(UserError, match=r"a set is given once, as NAME=index\.csv"):
            parse_sets(wrong)


@pytest.fixture
def run(films, root, tmp_path):
    """Runs the script on sets by name, with the films of `<name>.images.csv`; returns the process."""
    settings, folder = tiny_settings(), tmp_path / "run"
    folder.mkdir()
    build_model(settings.model, 1, 3).save(folder / "s.h5", save_format="h5")
    write_table(films / "other.images.csv", Image, [image_row("tiny.1", "img/1.png", 128, 128)])
    for name in ("test", "other"):
        write_network_films(films / f"{name}.images.csv", settings.sides, 8, films / f"{name}.csv")

    def run_script(*names):
        return subprocess.run(
            [sys.executable, root / "scripts/detect.py", "--snapshot", folder / "s.h5",
             "--classes", films / "class.csv", "--settings", section_json(settings), "--code", "c",
             "--store", folder / "store", "--out", folder,
             "--sets", *(f"{name}={films / name}.csv" for name in names)],
            capture_output=True, text=True, env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
        )  # fmt: skip

    return run_script


def test_the_script_looks_only_at_what_it_has_not_seen(run, tmp_path):
    assert "test: look\n" in run("test").stderr
    out = tmp_path / "run/test.csv"
    first = out.read_bytes()
    out.unlink()  # as Snakemake does before the job
    said = run("test", "other").stderr
    assert "test: looked at before" in said and "other: look\n" in said
    assert "s on other" in said and "s on test" not in said
    assert out.read_bytes() == first
    again = run("test", "other")
    assert again.returncode == 0 and again.stderr.splitlines() == [
        "test: looked at before",
        "other: looked at before",
    ]


def test_a_job_that_ended_between_two_sets_has_kept_the_first(run, films):
    pixels = films / "other.pixels"
    sound = pixels.read_bytes()
    pixels.write_bytes(bytes(len(sound)))
    failed = run("test", "other")
    assert failed.returncode == 1 and "does not hold the pixels of tiny.1" in failed.stderr
    pixels.write_bytes(sound)
    assert "test: looked at before\nother: look\n" in run("test", "other").stderr
