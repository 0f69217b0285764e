"""Overlays, curves and the printed table."""

from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pytest
from rich.console import Console

from mammo.errors import UserError
from mammo.metrics.films import Film, join_films
from mammo.metrics.gain import GainRow
from mammo.metrics.row import ResultRow, result_row
from mammo.report.froc_plot import write_froc_plot
from mammo.report.overlays import DETECTION, LESION, choose, draw, write_overlays
from mammo.report.summary import print_summary
from mammo.settings import EvaluationSettings, ReportSettings
from mammo.tables.csvio import read_table, write_table
from mammo.tables.records import Detection, Image, Lesion

SETTINGS = ReportSettings(overlay_side=256)


def image(image_id: str) -> Image:
    fields = {"dataset": "d", "delivery": "", "laterality": "", "view": "", "pixel_mm": None, "group": "abn"}
    digests = {"source_sha256": "0" * 64, "sha256": "0" * 64}
    return Image(
        image_id=image_id, path=f"{image_id}.jpg", patient="p", study="", width=128, height=160,
        lesion_types="", source="s", **digests, **fields,
    )  # fmt: skip


def lesion(image_id: str) -> Lesion:
    rest = {"lesion_id": "1", "lesion_type": "", "pathology": "", "annotation_form": "mask"}
    return Lesion(image_id=image_id, x1=20, y1=30, x2=60, y2=80, **rest)


def detection(image_id: str, score: float, left: float = 22) -> Detection:
    return Detection(image_id=image_id, x1=left, y1=33, x2=left + 40, y2=84, score=score, label="malignant")


@pytest.fixture
def tables(tmp_path):
    """Four films on disk: found, missed, a clean normal, a suspicious normal."""
    images = [image(name) for name in ("found", "missed", "normal", "suspicious")]
    for row in images:
        cv2.imwrite(str(tmp_path / row.path), np.full((row.height, row.width), 70, np.uint8))
    detections = [detection("found", 0.9), detection("found", 0.4, 70), detection("suspicious", 0.8)]
    return images, [lesion("found"), lesion("missed")], detections


def bytes_of(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def has_colour(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((picture == colour).all(axis=2).any())


def test_films_with_missed_lesions_come_first_and_suspicious_normals_before_clean_ones(tables):
    chosen = choose(join_films(*tables), SETTINGS)
    assert [film.image_id for film in chosen] == ["missed", "found", "suspicious", "normal"]
    assert len(choose(join_films(*tables), ReportSettings(overlays=2))) == 2


def test_overlays_are_the_same_bytes_in_every_run_and_replace_older_ones(tables, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.png").write_bytes(b"")
    assert write_overlays(tmp_path / "out", tmp_path, *tables, SETTINGS) == 4
    first = bytes_of(tmp_path / "out")
    write_overlays(tmp_path / "again", tmp_path, *tables, SETTINGS)
    assert sorted(first) == ["found.png", "missed.png", "normal.png", "suspicious.png"]
    assert first == bytes_of(tmp_path / "again")
    assert not list(tmp_path.glob(".tmp-*"))


def test_lesions_and_detections_are_drawn_where_they_are(tables):
    film = next(film for film in join_films(*tables) if film.image_id == "found")
    picture = draw(np.full((160, 128), 70, np.uint8), film, SETTINGS)
    assert picture.shape[0] > 256
    scale = 256 / 160
    left = picture[round(55 * scale), round(20 * scale)]
    assert tuple(left) == LESION
    assert has_colour(picture[:256, round(105 * scale) :], DETECTION)


def test_detections_below_the_drawing_threshold_are_not_drawn():
    film = join_films([image("x")], [], [detection("x", 0.09)])[0]
    picture = draw(np.full((160, 128), 70, np.uint8), film, SETTINGS)
    assert (picture[:256, :, 0] == picture[:256, :, 2]).all()


def test_boxes_beyond_the_film_and_many_on_one_place_are_drawn_without_failing():
    found = [detection("x", 0.5, left) for left in (-30, 110, 22, 22, 22, 22, 22, 22, 22, 22)]
    film = join_films([image("x")], [], found)[0]
    assert draw(np.zeros((160, 128), np.uint8), film, ReportSettings(overlay_side=128)).shape[1] == 102


def test_a_film_that_is_missing_or_of_another_size_is_an_error(tables, tmp_path):
    cv2.imwrite(str(tmp_path / "found.jpg"), np.zeros((20, 20), np.uint8))
    with pytest.raises(UserError, match=r"expected a film of 128×160 pixels, found 20×20"):
        write_overlays(tmp_path / "out", tmp_path, *tables, SETTINGS)
    (tmp_path / "found.jpg").unlink()
    with pytest.raises(UserError, match=r"found\.jpg: the film cannot be read"):
        write_overlays(tmp_path / "out", tmp_path, *tables, SETTINGS)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("with_lesions", [True, False])
def test_curves_are_the_same_bytes_in_every_run(tables, tmp_path, with_lesions):
    images, lesions, detections = tables
    films = join_films(images, lesions if with_lesions else [], detections)
    members = {f"m_{index:02d}": films for index in range(1, 4)}
    settings = EvaluationSettings(resamples=100)
    for name in ("one", "two"):
        paths = (tmp_path / name / "froc.png", tmp_path / name / "froc.svg")
        write_froc_plot(*paths, members, ("ensemble", films), settings)
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")
    assert b"<dc:date>" not in (tmp_path / "one" / "froc.svg").read_bytes()


def test_the_printed_table_shows_members_and_ensemble_and_where_to_look(tables, tmp_path):
    films: list[Film] = join_films(*tables)
    names = {"test_set": "abn", "run_id": "0" * 12}
    rows = [
        result_row(films, EvaluationSettings(), model=model, kind=kind, members=["m_01"], **names)
        for model, kind in (("m_01", "member"), ("best", "ensemble"))
    ]
    write_table(tmp_path / "ensemble_abn.csv", ResultRow, rows)
    (tmp_path / "data_report.html").touch()
    console = Console(record=True, width=100, file=open("/dev/null", "w"))  # noqa: SIM115
    print_summary(tmp_path, console)
    text = console.export_text()
    for expected in (
        "ensemble_abn.csv",
        "4 images",
        "m_01",
        "best",
        "0.500",
        "Where to look next",
        "data_report.html",
    ):
        assert expected in text


def test_the_printed_table_says_intervals_and_what_an_ensemble_gains(tables, tmp_path):
    films = join_films(*tables)
    names = {"test_set": "abn", "run_id": "0" * 12, "model": "best", "kind": "ensemble", "members": ["m_01"]}
    row = result_row(films, EvaluationSettings(), **names)
    row = row.model_copy(update={"froc_mean": 0.7512, "froc_mean_low": 0.701, "froc_mean_high": 0.798})
    write_table(tmp_path / "ensemble_abn.csv", ResultRow, [row])
    gain = GainRow(
        test_set="abn", ensemble="best", against="best_member", model="m_01", figure="froc_mean", value=0.7512,
        other=0.73, difference=0.0212, low=-0.013, high=0.049, p=0.18, resamples=2000,
    )  # fmt: skip
    write_table(tmp_path / "ensembles/best/abn.gain.csv", GainRow, [gain])
    console = Console(record=True, width=160, file=open("/dev/null", "w"))  # noqa: SIM115
    print_summary(tmp_path, console)
    text = console.export_text()
    assert "0.751" in text and "0.70–0.80" in text
    assert "best against its best member: FROC mean +0.021 (-0.013 to +0.049), p 0.180" in text


def test_a_folder_without_results_is_an_error(tmp_path):
    with pytest.raises(UserError, match="run the workflow first"):
        print_summary(tmp_path)


def test_the_scripts_join_from_detections_to_tables_and_pictures(tables, tmp_path, root):
    images, lesions, detections = tables
    write_table(tmp_path / "set.images.csv", Image, images)
    write_table(tmp_path / "set.lesions.csv", Lesion, lesions)
    for name in ("a_01", "a_02"):
        write_table(tmp_path / name / "abn.csv", Detection, detections)
    out = {
        name: str(tmp_path / name)
        for name in ("v1.csv", "v2.csv", "m.csv", "d.csv", "t.csv", "f.csv", "all.csv")
    }
    truth = ["--images", str(tmp_path / "set.images.csv"), "--lesions", str(tmp_path / "set.lesions.csv")]
    found = [str(tmp_path / name / "abn.csv") for name in ("a_02", "a_01")]
    few = '{"resamples":100}'

    def run(script: str, *arguments: str) -> None:
        command = [sys.executable, str(root / "scripts" / script), *arguments]
        subprocess.run(command, check=True, capture_output=True)

    for table, name in (("v1.csv", "a_01"), ("v2.csv", "a_02")):
        files = f"validation={truth[1]},{truth[3]},{tmp_path / name / 'abn.csv'}"
        run("evaluate.py", "--test-sets", files, "--model", name, "--settings", few, "--out", out[table])
    run(
        "members.py",
        "--settings",
        '{"best":1}',
        "--candidates",
        out["v2.csv"],
        out["v1.csv"],
        "--out",
        out["m.csv"],
    )
    assert (tmp_path / "m.csv").read_text().splitlines()[1].startswith("a_01,froc_mean,")
    run(
        "ensemble.py", "--name", "both", "--test-set", "abn", *truth, "--members", *found, "--fusion", "{}",
        "--evaluation", few, "--out-detections", out["d.csv"], "--out-table", out["t.csv"],
        "--out-figures", out["f.csv"],
    )  # fmt: skip
    run("collect.py", "--out", out["all.csv"], out["t.csv"], out["v1.csv"])
    rows = read_table(out["all.csv"], ResultRow)
    assert [(row.model, row.kind, row.members) for row in rows] == [
        ("a_01", "member", "a_01"),
        ("a_02", "member", "a_02"),
        ("both", "ensemble", "a_01;a_02"),
        ("a_01", "snapshot", "a_01"),
    ]
