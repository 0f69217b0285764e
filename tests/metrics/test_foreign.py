"""Files of other makes: one set in every format has the same figures; what is wrong is told with its row."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mammo.errors import UserError
from mammo.metrics.foreign import NO_IMAGES, NO_PATIENTS, read_set
from mammo.tables.csvio import write_table
from mammo.tables.records import Detection, Image, Lesion


class Files:
    """Writes files of a folder; `set_of` reads them as a set."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str, content: object) -> str:
        text = content if isinstance(content, str) else json.dumps(content)
        (self.folder / name).write_text(text, encoding="utf-8")
        return str(self.folder / name)


@pytest.fixture
def files(tmp_path) -> Files:
    return Files(tmp_path)


def ours(files, five_films) -> list[str]:
    paths = [str(files.folder / f"{name}.csv") for name in ("lesions", "detections", "images")]
    for path, model, rows in zip(
        paths, (Lesion, Detection, Image), (five_films[1], five_films[2], five_films[0]), strict=True
    ):
        write_table(path, model, rows)
    return paths


def coco(files, five_films) -> list[str]:
    images, lesions, found = five_films
    number = {image.image_id: place + 1 for place, image in enumerate(images)}

    def entry(row):
        bbox = [row.x1, row.y1, row.x2 - row.x1, row.y2 - row.y1]
        return {"image_id": number[row.image_id], "category_id": 1, "bbox": bbox}

    truth = {
        "images": [
            {"id": number[row.image_id], "file_name": f"{row.image_id}.jpg", "width": 100, "height": 100}
            for row in images
        ],
        "annotations": [entry(row) | {"id": place} for place, row in enumerate(lesions)],
        "categories": [{"id": 1, "name": "mass"}],
    }
    results = [entry(row) | {"score": row.score} for row in found]
    return [files("instances.json", truth), files("results.json", results)]


def retinanet(files, five_films) -> list[str]:
    images, lesions, found = five_films
    having = {row.image_id for row in lesions}
    truth = [f"{row.image_id}.jpg,{row.x1},{row.y1},{row.x2},{row.y2},mass" for row in lesions]
    truth += [f"{row.image_id}.jpg,,,,," for row in images if row.image_id not in having]
    results = [f"{row.image_id}.jpg,{row.x1},{row.y1},{row.x2},{row.y2},mass,{row.score}" for row in found]
    results.append("4.jpg,,,,,,")
    return [files("annotations.csv", "\n".join(truth)), files("found.csv", "\n".join(results))]


@pytest.mark.parametrize("write", [ours, coco, retinanet])
def test_one_set_in_every_format_is_the_same_films(files, five_films, write):
    found = read_set(*write(files, five_films))
    boxes = [(film.lesions.tolist(), film.detections.tolist(), film.scores.tolist()) for film in found.films]
    expected = read_set(*ours(files, five_films)).films
    assert boxes == [(one.lesions.tolist(), one.detections.tolist(), one.scores.tolist()) for one in expected]
    assert len(boxes) == 5
    assert found.notes == ([] if write is ours else [NO_PATIENTS])


def test_without_a_list_of_images_only_those_with_a_box_are_known_and_it_is_said(files, five_films):
    lesions, detections, _ = ours(files, five_films)
    found = read_set(lesions, detections)
    assert [film.image_id for film in found.films] == ["1", "2", "3", "5"]
    assert found.notes == [NO_IMAGES, NO_PATIENTS]


def test_patients_are_named_by_id_or_file_name(files, five_films):
    lesions, detections = coco(files, five_films)
    table = "image,patient,laterality,pixel_mm\n1,A,L,0.1\n2,A,R,\n3.jpg,B,,\n4.jpg,C,,\n5,C,,\n"
    found = read_set(lesions, detections, patients=files("patients.csv", table))
    cases = [(film.image_id, film.case[0]) for film in found.films]
    assert cases == [("1", "A"), ("2", "A"), ("3", "B"), ("4", "C"), ("5", "C")]
    known = {film.image_id: film.image for film in found.films}
    assert (known["1"].laterality, known["1"].pixel_mm, known["2"].pixel_mm) == ("L", 0.1, None)
    assert found.notes == []


def test_the_order_of_rows_changes_nothing(files, five_films):
    lesions, detections = retinanet(files, five_films)
    turned = []
    for path in (lesions, detections):
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        turned.append(files(f"turned-{Path(path).name}", "\n".join(lines[::-1])))
    for one, other in zip(read_set(lesions, detections).films, read_set(*turned).films, strict=True):
        assert np.array_equal(one.lesions, other.lesions)
        assert np.array_equal(one.detections, other.detections)


LESIONS = "image_id,x1,y1,x2,y2\na,10,10,30,30\n"
IMAGES = "image_id,width,height\na,100,80\nb,100,80\n"


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("a,30,10,10,30,0.5", "line 3: x1 must be below x2, found x1 30 and x2 10"),
        ("a,10,30,30,10,0.5", "line 3: y1 must be below y2"),
        ("a,10,10,30,30,1.5", "line 3: the score must be a number in 0..1, found '1.5'"),
        ("a,10,10,30,30,-0.1", "line 3: the score must be"),
        ("a,10,10,30,30,nan", "line 3: the score must be"),
        ("a,nan,10,30,30,0.5", "line 3: x1 must be a finite number, found 'nan'"),
        ("a,10,10,inf,30,0.5", "line 3: x2 must be a finite number, found 'inf'"),
        ("a,10,10,30,,0.5", "line 3: y2 must be a finite number, found ''"),
        ("c,10,10,30,30,0.5", "line 3: a detection on image c, which is none of the set"),
        (",10,10,30,30,0.5", "line 3: it names no image"),
        ("a,10,10,102,30,0.5", "line 3: the box 10,10,102,30 reaches out of its image (100×80)"),
        ("a,-3,10,30,30,0.5", "line 3: the box -3,10,30,30 reaches out"),
        ("a,10,10,30", "line 3: expected 6 cells, found 4"),
    ],
)
def test_a_detection_that_is_wrong_is_refused_with_its_row(files, row, fault):
    table = f"image_id,x1,y1,x2,y2,score\na,1,1,9,9,0.5\n{row}\n"
    with pytest.raises(UserError) as told:
        read_set(files("l.csv", LESIONS), files("d.csv", table), files("i.csv", IMAGES))
    assert f"d.csv: 1 fault: {fault}" in str(told.value)


def test_an_image_that_only_the_detections_name_is_refused_though_nothing_was_found_on_it(files):
    lesions, detections = files("l.csv", "a,1,1,20,20,mass\n"), files("d.csv", "a,,,,,,\nb,,,,,,\n")
    with pytest.raises(UserError, match=r"d\.csv: 1 fault: line 2: the image b is none of the set"):
        read_set(lesions, detections)


def test_all_faults_of_a_file_are_counted_and_ten_told(files):
    rows = "a,30,10,10,30,0.5\n" * 8 + "z,1,1,2,2,0.5\n" * 5
    with pytest.raises(UserError) as told:
        read_set(
            files("l.csv", LESIONS),
            files("d.csv", f"image_id,x1,y1,x2,y2,score\n{rows}"),
            files("i.csv", IMAGES),
        )
    assert "d.csv: 13 faults: line 2: " in str(told.value)
    assert "line 11: a detection on image z" in str(told.value)
    assert str(told.value).endswith("; and 3 more")


def test_a_box_may_reach_out_by_a_pixel(files):
    lesions = files("l.csv", "image_id,x1,y1,x2,y2\na,-0.5,10,101,30\n")
    found = read_set(lesions, files("d.csv", "image_id,x1,y1,x2,y2,score\n"), files("i.csv", IMAGES))
    assert found.films[0].lesions.tolist() == [[0, 10, 101, 30]]


@pytest.mark.parametrize("which", ["lesions", "detections"])
def test_coordinates_that_look_normalised_are_refused(files, which):
    small, large = "0.1,0.1,0.3,1", "10,10,30,30"
    lesions = files("l.csv", f"a,{small if which == 'lesions' else large},mass\n")
    detections = files("d.csv", f"a,{small if which == 'detections' else large},mass,0.9\n")
    with pytest.raises(
        UserError, match=f"{which[0]}.csv: all coordinates lie in 0..1, which looks normalised"
    ):
        read_set(lesions, detections)


@pytest.mark.parametrize(
    ("images", "fault"),
    [
        ("image_id\na\na\n", "line 3: a stands already in line 2"),
        ("image_id,width\na,-5\n", "line 2: width must be a number above 0, found '-5'"),
        ("image_id,pixel_mm\na,nan\n", "line 2: pixel_mm must be a number above 0"),
        ("name\na\n", "expected a header with the column image_id, found 'name'"),
    ],
)
def test_a_list_of_images_that_is_wrong_is_refused(files, images, fault):
    detections = files("d.csv", "image_id,x1,y1,x2,y2,score\n")
    with pytest.raises(UserError, match=fault):
        read_set(files("l.csv", LESIONS), detections, files("i.csv", images))


@pytest.mark.parametrize(
    ("patients", "fault"),
    [
        ("image,patient\na,A\n", "image b: it has no row"),
        ("image,patient\na,A\nb,B\nc,C\n", "line 4: the image c is none of the set"),
        ("image,patient\na,A\nb,\n", "line 3: the patient is empty"),
        ("image,patient\na,A\na,B\nb,B\n", "line 3: a stands already in line 2"),
    ],
)
def test_patients_that_do_not_fit_the_images_are_refused(files, patients, fault):
    tables = files("l.csv", LESIONS), files("d.csv", "image_id,x1,y1,x2,y2,score\n"), files("i.csv", IMAGES)
    with pytest.raises(UserError, match=fault):
        read_set(*tables, files("p.csv", patients))


@pytest.mark.parametrize(
    ("truth", "results", "fault"),
    [
        ({"images": []}, [], "COCO needs a list 'annotations'"),
        (None, {"a": 1}, "results are a list"),
        (None, "[{", "broken JSON"),
        (None, [{"image_id": 1, "bbox": [1, 2, 3], "score": 1}], "entry 0: expected an image_id and a bbox"),
        (None, [{"image_id": 1, "bbox": [1, 2, -3, 4], "score": 1}], "entry 0: x1 must be below x2"),
        (None, [{"image_id": 9, "bbox": [1, 2, 3, 4], "score": 1}], "entry 0: a detection on image 9"),
        (None, [{"image_id": 1, "bbox": [1, 2, 3, 4]}], "entry 0: the score must be a number in 0..1, found None"),
        ({"images": [{"id": 1}, {"id": 1}], "annotations": [], "categories": []}, [], "images/1: its id 1 is none"),
        (
            {"images": [{"id": 1}], "annotations": [{"image_id": 1, "iscrowd": 1}], "categories": []}, [],
            "annotations/0: a crowd",
        ),
    ],
)  # fmt: skip
def test_coco_that_is_wrong_is_refused(files, truth, results, fault):
    sound = {"images": [{"id": 1}], "annotations": [], "categories": []}
    with pytest.raises(UserError, match=fault):
        read_set(files("t.json", truth or sound), files("r.json", results))


def test_an_empty_set_of_images_is_refused(files):
    with pytest.raises(UserError, match="no images"):
        read_set(files("l.csv", ""), files("d.csv", ""))


def run(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, root / "scripts" / "metrics.py", *words]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_command_prints_and_writes_figures(files, five_films, root, tmp_path):
    lesions, detections = coco(files, five_films)
    out = tmp_path / "figures.csv"
    done = run(
        root, "--lesions", lesions, "--detections", detections, "--resamples", "100", "--out", str(out)
    )
    assert done.returncode == 0, done.stderr
    assert (
        "ap50" in done.stdout
        and "0.333" in done.stdout
        and "each image is taken for a patient" in done.stdout
    )
    assert ",sensitivity,all,0.5," in out.read_text(encoding="utf-8")


def test_the_command_refuses_in_one_line(files, root):
    lesions = files("l.csv", "a,1,1,20,20,mass\n")
    done = run(root, "--lesions", lesions, "--detections", files("d.csv", "b,1,1,20,20,mass,0.5\n"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ") and "line 1: a detection on image b" in done.stderr
    done = run(root, "--lesions", lesions, "--detections", files("d.csv", ""), "--threshold", "7")
    assert done.returncode == 1 and "score_threshold" in done.stderr
