"""INbreast: what the tables and the readers' XML say, however they were saved; what is in doubt is turned down."""

from __future__ import annotations

import csv
import io
import plistlib
import shutil

import numpy as np
import pytest

from mammo.datasets.labels import LabelRow
from mammo.datasets.spreadsheet import read_sheet
from mammo.errors import UserError
from mammo.phantom.dicomfile import MAMMO_FOR_PRESENTATION, elements, encode, set_pixels

NAME = "inbreast"
HEADER = [
    "Patient ID",
    "Patient age",
    "Laterality",
    "View",
    "Acquisition date",
    "File Name",
    "ACR",
    "Bi-Rads",
]
SQUARE = ((20.5, 30.0), (50.2, 30.0), (50.2, 60.9), (20.5, 60.9))


def workbook():
    """An empty spreadsheet of the old format, where its writer and its reader are installed."""
    pytest.importorskip("python_calamine")
    return pytest.importorskip("xlwt").Workbook()


class Delivery:
    """INbreast's raw files in a data folder, written one by one."""

    def __init__(self, data):
        self.data, self.raw = data, data / NAME / "raw_files"
        self.rows = []
        for folder in ("AllDICOMs", "AllXML"):
            (self.raw / folder).mkdir(parents=True)
        # One film with a mass is always there: a delivery of rejects alone stops.
        self.film(1, "2", rois=[roi()])

    def film(self, number, birads, rois=None, side="L", view="CC", listed=None, patient="ab12", suffix="dcm"):
        rng = np.random.default_rng(number)
        dataset = elements(Modality="MG", SeriesInstanceUID=f"1.2.{number}")
        set_pixels(dataset, rng.integers(0, 4000, (128, 100)).astype(np.uint16), 12, "MONOCHROME2")
        path = self.raw / "AllDICOMs" / f"{number:08d}_{patient}_MG_{side}_{view}_ANON.{suffix}"
        path.write_bytes(encode(dataset, MAMMO_FOR_PRESENTATION, str(number)))
        if rois is not None:
            self.xml(number, {"Images": [{"ImageIndex": 0, "NumberOfROIs": len(rois), "ROIs": rois}]})
        side, view = listed or (side, {"ML": "MLO"}.get(view, view))
        self.rows.append(["removed", "removed", side, view, "200801", f"{number:08d}", "2", birads])
        return path

    def xml(self, number, content, suffix="xml"):
        path = self.raw / "AllXML" / f"{number:08d}.{suffix}"
        path.write_bytes(content if isinstance(content, bytes) else plistlib.dumps(content))
        return path

    def csv(self, rows=None, encoding="utf-8", name="INbreast.csv"):
        buffer = io.StringIO(newline="")
        csv.writer(buffer, delimiter=";", lineterminator="\r\n").writerows([HEADER, *(rows or self.rows)])
        (self.raw / name).write_bytes(buffer.getvalue().encode(encoding))

    def xls(self, rows=None, totals=True):
        """As it was published: numbers as numbers, more columns, a blank row and one of totals at the end."""
        book = workbook()
        sheet = book.add_sheet("Sheet1")
        for column, name in enumerate([*HEADER, "Mass ", "Findings Notes (in Portuguese)"]):
            sheet.write(0, column, name)
        for place, row in enumerate(rows or self.rows, start=1):
            for column, cell in enumerate(row):
                sheet.write(place, column, float(cell) if cell.isdigit() else cell)
        if totals:
            sheet.write(len(self.rows) + 2, 0, "Total")
            sheet.write(len(self.rows) + 2, 7, 410.0)
        book.save(str(self.raw / "INbreast.xls"))


def roi(name="Mass", kind=15, points=SQUARE, **more):
    texts = [f"({x:.6f}, {y:.6f})" for x, y in points]
    return {"Name": name, "Type": kind, "NumberOfPoints": len(texts), "Point_px": texts, **more}


@pytest.fixture
def delivery(tmp_path):
    return Delivery(tmp_path / "data")


@pytest.fixture
def run(delivery, pipeline):
    def found(table=True):
        if table:
            delivery.csv()
        shutil.rmtree(delivery.data / NAME / "work", ignore_errors=True)
        return pipeline.run(delivery.data, NAME, most=1.0)

    return found


def image(tables, number):
    (found,) = [row for row in tables.images if row.image_id == f"{NAME}.{number:08d}"]
    return found


def reason(tables, path):
    (found,) = [row.reason for row in tables.rejects if row.source.endswith(path.name)]
    return found


def boxes(tables, number):
    return [
        (row.x1, row.y1, row.x2, row.y2) for row in tables.lesions if row.image_id == f"{NAME}.{number:08d}"
    ]


# --- labels -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("birads", "pathology"),
    [("1", "benign"), ("2", "benign"), ("3", "benign"), ("4a", "malignant"), ("4B", "malignant"),
     ("4c", "malignant"), ("4", "malignant"), ("5", "malignant"), ("6", "malignant")],
)  # fmt: skip
@pytest.mark.parametrize("table", ["csv", "xls"])
def test_a_lesion_is_malignant_from_birads_4_on_in_either_table(delivery, run, birads, pathology, table):
    delivery.film(2, birads, [roi()])
    getattr(delivery, table)()
    found = run(table=False)
    assert [row.pathology for row in found.lesions if row.image_id.endswith("2")] == [pathology]


@pytest.mark.parametrize("birads", ["2a", "7", "", "4d", "benign", "44"])
def test_a_birads_that_is_none_turns_down_its_film_alone(delivery, run, birads):
    path = delivery.film(2, birads, [roi()])
    found = run()
    assert "INbreast.csv, line 3: column 'bi-rads': expected 1, 2, 3" in reason(found, path)
    assert len(found.images) == 1


def test_a_row_that_is_cut_off_turns_down_its_film(delivery, run):
    path = delivery.film(2, "2")
    delivery.rows[-1] = delivery.rows[-1][:-1]
    assert "line 3: fewer cells" in reason(run(), path)


def test_a_blank_acr_a_blank_row_and_a_row_of_totals_are_no_fault(delivery, run):
    delivery.rows[0][6] = " "
    delivery.rows += [[""] * 8, ["", "", "", "", "", "Total", "", "410"]]
    found = run()
    assert [row.density for row in found.images] == [""] and not found.rejects


@pytest.mark.parametrize("table", ["csv", "xls"])
def test_density_is_the_acr_of_either_table_and_costs_no_film(delivery, run, table):
    delivery.rows[0][6] = "3"
    delivery.rows.append([*delivery.rows[0][:6], "4", delivery.rows[0][7]])
    getattr(delivery, table)()
    assert [row.density for row in run(table=False).images] == ["c"]


def test_two_rows_of_a_film_that_say_the_same_are_one_and_others_turn_it_down(delivery, run):
    path = delivery.film(2, "2", [roi()])
    delivery.rows.append(delivery.rows[-1].copy())
    assert len(run().images) == 2
    delivery.rows[-1][7] = "5"
    assert "two rows for it that differ" in reason(run(), path)


def test_the_spreadsheet_alone_says_the_same_as_the_text(delivery, run):
    delivery.film(2, "4a", [roi()], side="R", view="ML")
    text = run()
    (delivery.raw / "INbreast.csv").unlink()
    delivery.xls()
    assert run(table=False) == text


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [(7, "5", "BI-RADS '2' and '5'"), (2, "R", "side 'L' and 'R'"), (3, "MLO", "view 'CC' and 'MLO'")],
)
def test_a_film_about_which_the_two_tables_differ_is_turned_down(delivery, run, column, value, said):
    path = delivery.film(2, "2", [roi()])
    rows = [row.copy() for row in delivery.rows]
    rows[-1][column] = value
    delivery.xls(rows)
    found = run()
    assert f"INbreast.csv and INbreast.xls differ: {said}" in reason(found, path)
    assert len(found.images) == 1


def test_two_tables_that_agree_leave_no_row(delivery, run):
    delivery.xls()
    assert run().rejects == []


def test_a_damaged_spreadsheet_beside_the_text_has_a_row_and_alone_stops(delivery, run):
    pytest.importorskip("python_calamine")
    sheet = delivery.raw / "INbreast.xls"
    sheet.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(3000))
    found = run()
    assert "not compared with INbreast.csv: the spreadsheet cannot be read" in reason(found, sheet)
    assert len(found.images) == 1
    (delivery.raw / "INbreast.csv").unlink()
    with pytest.raises(UserError, match=r"INbreast\.xls: the spreadsheet cannot be read"):
        run(table=False)


def test_no_table_at_all_is_named(run):
    with pytest.raises(UserError, match=r"INbreast\.csv: does not exist, nor does INbreast\.xls"):
        run(table=False)


def test_a_spreadsheet_that_would_end_the_reader_s_process_ends_no_other(delivery):
    delivery.xls()
    sheet = delivery.raw / "INbreast.xls"
    whole, rng = sheet.read_bytes(), np.random.default_rng(5)
    for _ in range(12):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(damaged), 30):
            damaged[place] = int(rng.integers(0, 256))
        sheet.write_bytes(bytes(damaged))
        try:
            assert all(isinstance(row, LabelRow) for row in read_sheet(sheet, ("file name",)))
        except UserError as error:
            assert len(str(error)) < 800


def test_a_spreadsheet_s_header_may_stand_below_a_title(tmp_path):
    book = workbook()
    sheet = book.add_sheet("x")
    sheet.write(0, 0, "INbreast")
    for column, text in enumerate(["File Name", "Bi-Rads"]):
        sheet.write(2, column, text)
    sheet.write(3, 0, 22678622.0)
    sheet.write(3, 1, "4a")
    book.save(str(tmp_path / "a.xls"))
    (row,) = read_sheet(tmp_path / "a.xls", ("file name", "bi-rads"))
    assert (row["file name"], row["bi-rads"], row.line) == ("22678622", "4a", 4)


def test_a_spreadsheet_without_the_columns_says_what_it_has(delivery):
    delivery.xls()
    with pytest.raises(
        UserError, match="holds the columns 'file name', 'grade'; found Patient ID, Patient age"
    ):
        read_sheet(delivery.raw / "INbreast.xls", ("file name", "grade"))


def test_the_text_may_be_utf_16_with_its_mark_and_its_name_in_any_case(delivery, run):
    delivery.csv(encoding="utf-16", name="inbreast.CSV")
    assert len(run(table=False).images) == 1


# --- films ------------------------------------------------------------------------------------------------------------


def test_patients_are_the_hashes_and_ml_is_mlo(delivery, run):
    delivery.film(2, "1", patient="AB12", view="ML")
    delivery.film(3, "1", patient="cd34", view="FB", side="R", suffix="DCM")
    found = run()
    assert [image(found, n).patient for n in (1, 2, 3)] == ["inbreast.ab12", "inbreast.ab12", "inbreast.cd34"]
    assert [(image(found, n).laterality, image(found, n).view) for n in (2, 3)] == [("L", "MLO"), ("R", "FB")]


@pytest.mark.parametrize("listed", [("R", "CC"), ("L", "MLO")])
def test_a_film_whose_name_and_row_are_of_different_views_is_turned_down(delivery, run, listed):
    path = delivery.film(2, "2", listed=listed)
    assert "which is right is unknown" in reason(run(), path)


def test_a_copy_of_a_film_is_a_duplicate_and_another_film_of_its_number_turns_both_down(delivery, run):
    path = delivery.film(2, "2")
    copy = path.parent / "again" / path.name
    copy.parent.mkdir()
    copy.write_bytes(path.read_bytes())
    found = run()
    assert [row.reason.startswith("duplicate of ") for row in found.rejects] == [True]
    copy.write_bytes(path.read_bytes()[:-2] + b"\1\1")
    found = run()
    assert len(found.rejects) == 2 and all(
        "2 different films have the number" in row.reason for row in found.rejects
    )


def test_a_film_without_xml_is_normal_up_to_birads_3_and_turned_down_from_4a_on(delivery, run):
    delivery.film(2, "3")
    path = delivery.film(3, "4a")
    found = run()
    assert (image(found, 2).group, boxes(found, 2)) == ("normal", [])
    assert "BI-RADS 4a, but no annotation" in reason(found, path)


def test_films_and_rows_and_annotations_without_each_other_have_rows(delivery, run):
    path = delivery.film(2, "1")
    delivery.rows[-1][5] = "00000009"
    xml, notes = delivery.xml(7, {"Images": []}), delivery.raw / "AllXML" / "notes.txt"
    notes.write_text("x")
    found = run()
    assert "no row of INbreast.csv" in reason(found, path)
    assert "an annotation without the film" in reason(found, xml)
    assert reason(found, notes) == "not an XML file"
    assert any(row.source.endswith("00000009") for row in found.rejects)


# --- regions ----------------------------------------------------------------------------------------------------------


NAMES = {
    "Mass": "mass", "Calcification": "calcification", "Calcifications": "calcification", "Cluster": "cluster",
    "Spiculated Region": "spiculated_region", "Espiculated Region": "spiculated_region",
    "Asymmetry": "asymmetry", "Assymetry": "asymmetry", "Asimmetry": "asymmetry", "Distortion": "distortion",
    "Point 1": "other", "Point 3": "other", "Unnamed": "other",
}  # fmt: skip


def test_every_name_that_the_readers_used_has_its_type(delivery, run):
    delivery.film(2, "2", [roi(name) for name in NAMES])
    found = run()
    lesions = [row for row in found.lesions if row.image_id.endswith("2")]
    assert [row.lesion_type for row in lesions] == list(NAMES.values())


def test_points_and_polygons_of_less_than_three_points_make_a_film_abnormal_without_a_box(delivery, run):
    point, stray = roi("Calcification", 19, SQUARE[:1]), roi("Calcification", 15, SQUARE[:1])
    line, nothing = roi("Calcification", 15, SQUARE[:2]), roi("Calcification", 15, [])
    for number, region in enumerate((point, stray, line, nothing), start=2):
        delivery.film(number, "2", [region])
        found = run()
        assert (image(found, number).group, boxes(found, number)) == ("abn", [])


def test_95_regions_of_a_film_are_95_lesions(delivery, run):
    regions = [roi("Cluster", points=[(x + n % 60, y + n // 60) for x, y in SQUARE]) for n in range(95)]
    delivery.film(2, "2", regions)
    found = run()
    assert (
        len(boxes(found, 2))
        == len({row.lesion_id for row in found.lesions if row.image_id.endswith("2")})
        == 95
    )


def test_a_polygon_partly_outside_is_cut_to_the_film_and_one_outside_turns_it_down(delivery, run):
    delivery.film(2, "2", [roi(points=[(-5.5, 100.0), (40.0, 100.0), (40.0, 140.5)])])
    path = delivery.film(3, "2", [roi(points=[(110.0, 10.0), (120.0, 10.0), (120.0, 30.0)])])
    found = run()
    assert boxes(found, 2) == [(0, 100, 41, 128)]
    assert "outside" in reason(found, path)


def test_the_points_themselves_count_whatever_their_stated_number_and_index(delivery, run):
    delivery.film(2, "2", [roi() | {"NumberOfPoints": 400, "IndexInImage": 7}])
    assert boxes(run(), 2) == [(20, 30, 51, 61)]


def test_regions_of_a_second_image_are_given_to_no_film(delivery, run):
    path = delivery.film(2, "2", [roi()])
    second = {"ImageIndex": 1, "ROIs": [roi()]}
    delivery.xml(2, {"Images": [{"ROIs": [roi()]}, second]})
    assert "regions of 2 images" in reason(run(), path)
    delivery.xml(2, {"Images": [{"ROIs": [roi()]}, second | {"ROIs": []}]})
    assert len(boxes(run(), 2)) == 1


def test_an_xml_with_an_entity_turns_its_film_down(delivery, run):
    path = delivery.film(2, "2")
    delivery.xml(
        2, b'<?xml version="1.0"?><!DOCTYPE plist [<!ENTITY a "b">]><plist version="1.0"><dict/></plist>'
    )
    assert "declares entities" in reason(run(), path)


def test_two_different_annotations_of_a_film_turn_it_down(delivery, run):
    path = delivery.film(2, "2", [roi()])
    delivery.xml(2, {"Images": []}, suffix="XML")
    found = run()
    assert "2 different annotations" in reason(found, path)
    assert any("another annotation of a film" in row.reason for row in found.rejects)
