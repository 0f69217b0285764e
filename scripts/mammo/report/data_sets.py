"""The sets that the data report speaks of: every dataset, and every train, validation and test set as they are merged.

The merged sets are made from the datasets' tables here, with the functions that make them for training, and not read:
so the report also stands where the checks of the train sets would stop, and says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import Field

from mammo.datasets.audit_tables import AuditRow, LookRow
from mammo.settings import (
    AnchorSettings,
    DataReportSettings,
    LabelSettings,
    Section,
    SideSettings,
    TestSetSettings,
    TrainSetSettings,
)
from mammo.tables.csvio import read_table
from mammo.tables.records import Image, Lesion, Reject
from mammo.trainset.split import split_by_patient
from mammo.trainset.tables import ImageSet, merge, read_set

DATASET, TRAIN, VALIDATION, TEST = "dataset", "train", "validation", "test"


class AnchoredExperiment(Section):
    """What of an experiment decides which lesions its anchors cover."""

    train_set: str
    test_sets: tuple[str, ...] = Field((), description="Empty: all.")
    anchors: AnchorSettings
    sides: SideSettings


class DataReportPlan(Section):
    """What the report is about: the parts of the config that it depends on."""

    datasets: dict[str, float] = Field(description="max_reject_share by name.")
    train_sets: dict[str, TrainSetSettings] = Field(default_factory=dict)
    test_sets: dict[str, TestSetSettings] = Field(default_factory=dict)
    experiments: dict[str, AnchoredExperiment] = Field(default_factory=dict)
    labels: LabelSettings = LabelSettings()
    report: DataReportSettings = DataReportSettings()


@dataclass(frozen=True)
class DataSet:
    """A dataset or merged set. Image paths are relative to the data folder. Rejects and audit: of datasets only."""

    name: str
    kind: str
    images: ImageSet
    rejects: tuple[Reject, ...] = ()
    audit: tuple[AuditRow, ...] = ()
    of: str = field(default="")  # a validation set's train set

    @property
    def title(self) -> str:
        """What the set is called in headings."""
        return {DATASET: "Dataset", TRAIN: "Train set", VALIDATION: "Validation set", TEST: "Test set"}[
            self.kind
        ] + f" {self.of or self.name}"


def read_sets(plan: DataReportPlan, data: Path, audits: Sequence[Path]) -> list[DataSet]:
    """All sets of a plan, datasets first. Raises `UserError` for a table that cannot be read."""
    rows = [row for path in audits for row in read_table(path, AuditRow)]
    sets = [_dataset(name, data, [row for row in rows if row.dataset == name]) for name in plan.datasets]
    for name, settings in plan.train_sets.items():
        training, validation = split_by_patient(_merged(settings.tables, data), settings.validation)
        sets.append(DataSet(name, TRAIN, training))
        if not settings.validation.is_empty:
            sets.append(DataSet(f"{name} (validation)", VALIDATION, validation, of=name))
    sets += [DataSet(name, TEST, _merged(settings.tables, data)) for name, settings in plan.test_sets.items()]
    return sets


def read_looks(paths: Sequence[Path]) -> dict[str, str]:
    """Looks by image id."""
    return {row.image_id: row.look for path in paths for row in read_table(path, LookRow)}


def _dataset(name: str, data: Path, audit: list[AuditRow]) -> DataSet:
    folder = data / name
    images = ImageSet(
        tuple(read_table(folder / "images.csv", Image)), tuple(read_table(folder / "lesions.csv", Lesion))
    )
    rejects = tuple(read_table(folder / "rejects.csv", Reject))
    return DataSet(name, DATASET, merge([(name, images)]), rejects, tuple(audit))


def _merged(tables: Sequence[str], data: Path) -> ImageSet:
    return merge((table.partition("/")[0], read_set(data / f"{table}.csv")) for table in tables)
