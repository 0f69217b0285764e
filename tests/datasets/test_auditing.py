"""The audit of a shard: what raw files and written images still say, in how many of them, never what."""

from __future__ import annotations

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from mammo.datasets.audit_tables import AuditRow, LookRow, check_privacy, joined
from mammo.datasets.auditing import audit_shard
from mammo.datasets.base import Companion, Item
from mammo.datasets.looks import look_of
from mammo.errors import UserError
from mammo.settings import DataReportSettings
from mammo.tables.csvio import read_table, write_table
from mammo.tables.records import Image
from mammo.trainset.leakage import NEAR_BITS

SETTINGS = DataReportSettings()


def write_dicom(path, **values) -> None:
    """A DICOM file without pixels."""
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)


def breast(seed: int = 0) -> np.ndarray:
    """A film with structure, 8 bit."""
    rng = np.random.default_rng(seed)
    film = np.zeros((512, 416), np.uint8)
    cv2.ellipse(film, (0, 256), (200 + seed, 230), 0, 0, 360, 110, cv2.FILLED)
    rough = cv2.resize(rng.normal(0, 35, (24, 20)), (416, 512), interpolation=cv2.INTER_CUBIC)
    return np.where(film > 0, np.clip(film + rough, 5, 255), 0).astype(np.uint8)


@pytest.fixture
def shard(tmp_path):
    """Two films of a data folder: shard list, images table's rows, data folder, dataset's folder."""
    data, root = tmp_path / "data", tmp_path / "data/H"
    write_dicom(root / "raw/p0001.dcm", PatientName="Kim^Minji", PatientID="p0001", StudyDate="20180130")
    write_dicom(root / "raw/p0002.dcm", PatientName="ANON", PatientID="p0002", StudyDate="20180131")
    (root / "raw/p0001.xml").write_text("<plist>Kim</plist>")
    (root / "img").mkdir()
    written = breast()
    cv2.putText(written, "KIM MINJI 1961", (240, 480), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 230, 1, cv2.LINE_AA)
    images, items = [], []
    for name, pixels in (("p0001", written), ("p0002", breast(3))):
        cv2.imwrite(str(root / f"img/{name}.jpg"), pixels)
        companions = (Companion(path="H/raw/p0001.xml", role="plist", sha256="0" * 64),)
        items.append(
            Item(dataset="H", film_id=name, film=f"H/raw/{name}.dcm", sha256="0" * 64, patient=f"H.{name}", group="abn",
                 companions=companions)
        )  # fmt: skip
        images.append(
            Image(image_id=f"H.{name}", path=f"img/{name}.jpg", dataset="H", delivery="", patient=f"H.{name}", study="",
                  laterality="L", view="CC", width=416, height=512, pixel_mm=None, group="abn", lesion_types="",
                  source=f"H/raw/{name}.dcm", source_sha256="0" * 64, sha256="0" * 64)
        )  # fmt: skip
    listed = tmp_path / "shard_00.jsonl"
    listed.write_text("".join(json.dumps(item.model_dump(mode="json")) + "\n" for item in items))
    return listed, images, data, root


def test_elements_are_counted_by_file_and_texts_in_margins_stand_with_film_and_place(shard):
    rows, looks = audit_shard(*shard, SETTINGS)
    said = {(row.element, row.kind): (row.files, row.first) for row in rows if row.element != "MarginText"}
    assert said == {
        ("PatientName", "name"): (1, "H/raw/p0001.dcm"),
        ("PatientID", "pseudonym"): (2, "H/raw/p0001.dcm"),
        ("StudyDate", "date"): (2, "H/raw/p0001.dcm"),
    }
    (margin,) = [row for row in rows if row.element == "MarginText"]
    assert (margin.kind, margin.image_id) == ("margin_text", "H.p0001")
    x1, y1, x2, y2 = map(int, margin.place.split())
    assert 235 < x1 < x2 <= 416 and 460 < y1 < y2 < 490
    assert [row.image_id for row in looks] == ["H.p0001", "H.p0002"]
    assert "Kim" not in repr(rows) and "20180130" not in repr(rows)


def test_what_is_allowed_is_not_reported(shard):
    allowed = DataReportSettings(allowed=("PatientName", "PatientID", "StudyDate", "MarginText"))
    assert audit_shard(*shard, allowed)[0] == []


def test_a_broken_or_missing_raw_file_is_passed_and_a_missing_image_is_an_error(shard):
    listed, images, data, root = shard
    (root / "raw/p0001.dcm").write_bytes(b"\0" * 200)
    (root / "raw/p0002.dcm").unlink()
    rows, _ = audit_shard(listed, images[1:], data, root, SETTINGS)
    assert rows == []
    (root / "img/p0002.jpg").unlink()
    with pytest.raises(UserError, match=r"p0002\.jpg: the film cannot be read.*make the images again"):
        audit_shard(listed, images, data, root, SETTINGS)


def test_pictures_with_camera_data_or_comments_are_noticed(shard):
    listed, images, data, root = shard
    film = (root / "img/p0002.jpg").read_bytes()
    comment = b"taken by Kim"
    (root / "raw/p0002.dcm").write_bytes(
        film[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + film[2:]
    )
    rows, _ = audit_shard(listed, images[1:], data, root, SETTINGS)
    assert ("PictureMetadata", "text", "H/raw/p0002.dcm") in [
        (row.element, row.kind, row.first) for row in rows
    ]
    (root / "raw/p0002.dcm").write_bytes(film)
    rows, _ = audit_shard(listed, images[1:], data, root, SETTINGS)
    assert "PictureMetadata" not in {row.element for row in rows}


def test_the_same_film_smaller_and_in_another_quality_and_window_looks_the_same_and_another_does_not():
    film = breast(1)

    def bits(other: np.ndarray) -> int:
        return (int(look_of(film), 16) ^ int(look_of(other), 16)).bit_count()

    half = cv2.resize(film, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    poor = cv2.imdecode(cv2.imencode(".jpg", film, [cv2.IMWRITE_JPEG_QUALITY, 50])[1], cv2.IMREAD_GRAYSCALE)
    darker = (255 * (film / 255) ** 1.2).astype(np.uint8)
    assert max(bits(half), bits(poor), bits(darker)) <= NEAR_BITS
    assert min(bits(breast(seed)) for seed in (2, 3, 4)) > NEAR_BITS
    assert len(look_of(film)) == 64


def rows_of(**files: int) -> list[AuditRow]:
    return [
        AuditRow(dataset="H", element=element, vr="LO", kind=kind, files=count, first=f"H/raw/{element}.dcm",
                 image_id="", place="")
        for key, count in files.items()
        for kind, element in [key.split("__")]
    ]  # fmt: skip


def test_audits_of_shards_are_joined_by_element_and_independent_of_their_order():
    one, other = rows_of(name__PatientName=3), rows_of(name__PatientName=4, text__StudyComments=1)
    assert [(row.element, row.files) for row in joined([*one, *other])] == [
        ("PatientName", 7),
        ("StudyComments", 1),
    ]
    assert joined([*one, *other]) == joined([*other, *one])


def test_the_workflow_stops_only_where_config_says_so_and_something_identifies():
    stop = DataReportSettings(privacy="stop")
    rows = rows_of(name__PatientName=3, date__StudyDate=5, text__StudyComments=9)
    with pytest.raises(UserError) as caught:
        check_privacy("H", rows, stop)
    assert str(caught.value).startswith(
        "H: the delivery is not anonymised: name in PatientName of 3 files (first: H/raw/PatientName.dcm); "
        "date in StudyDate of 5 files (first: H/raw/StudyDate.dcm). Ask for"
    )
    assert "StudyComments" not in str(caught.value) and "data_report.allowed" in str(caught.value)
    check_privacy("H", rows, SETTINGS)
    check_privacy("H", rows_of(text__StudyComments=9, marker__MarginText=40, pseudonym__PatientID=9), stop)


def test_the_scripts_write_the_tables_and_stop_in_one_line(shard, tmp_path, root):
    listed, images, data, folder = shard
    write_table(tmp_path / "images.csv", Image, images)

    def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(root / "scripts" / script), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True)

    where = ("--shard", listed, "--images", tmp_path / "images.csv", "--data", data, "--root", folder)
    out = ("--table", tmp_path / "audit.csv", "--looks", tmp_path / "looks.csv")
    done = run("audit.py", *where, "--settings", "{}", *out)
    assert done.returncode == 0, done.stderr
    assert len(read_table(tmp_path / "looks.csv", LookRow)) == 2
    gate = ("privacy.py", tmp_path / "audit.csv", "--dataset", "H", "--out", tmp_path / "privacy.csv")
    assert run(*gate, "--settings", "{}").returncode == 0
    assert (tmp_path / "privacy.csv").read_bytes() == (tmp_path / "audit.csv").read_bytes()
    (tmp_path / "privacy.csv").unlink()
    stopped = run(*gate, "--settings", '{"privacy":"stop"}')
    assert stopped.returncode == 1 and stopped.stderr.startswith(
        "error: H: the delivery is not anonymised: name in"
    )
    assert len(stopped.stderr.splitlines()) == 1 and not (tmp_path / "privacy.csv").exists()
