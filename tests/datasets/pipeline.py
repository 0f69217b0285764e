"""The stages from raw files to tables, called as the scripts call them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mammo.datasets.annotating import annotate_shard
from mammo.datasets.archives import unpack
from mammo.datasets.decoding import decode_shard
from mammo.datasets.indexing import write_index
from mammo.datasets.tabulating import tabulate
from mammo.settings import DatasetSettings, DisplaySettings, UnpackSettings
from mammo.tables.csvio import write_table
from mammo.tables.records import Image, Lesion, Reject

LETTERS = {"A": "asymmetry", "C": "calcification", "D": "distortion", "X": "mass"}
DELIVERIES = {
    "NCC": ("abn_1", "abn_2", "normal"),
    "NCC_trainset": ("abn_180116_1", "abn_180116_2", "abn_180517_1", "abn_180517_2", "normal_180130"),
}
FORMATS = {"CBIS-DDSM": "cbis-ddsm", "inbreast": "inbreast", "NCC": "ncc", "NCC_trainset": "ncc"}


def dataset_settings(name, **changes):
    deliveries = {key: {"group": key.split("_")[0]} for key in DELIVERIES.get(name, ())}
    settings = {"format": FORMATS[name], "shards": 3, "deliveries": deliveries, "parts": {"data": {}}}
    if FORMATS[name] == "ncc":
        settings["letters"] = LETTERS
    return DatasetSettings.model_validate({**settings, **changes})


@dataclass(frozen=True)
class Tables:
    images: list[Image]
    lesions: list[Lesion]
    rejects: list[Reject]

    def lesions_of(self, source):
        names = {image.image_id for image in self.images if image.source == source}
        return [lesion for lesion in self.lesions if lesion.image_id in names]


def unpack_all(data: Path, name: str) -> None:
    for delivery in DELIVERIES.get(name, ()):
        tars = sorted((data / name / "tar").glob(f"{delivery}.*"))
        folder = data / name / "dicom" / delivery
        unpack(tars, delivery, folder, folder.with_name(f"{delivery}.files.csv"), UnpackSettings())


def run(data: Path, name: str, settings: DatasetSettings | None = None, most: float = 0.9) -> Tables:
    """Index, decode, annotate and tabulate an unpacked dataset of the data folder."""
    settings = settings or dataset_settings(name)
    root = data / name
    work = root / "work"
    write_index(name, root, settings, work / "index")
    images, lesions, rejects = [], [], [work / "index" / "rejects.csv"]
    for shard in sorted((work / "index").glob("shard_*.jsonl")):
        number = shard.stem[-2:]
        rows, refused = decode_shard(shard, data, root, root / "img" / number, DisplaySettings())
        found, unknown = annotate_shard(shard, data, settings)
        tables = {"images": (Image, rows), "decode": (Reject, refused), "lesions": (Lesion, found)}
        for kind, (model, content) in (tables | {"annotate": (Reject, unknown)}).items():
            write_table(work / f"{kind}_{number}.csv", model, content)
        images.append(work / f"images_{number}.csv")
        lesions.append(work / f"lesions_{number}.csv")
        rejects += [work / f"decode_{number}.csv", work / f"annotate_{number}.csv"]
    return Tables(*tabulate(name, images, lesions, rejects, most))
