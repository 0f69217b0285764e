"""What goes wrong in deliveries is said in a sentence, or in a row."""

from __future__ import annotations

import re
import shutil

import pytest

from mammo.datasets.base import read_shard, shard_lines
from mammo.datasets.indexing import write_index
from mammo.errors import UserError
from mammo.phantom.dicomfile import MAMMO_FOR_PRESENTATION, PixelForm, elements, encode, set_brightness
from mammo.phantom.film import FilmSpec, make_film
from mammo.phantom.settings import DifficultySettings


def index(data, pipeline, name, **changes):
    settings = pipeline.dataset_settings(name, **changes)
    write_index(name, data / name, settings, data / name / "work" / "index")
    shards = sorted((data / name / "work" / "index").glob("shard_*.jsonl"))
    return [item for shard in shards for item in read_shard(shard)]


def edit(path, old, new):
    text = path.read_bytes().decode()
    assert old in text
    path.write_bytes(text.replace(old, new).encode())


# --- a sentence with file, column and way out -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("CBIS-DDSM", "dicom"),
        ("CBIS-DDSM", "csv"),
        ("inbreast", "raw_files/AllDICOMs"),
        ("NCC", "dicom/abn_1"),
    ],
)
def test_a_missing_or_empty_raw_folder_is_named(copy, pipeline, name, folder):
    data = copy(name)
    shutil.rmtree(data / name / folder)
    with pytest.raises(UserError, match=f"{folder}.*does not exist"):
        index(data, pipeline, name)
    (data / name / folder).mkdir()
    with pytest.raises(UserError, match=f"{folder}.*empty"):
        index(data, pipeline, name)
    assert not (data / name / "work" / "index").exists()


def test_a_missing_column_is_named(copy, pipeline):
    data = copy("CBIS-DDSM")
    table = data / "CBIS-DDSM/csv/mass_case_description_train_set.csv"
    edit(table, "pathology", "path_ology")
    with pytest.raises(
        UserError, match=r"mass_case_description_train_set\.csv: column 'pathology' is missing"
    ):
        index(data, pipeline, "CBIS-DDSM")


def test_a_wrong_separator_shows_in_the_error(copy, pipeline):
    data = copy("inbreast")
    table = data / "inbreast/raw_files/INbreast.csv"
    table.write_bytes(table.read_bytes().replace(b";", b","))
    with pytest.raises(UserError, match=r"INbreast\.csv: column 'laterality' is missing.*separated by ';'"):
        index(data, pipeline, "inbreast")


def test_a_letter_without_meaning_is_named(copy, pipeline):
    with pytest.raises(UserError, match=r"letter 'A' has no meaning; add it to datasets\.NCC\.letters"):
        index(copy("NCC"), pipeline, "NCC", letters={"X": "mass", "C": "calcification", "D": "distortion"})


def test_a_shard_that_is_none_is_named_with_its_line(tmp_path):
    (tmp_path / "shard_00.jsonl").write_text('{"film": 1}\n')
    with pytest.raises(UserError, match=r"shard_00\.jsonl, line 1"):
        read_shard(tmp_path / "shard_00.jsonl")


# --- a row ------------------------------------------------------------------------------------------------------------


def reasons(tables):
    return {row.source: (row.stage, row.reason) for row in tables.rejects}


def test_files_that_are_no_films_have_rows(copy, pipeline):
    data = copy("NCC")
    folder = data / "NCC/dicom/abn_1"
    (folder / "notes.txt").write_text("hello")
    (folder / "lost.jpg").write_bytes(b"x")
    (folder / "Thumbs.db").write_bytes(b"x")
    rows = reasons(pipeline.run(data, "NCC"))
    assert rows["NCC/dicom/abn_1/notes.txt"][0] == "index"
    assert "without the DICOM file" in rows["NCC/dicom/abn_1/lost.jpg"][1]
    assert not any("Thumbs" in source for source in rows)


def test_a_picture_of_another_film_turns_its_film_down(copy, pipeline):
    import cv2

    data = copy("NCC")
    path = next(path for path in sorted((data / "NCC/dicom/abn_1").rglob("*.jpg")))
    cv2.imwrite(str(path), cv2.rotate(cv2.imread(str(path)), cv2.ROTATE_90_CLOCKWISE))
    row = reasons(pipeline.run(data, "NCC"))[path.with_suffix(".dcm").relative_to(data).as_posix()]
    assert row[0] == "annotate" and "proportions" in row[1]


def test_a_picture_is_found_whatever_the_case_of_its_suffix(copy, pipeline, tables):
    data = copy("NCC")
    for path in sorted((data / "NCC/dicom").rglob("*.jpg")):
        path.rename(path.with_suffix(".JPG"))
    assert len(pipeline.run(data, "NCC").lesions) == len(tables["NCC"].lesions)


@pytest.mark.parametrize(
    ("old", "new", "column"), [("LEFT", "LOFT", "left or right"), ("MALIGNANT", "BAD", "pathology")]
)
def test_a_value_that_makes_no_sense_turns_its_film_down_with_table_line_and_column(
    copy, pipeline, old, new, column
):
    data = copy("CBIS-DDSM")
    table = "mass_case_description_train_set.csv"
    edit(data / "CBIS-DDSM/csv" / table, f",{old},", f",{new},")
    found = reasons(pipeline.run(data, "CBIS-DDSM"))
    wanted = re.compile(f"{table}, line \\d+: column '{column}.*{new}")
    assert any(stage == "index" and wanted.search(reason) for stage, reason in found.values())


def test_films_of_a_table_that_are_not_on_disk_have_rows(copy, pipeline):
    data = copy("CBIS-DDSM")
    shutil.rmtree(next((data / "CBIS-DDSM/dicom").glob("Mass-Training_P_00003_LEFT_MLO")))
    rows = reasons(pipeline.run(data, "CBIS-DDSM"))
    assert any("no file has its SeriesInstanceUID" in reason for _, reason in rows.values())


def test_a_film_that_no_table_lists_has_a_row(copy, pipeline):
    data = copy("CBIS-DDSM")
    film = make_film(FilmSpec("x", "x", 160, 128, "L", "CC", (), DifficultySettings(), 0.01))
    dataset = elements(SeriesInstanceUID="1.2.3")
    set_brightness(dataset, film.pixels, film.air, PixelForm())
    (data / "CBIS-DDSM/dicom/other.dcm").write_bytes(encode(dataset, MAMMO_FOR_PRESENTATION, "other"))
    (data / "CBIS-DDSM/dicom/readme.txt").write_text("no image")
    rows = reasons(pipeline.run(data, "CBIS-DDSM"))
    assert "no description table" in rows["CBIS-DDSM/dicom/other.dcm"][1]
    assert "not a DICOM file" in rows["CBIS-DDSM/dicom/readme.txt"][1]


def test_a_missing_mask_turns_the_whole_film_down(copy, pipeline):
    data = copy("CBIS-DDSM")
    shutil.rmtree(data / "CBIS-DDSM/dicom/Mass-Training_P_00003_LEFT_MLO_1")
    found = pipeline.run(data, "CBIS-DDSM")
    assert not any("P_00003_LEFT_MLO" in image.source for image in found.images)
    assert any("LEFT_MLO" in row.source and "mass-01: no mask" in row.reason for row in found.rejects)


@pytest.mark.parametrize("birads", ["4a", "5", "6"])
def test_a_suspicious_film_without_annotation_is_no_normal(copy, pipeline, tables, birads):
    data = copy("inbreast")
    normal = next(image for image in tables["inbreast"].images if image.group == "normal")
    number = normal.image_id.split(".")[1]
    table = data / "inbreast/raw_files/INbreast.csv"
    lines = table.read_text().splitlines()
    lines = [line.rpartition(";")[0] + f";{birads}" if f";{number};" in line else line for line in lines]
    table.write_text("\n".join(lines))
    assert f"BI-RADS {birads}" in reasons(pipeline.run(data, "inbreast"))[normal.source][1]


def test_a_film_with_points_only_is_abnormal_and_has_no_lesion(copy, pipeline, tables):
    import plistlib

    data = copy("inbreast")
    image = next(image for image in tables["inbreast"].images if image.group == "abn")
    xml = data / f"inbreast/raw_files/AllXML/{image.image_id.split('.')[1]}.xml"
    roi = {"Name": "Calcification", "Type": 19, "NumberOfPoints": 1, "Point_px": ["(50.0, 60.0)"]}
    xml.write_bytes(plistlib.dumps({"Images": [{"ROIs": [roi]}]}))
    found = pipeline.run(data, "inbreast")
    (again,) = [row for row in found.images if row.source == image.source]
    assert (again.group, again.lesion_types) == ("abn", "calcification")
    assert found.lesions_of(image.source) == []


# --- names and shards -------------------------------------------------------------------------------------------------


def test_datasets_can_share_patients(copy, pipeline):
    items = index(copy("NCC"), pipeline, "NCC", patients="hospital")
    assert all(item.patient.startswith("hospital.") for item in items)


def test_another_film_moves_no_film_to_another_shard(delivered, pipeline):
    items = index(delivered[0], pipeline, "NCC")
    whole = shard_lines(items, 5)
    fewer = shard_lines(items[1:], 5)
    assert all(
        set(less.splitlines()) <= set(all_.splitlines()) for less, all_ in zip(fewer, whole, strict=True)
    )


def test_every_shard_has_a_file_also_an_empty_one(copy, pipeline):
    data = copy("inbreast")
    index(data, pipeline, "inbreast", shards=40)
    names = sorted(path.name for path in (data / "inbreast" / "work" / "index").iterdir())
    assert names == ["rejects.csv", *(f"shard_{number:02d}.jsonl" for number in range(40))]


def test_a_changed_annotation_changes_the_shard(copy, pipeline):
    data = copy("NCC")
    before = index(data, pipeline, "NCC")
    picture = next(iter(sorted((data / "NCC/dicom/abn_2").rglob("*.jpg"))))
    picture.write_bytes(picture.read_bytes() + b"\0")
    after = index(data, pipeline, "NCC")
    assert sum(first != second for first, second in zip(before, after, strict=True)) == 1
