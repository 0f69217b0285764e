"""The data report tells what is wrong with data before a network is trained on them."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from mammo.datasets.audit_tables import AuditRow, LookRow
from mammo.datasets.looks import look_of
from mammo.errors import UserError
from mammo.records.plan import Plan
from mammo.report.contact_sheet import choose
from mammo.report.data_facts import DataRow, rejected
from mammo.report.data_report import data_report
from mammo.report.data_sets import DataReportPlan
from mammo.settings import LabelSettings, load_config, parse_section, section_json
from mammo.tables.csvio import read_table, write_table
from mammo.tables.records import Image, Lesion, Reject
from mammo.trainset.tables import ImageSet, write_set

EXPERIMENT = {
    "train_set": "all",
    "test_sets": [],
    "anchors": {"pyramid_levels": [3, 4, 5], "sizes": [16.0, 24.0, 36.0], "strides": [8, 16, 32]},
    "sides": {"min": 128, "max": 160},
}
PLAN = {
    "datasets": {"A": 0.1, "B": 0.1},
    "train_sets": {"all": {"tables": ["A/data"], "validation": {"fraction": 0.25, "seed": 1}}},
    "test_sets": {"held": {"tables": ["B/data"]}},
    "experiments": {"net": EXPERIMENT},
    "report": {"contact_sheet": 4, "contact_side": 64},
}


def plan(**changes) -> DataReportPlan:
    return DataReportPlan.model_validate_json(section_json(PLAN | changes))


class Data:
    """A data folder that is made film by film."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.images: dict[str, list[Image]] = {"A": [], "B": []}
        self.lesions: dict[str, list[Lesion]] = {"A": [], "B": []}
        self.rejects: dict[str, list[Reject]] = {"A": [], "B": []}
        self.audit: list[AuditRow] = []
        self.looks: list[LookRow] = []

    def film(
        self, dataset: str, name: str, *boxes, patient: str = "", pixels: np.ndarray | None = None, **fields
    ) -> None:
        """Add a film of 160×128 with lesions at `boxes`: (x1, y1, x2, y2) or (…, lesion type)."""
        if pixels is None:
            rng = np.random.default_rng(list(f"{dataset}{name}".encode()))
            pixels = cv2.resize(
                rng.integers(0, 255, (8, 8), np.uint8), (128, 160), interpolation=cv2.INTER_CUBIC
            )
        path = self.folder / dataset / f"img/{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), pixels)
        row = {
            "image_id": f"{dataset}.{name}", "path": f"img/{name}.png", "dataset": dataset, "delivery": "",
            "patient": f"{dataset}.{patient or name}", "study": "", "laterality": "L", "view": "CC", "width": 128,
            "height": 160, "pixel_mm": 0.1, "group": "abn" if boxes else "normal", "lesion_types": "",
            "source": f"{dataset}/raw/{name}.dcm",
            "source_sha256": hashlib.sha256(f"{dataset}{name}".encode()).hexdigest(),
            "sha256": hashlib.sha256(pixels.tobytes()).hexdigest(),
        }  # fmt: skip
        self.images[dataset].append(Image(**row | fields))
        self.looks.append(LookRow(image_id=f"{dataset}.{name}", look=look_of(pixels)))
        for number, box in enumerate(boxes, start=1):
            x1, y1, x2, y2, kind = (*box, "mass")[:5]
            self.lesions[dataset].append(
                Lesion(image_id=f"{dataset}.{name}", lesion_id=str(number), x1=x1, y1=y1, x2=x2, y2=y2,
                       lesion_type=kind, pathology="malignant", annotation_form="mask")
            )  # fmt: skip

    def report(self, settings: DataReportPlan | None = None) -> tuple[str, list[DataRow]]:
        """The page and the figures."""
        for name in self.images:
            images = ImageSet(tuple(self.images[name]), tuple(self.lesions[name]))
            write_table(self.folder / name / "images.csv", Image, images.images)
            write_table(self.folder / name / "lesions.csv", Lesion, images.lesions)
            write_table(self.folder / name / "rejects.csv", Reject, self.rejects[name])
            write_set(self.folder / name / "data.csv", images, LabelSettings())
        write_table(self.folder / "audit.csv", AuditRow, self.audit)
        write_table(self.folder / "looks.csv", LookRow, self.looks)
        where = [self.folder / "audit.csv"], [self.folder / "looks.csv"]
        return data_report(settings or plan(), self.folder, *where)


@pytest.fixture
def data(tmp_path) -> Data:
    """Eight films to train on and two to test on, with nothing wrong about them."""
    made = Data(tmp_path)
    for number in range(8):
        kind = "calcification" if number % 4 == 0 else "mass"
        made.film("A", f"a{number}", *([(20, 30, 44, 56, kind)] if number % 2 == 0 else []))
    made.film("B", "b1", (40, 40, 64, 64))
    made.film("B", "b2")
    return made


def value(rows: list[DataRow], set_name: str, measure: str, group: str = "", kind: str = "") -> str:
    found = [
        row.value
        for row in rows
        if (row.set, row.measure, row.group) == (set_name, measure, group) and kind in ("", row.kind)
    ]
    assert len(found) == 1, (set_name, measure, group, found)
    return found[0]


def lights(rows: list[DataRow], subject: str) -> dict[str, str]:
    return {row.set: row.group for row in rows if row.kind == "check" and row.measure == subject}


def finding(rows: list[DataRow], subject: str, light: str) -> list[str]:
    return [row.value for row in rows if (row.kind, row.measure, row.group) == ("check", subject, light)]


# --- figures


def test_data_with_nothing_wrong_passes_every_check(data):
    page, rows = data.report()
    assert {row.group for row in rows if row.kind == "check"} == {"ok"}
    assert re.search(r"All \d+ checks passed\.", page)


def test_counts_are_told_for_every_dataset_and_merged_set(data):
    _, rows = data.report()
    assert value(rows, "A", "images", kind="dataset") == "8"
    assert value(rows, "A", "lesions by lesion type", "calcification") == "2"
    assert value(rows, "A", "images by group", "normal") == "4"
    train, validation = (int(value(rows, name, "images")) for name in ("all", "all (validation)"))
    assert (train, validation) == (6, 2)
    assert value(rows, "held", "lesions", kind="test") == "1"
    assert value(rows, "held", "lesion size, mm", "50 %") == "2.4"


def test_every_part_of_the_page_stands_for_a_set_and_names_come_in_the_order_of_the_data(data):
    page, _ = data.report()
    headings = re.findall(r'<h2 id="([^"]+)">', page)
    assert headings == ["dataset-A", "dataset-B", "train-all", "validation-all", "test-held"]


def test_abnormal_films_without_lesions_are_worth_a_look(data):
    data.film("A", "empty", group="abn")
    _, rows = data.report()
    assert lights(rows, "Contents")["A"] == "look"
    assert value(rows, "A", "abnormal images without lesions") == "1"


# --- leakage and duplicates


def test_a_patient_in_train_and_test_is_a_problem_although_a_training_would_stop(data):
    data.film("B", "b3", patient="x")
    data.images["B"][-1] = data.images["B"][-1].model_copy(update={"patient": "A.a1"})
    _, rows = data.report()
    shared = {row.set: row.value for row in rows if row.kind == "leakage" and row.group == "patients"}
    assert sum(map(int, shared.values())) == 1
    assert any("A.a1" in text for text in finding(rows, "Leakage", "problem"))


def test_the_same_pixels_under_two_names_are_found_in_a_set_and_across_train_and_test(data):
    same = cv2.imread(str(data.folder / "A/img/a0.png"), cv2.IMREAD_GRAYSCALE)
    data.film("A", "again", (20, 30, 44, 56), pixels=same)
    data.film("B", "b3", (20, 30, 44, 56), pixels=same)
    page, rows = data.report()
    assert value(rows, "A", "duplicates", "images") == "2"
    assert lights(rows, "Duplicates")["A"] == "problem"  # two patients' names for one film
    assert any("A.a0 = B.b3" in text for text in finding(rows, "Leakage", "problem"))
    assert "A.a0 = A.again" in page


def test_the_same_film_in_another_size_and_window_is_flagged_to_look_at_and_no_leak(data):
    film = cv2.imread(str(data.folder / "A/img/a1.png"), cv2.IMREAD_GRAYSCALE)
    smaller = cv2.resize((film * 0.9).astype(np.uint8), (64, 80), interpolation=cv2.INTER_AREA)
    data.film("B", "b3", pixels=smaller, width=64, height=80)
    _, rows = data.report()
    assert any("A.a1 ~ B.b3" in text for text in finding(rows, "Look-alikes", "look"))
    assert not finding(rows, "Leakage", "problem")


# --- anchors


def test_lesions_that_no_anchor_covers_are_counted_and_anchors_that_cover_them_are_suggested(data):
    for number in range(8):
        data.film("A", f"small{number}", (30, 30, 37, 37))
    page, rows = data.report()
    taught = int(value(rows, "all", "lesions taught", "net"))
    missed = int(value(rows, "all", "lesions that no anchor covers", "net"))
    assert 0 < missed < taught
    assert missed == int(value(rows, "all", "lesions taught as background", "net"))
    assert lights(rows, "Anchors")["all"] == "problem"
    assert value(rows, "all", "lesions that no anchor covers", "net, suggestion 1") == "0"
    assert re.search(r"Would cover more.*<code>pyramid_levels: \[[2-7, ]+\], sizes: \[[0-9., ]+\]", page)


def test_nothing_is_suggested_from_a_test_set(data):
    data.film("B", "small", (30, 30, 37, 37))
    _, rows = data.report()
    assert lights(rows, "Anchors")["held"] == "problem"
    assert not [row for row in rows if row.set in ("held", "B") and "suggestion" in row.group]


def test_lesions_that_the_label_policy_leaves_out_are_not_counted_as_taught(data):
    data.lesions["A"] = [lesion.model_copy(update={"pathology": "benign"}) for lesion in data.lesions["A"]]
    _, rows = data.report(plan(labels={"policy": "malignant_only"}))
    assert value(rows, "A", "lesions") == "4" and value(rows, "A", "lesions taught", "net") == "0"


# --- rejects and privacy


def test_rejects_are_grouped_by_reason_and_many_of_them_are_a_problem(data):
    for number in range(5):
        reason = f"cut off: {number} of 100 bytes of pixels"
        data.rejects["A"].append(Reject(source=f"A/raw/x{number}.dcm", stage="decode", reason=reason))
    data.rejects["B"].append(Reject(source="B/raw/y.dcm", stage="index", reason="duplicate of B/raw/b1.dcm"))
    page, rows = data.report()
    assert value(rows, "A", "rejects", "decode: cut off: # of # bytes of pixels") == "5"
    assert lights(rows, "Rejects") == {"A": "problem", "B": "ok"}
    assert "A/raw/x0.dcm" in page


def test_reasons_of_two_stages_are_two_groups():
    rows = [
        Reject(source=f"{stage}{n}", stage=stage, reason=f"bad {n}")
        for stage in ("index", "decode")
        for n in (1, 2)
    ]
    assert [(group.stage, group.reason, group.files, group.first) for group in rejected(rows)] == [
        ("decode", "bad #", 2, "decode1"),
        ("index", "bad #", 2, "index1"),
    ]


def test_privacy_findings_name_elements_and_numbers_of_files(data):
    rest = {"vr": "PN", "first": "A/raw/a0.dcm", "image_id": "", "place": ""}
    data.audit.append(AuditRow(dataset="A", element="PatientName", kind="name", files=7, **rest))
    data.audit.append(
        AuditRow(dataset="B", element="StudyComments", kind="text", files=2, **rest | {"vr": "LT"})
    )
    margin = rest | {"vr": "", "image_id": "A.a1", "place": "100 150 120 158"}
    data.audit.append(AuditRow(dataset="A", element="MarginText", kind="margin_text", files=1, **margin))
    page, rows = data.report()
    assert value(rows, "A", "privacy, name", "PatientName") == "7"
    assert lights(rows, "Privacy") == {"A": "problem", "B": "look"}
    assert "100 150 120 158" in page


# --- the page


class Reader(HTMLParser):
    """Collects what a page points to, and checks that elements are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.targets += [value for key, value in attributes if key in ("href", "src")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_needs_no_network_and_is_well_formed(data):
    page, _ = data.report()
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert {target.split(",")[0].split("-")[0] for target in reader.targets} == {
        "#dataset", "#train", "#validation", "#test", "data:image/jpeg;base64",
    }  # fmt: skip
    assert not re.search(r"https?://|@import|<script|url\(", page)


def test_texts_of_the_data_cannot_become_markup(data):
    data.film("A", "evil", (20, 30, 44, 56, "<b>bold</b>"), delivery='"><script>alert(1)</script>')
    data.rejects["A"].append(Reject(source="A/<img src=x>.dcm", stage="index", reason="<i>why</i> & so"))
    page, _ = data.report()
    assert (
        "<script" not in page and "<b>bold" not in page and "<img src=x" not in page and "<i>why" not in page
    )
    assert "&lt;script&gt;" in page and "&lt;b&gt;bold" in page


def test_the_charts_bars_say_for_how_many_lesions_they_stand(data):
    for number in range(8):
        data.film("A", f"small{number}", (30, 30, 37, 37))
    page, rows = data.report()
    section = page[page.index('<h2 id="train-all">') : page.index('<h2 id="validation-all">')]
    said = re.findall(
        r"<title>\d+ to \d+ pixels: (\d+) (covered|not covered|taught as background)</title>", section
    )
    counts = {kind: sum(int(count) for count, name in said if name == kind) for _, kind in said}
    assert sum(counts.values()) == int(value(rows, "all", "lesions taught", "net"))
    assert counts["taught as background"] == int(value(rows, "all", "lesions taught as background", "net"))


def test_names_of_elements_are_unique_however_many_charts_the_page_holds(data):
    page, _ = data.report()
    names = re.findall(r'\sid="([^"]*)"', page)
    assert page.count("<svg") > 1 and len(names) == len(set(names)) == 5


def test_the_same_data_give_the_same_bytes_in_another_process(data, tmp_path, root):
    page, _ = data.report()
    out = tmp_path / "results"
    command = [
        sys.executable, str(root / "scripts/data_report.py"), "--data", str(data.folder),
        "--audits", str(data.folder / "audit.csv"), "--looks", str(data.folder / "looks.csv"), "--settings",
        section_json(PLAN), "--out-page", str(out / "data_report.html"), "--out-table", str(out / "data_report.csv"),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    assert (out / "data_report.html").read_text(encoding="utf-8") == page
    assert value(read_table(out / "data_report.csv", DataRow), "A", "images") == "8"


def test_the_contact_sheet_shows_every_lesion_type_before_it_repeats_one(data):
    images = ImageSet(tuple(data.images["A"]), tuple(data.lesions["A"]))
    types = {lesion.image_id: lesion.lesion_type for lesion in data.lesions["A"]}
    first = [types.get(image.image_id, "none") for image in choose(images, 3)]
    assert first == ["calcification", "mass", "none"]
    assert choose(images, 3) == choose(ImageSet(images.images[::-1], images.lesions), 3)
    assert len(choose(images, 100)) == 8


def test_a_film_that_is_missing_or_has_another_size_than_its_row_is_an_error(data):
    (data.folder / "A/img/a0.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"a0\.png: .*make the images again"):
        data.report(plan(report={"contact_sheet": 20, "contact_side": 64}))


# --- from the config


def test_the_config_says_what_the_report_is_about_and_no_more_than_it_depends_on(root):
    config = load_config(root / "config.yaml")
    about = parse_section(DataReportPlan, Plan(config).data_report_settings())
    assert list(about.datasets) == sorted(config.datasets)
    assert (
        about.experiments["resnet50-ncc1801"].anchors == config.experiments["resnet50-ncc1801"].model.anchors
    )
    assert about.report.contact_sheet == config.data_report.contact_sheet
    other = {
        "data_report": config.data_report.model_copy(update={"privacy": "stop", "allowed": ("PatientID",)})
    }
    assert Plan(config.model_copy(update=other)).data_report_settings() == Plan(config).data_report_settings()


def test_merged_sets_wait_for_the_gates_of_their_datasets_only_where_config_stops(root):
    config = load_config(root / "config.yaml")
    tables = ["NCC/data_abn_1", "NCC/data_abn_2", "inbreast/data"]
    assert Plan(config).privacy_gates(tables) == []
    stop = {"data_report": config.data_report.model_copy(update={"privacy": "stop"})}
    gates = Plan(config.model_copy(update=stop)).privacy_gates(tables)
    assert gates == ["data/NCC/privacy.csv", "data/inbreast/privacy.csv"]


# --- odd data


@pytest.mark.parametrize(
    "changes",
    [
        {"train_sets": {}, "test_sets": {}, "experiments": {}},
        {"test_sets": {}},
        {"experiments": {}},
        {"train_sets": {"all": {"tables": ["A/data"], "validation": {"fraction": 0.0, "seed": 1}}}},
        {"report": {"contact_sheet": 0, "contact_side": 64}},
    ],
    ids=["datasets only", "no test set", "no experiment", "no validation", "no contact sheet"],
)
def test_a_config_with_less_in_it_has_a_report_too(data, changes):
    page, rows = data.report(plan(**changes))
    assert value(
        rows,
        "A",
        "lesions that no anchor covers",
        "net" if changes.get("experiments") != {} else "the defaults",
    )
    assert "Dataset A" in page


def test_sets_without_films_lesions_or_pixel_sizes_have_a_report_too(tmp_path):
    empty = Data(tmp_path)
    for number in range(3):
        empty.film("A", f"a{number}", pixel_mm=None)
    page, rows = empty.report()
    assert lights(rows, "Contents") == {
        "A": "ok",
        "B": "problem",
        "all": "problem",
        "all (validation)": "ok",
        "held": "problem",
    }
    assert value(rows, "A", "images with known pixel size") == "0"
    assert not [row for row in rows if row.measure.startswith("lesion size")]
    assert "no image" in page and "nothing can be learned" in page


def test_one_patient_leaves_an_empty_validation_set_that_is_named(tmp_path):
    single = Data(tmp_path)
    single.film("A", "one", (20, 30, 44, 56), patient="p")
    single.film("B", "b")
    _, rows = single.report()
    assert lights(rows, "Contents")["all (validation)"] == "problem"
