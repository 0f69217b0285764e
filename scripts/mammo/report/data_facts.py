"""What is to be known of a set before a network is trained on it: counts, sizes, duplicates, leakage, coverage."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mammo.datasets.audit_tables import MARKER, STOPPING, AuditRow, joined
from mammo.datasets.base import kind_of_reason
from mammo.report.data_sets import (
    DATASET,
    TEST,
    TRAIN,
    VALIDATION,
    AnchoredExperiment,
    DataReportPlan,
    DataSet,
)
from mammo.settings import AnchorSettings, SideSettings
from mammo.tables.boxes import Boxes, as_boxes
from mammo.tables.records import Image, Lesion, Reject, Row, Text
from mammo.trainset.coverage import Coverage, Suggestion, coverage, network_boxes, network_shapes, suggest
from mammo.trainset.leakage import Leakage, duplicates, leakage, near_duplicates
from mammo.trainset.tables import with_labels_only

QUANTILES = (0, 5, 25, 50, 75, 95, 100)
NOT_SAID = "(not said)"


class DataRow(Row):
    """One figure of data_report.csv."""

    set: Text
    kind: Text
    measure: Text
    group: str
    value: str


@dataclass(frozen=True)
class Anchored:
    """How the anchors of `experiments`, which share them and the sides, cover a set's lesions.

    `sizes` (n,): square root of the lesions' areas, in network pixels.
    """

    experiments: tuple[str, ...]
    sides: SideSettings
    anchors: AnchorSettings
    found: Coverage
    sizes: np.ndarray
    suggestions: tuple[Suggestion, ...]


@dataclass(frozen=True)
class Rejected:
    """Rejects of one stage whose reasons differ in names and numbers only."""

    stage: str
    reason: str
    files: int
    first: str


@dataclass(frozen=True)
class SetFacts:
    """Everything the report says about one set. Counts by a value are in the order of the values."""

    data: DataSet
    films: dict[str, dict[str, int]]
    lesions: dict[str, dict[str, int]]
    sizes: dict[str, int]
    box_sizes: dict[str, list[float]]
    duplicates: list[list[Image]]
    near: list[tuple[str, str]]
    anchored: list[Anchored]
    rejected: list[Rejected]
    audit: list[AuditRow]
    unannotated: int

    @property
    def name(self) -> str:
        """The set's name."""
        return self.data.name

    @property
    def counts(self) -> dict[str, int]:
        """Patients, films and lesions."""
        images = self.data.images
        return {
            "patients": len(images.patients),
            "images": len(images.images),
            "lesions": len(images.lesions),
            "images with lesions": len({lesion.image_id for lesion in images.lesions}),
        }


@dataclass(frozen=True)
class Shared:
    """What two sets share."""

    first: str
    second: str
    found: Leakage


def set_facts(data: DataSet, plan: DataReportPlan, looks: Mapping[str, str]) -> SetFacts:
    """The facts of one set. `looks`: by image id; films without one are compared by their digests only."""
    images, lesions = data.images.images, data.images.lesions
    with_lesions = {lesion.image_id for lesion in lesions}
    return SetFacts(
        data=data,
        films={
            "group": _counted(image.group for image in images),
            "dataset": _counted(image.dataset for image in images),
            "delivery": _counted(image.delivery for image in images),
            "side": _counted(image.laterality for image in images),
            "view": _counted(image.view for image in images),
            "lesion types": _counted(image.lesion_types for image in images),
        },
        lesions={
            "lesion type": _counted(lesion.lesion_type for lesion in lesions),
            "pathology": _counted(lesion.pathology for lesion in lesions),
            "annotation form": _counted(lesion.annotation_form for lesion in lesions),
            "lesions on a film": _counted(
                f"{count:d}" for count in Counter(lesion.image_id for lesion in lesions).values()
            ),
        },
        sizes=_sizes(images),
        box_sizes=_box_sizes(images, lesions),
        duplicates=duplicates(images),
        near=near_duplicates(images, looks),
        anchored=_anchored(data, plan),
        rejected=rejected(data.rejects),
        audit=joined(data.audit),
        unannotated=sum(image.group != "normal" and image.image_id not in with_lesions for image in images),
    )


def _counted(values: Iterator[str]) -> dict[str, int]:
    counts = Counter(value or NOT_SAID for value in values)
    return {
        value: counts[value]
        for value in sorted(counts, key=lambda value: (value == NOT_SAID, _natural(value)))
    }


def _natural(text: str) -> tuple:
    """Key that sorts 2 before 10."""
    return tuple(
        (int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text) if part
    )


def _sizes(images: Sequence[Image]) -> dict[str, int]:
    """Films by size, the most frequent first."""
    counts = Counter(f"{image.width}×{image.height}" for image in images)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], _natural(item[0]))))


def _box_sizes(images: Sequence[Image], lesions: Sequence[Lesion]) -> dict[str, list[float]]:
    """Quantiles of the square root of the lesions' areas in pixels and mm, and of height over width."""
    spacing = {image.image_id: image.pixel_mm for image in images}
    boxes = _boxes(lesions)
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    side = np.sqrt(width * height)
    millimetres = np.array([spacing[lesion.image_id] or np.nan for lesion in lesions], float)
    known = side * millimetres
    return {
        "pixels": _quantiles(side),
        "mm": _quantiles(known[np.isfinite(known)]),
        "height over width": _quantiles(height / width),
    }


def _quantiles(values: np.ndarray) -> list[float]:
    return [float(value) for value in np.percentile(values, QUANTILES)] if len(values) else []


def _boxes(lesions: Sequence[Lesion]) -> Boxes:
    return as_boxes([[lesion.x1, lesion.y1, lesion.x2, lesion.y2] for lesion in lesions])


# --- anchors ----------------------------------------------------------------------------------------------------------


def _anchored(data: DataSet, plan: DataReportPlan) -> list[Anchored]:
    """Coverage by every experiment that meets the set; experiments with the same anchors and sides stand together."""
    taught = with_labels_only(data.images, plan.labels)
    shape_of = {image.image_id: (image.height, image.width) for image in taught.images}
    shapes = np.array([shape_of[lesion.image_id] for lesion in taught.lesions], int).reshape(-1, 2)
    boxes = _boxes(taught.lesions)
    groups: dict[str, list[str]] = {}
    for name, experiment in _experiments_of(data, plan).items():
        key = f"{experiment.sides.model_dump_json()}{experiment.anchors.model_dump_json()}"
        groups.setdefault(key, []).append(name)
    found = []
    for names in groups.values():
        experiment = _experiments_of(data, plan)[names[0]]
        scaled, sizes = (
            network_boxes(boxes, shapes, experiment.sides),
            network_shapes(shapes, experiment.sides),
        )
        # Anchors chosen by a test set would be fitted to it; a suggestion comes from what is trained on.
        wanted = data.kind == TRAIN or (data.kind == DATASET and not plan.train_sets)
        found.append(
            Anchored(
                experiments=tuple(names),
                sides=experiment.sides,
                anchors=experiment.anchors,
                found=coverage(scaled, sizes, experiment.anchors),
                sizes=np.sqrt(np.prod(scaled[:, 2:] - scaled[:, :2], axis=1)),
                suggestions=tuple(suggest(scaled, sizes, experiment.anchors)) if wanted else (),
            )
        )
    return found


def _experiments_of(data: DataSet, plan: DataReportPlan) -> dict[str, AnchoredExperiment]:
    """The experiments that meet a set; where the config has none, one of defaults."""
    if not plan.experiments:
        defaults = AnchoredExperiment(train_set="", anchors=AnchorSettings(), sides=SideSettings())
        return {"the defaults": defaults}
    own = {TRAIN: data.name, VALIDATION: data.of}.get(data.kind)
    return {
        name: experiment
        for name, experiment in plan.experiments.items()
        if data.kind == DATASET
        or (own is not None and experiment.train_set == own)
        or (data.kind == TEST and data.name in (experiment.test_sets or plan.test_sets))
    }


# --- leakage, rejects -------------------------------------------------------------------------------------------------


def shared(sets: Sequence[DataSet], looks: Mapping[str, str]) -> list[Shared]:
    """What train sets share with their validation sets, and both with every test set."""
    pairs = [
        (first, second)
        for first in sets
        for second in sets
        if (first.kind == TRAIN and second.kind == VALIDATION and second.of == first.name)
        or (first.kind in (TRAIN, VALIDATION) and second.kind == TEST)
    ]
    return [
        Shared(first.name, second.name, leakage(first.images.images, second.images.images, looks))
        for first, second in pairs
    ]


def rejected(rows: Sequence[Reject]) -> list[Rejected]:
    """Rejects by stage and reason, the most frequent first; reasons that differ in names and numbers count as one."""
    groups: dict[tuple[str, str], list[Reject]] = {}
    for row in rows:
        groups.setdefault((row.stage, kind_of_reason(row.reason)), []).append(row)
    found = [
        Rejected(stage, reason, len(group), min(row.source for row in group))
        for (stage, reason), group in groups.items()
    ]
    return sorted(found, key=lambda group: (-group.files, group.stage, group.reason))


# --- data_report.csv --------------------------------------------------------------------------------------------------


def rows_of(facts: SetFacts) -> Iterator[DataRow]:
    """The figures of a set in long form."""

    def row(measure: str, group: str, value: float | int | str) -> DataRow:
        text = value if isinstance(value, str) else f"{value:.6g}" if isinstance(value, float) else str(value)
        return DataRow(set=facts.name, kind=facts.data.kind, measure=measure, group=group, value=text)

    for measure, count in facts.counts.items():
        yield row(measure, "", count)
    for prefix, tables in (("images", facts.films), ("lesions", facts.lesions)):
        for column, counts in tables.items():
            measure = (
                f"{prefix} by {column}" if column != "lesions on a film" else "images by number of lesions"
            )
            for value, count in counts.items():
                yield row(measure, value, count)
    for size, count in facts.sizes.items():
        yield row("images by size", size, count)
    known = sum(image.pixel_mm is not None for image in facts.data.images.images)
    yield row("images with known pixel size", "", known)
    yield row("abnormal images without lesions", "", facts.unannotated)
    for unit, quantiles in facts.box_sizes.items():
        for quantile, value in zip(QUANTILES, quantiles, strict=False):
            yield row(f"lesion size, {unit}" if unit != "height over width" else unit, f"{quantile} %", value)
    yield row("duplicates", "groups", len(facts.duplicates))
    yield row("duplicates", "images", sum(len(group) for group in facts.duplicates))
    yield row("look-alikes", "pairs", len(facts.near))
    for anchored in facts.anchored:
        yield from _anchor_rows(row, anchored)
    for group in facts.rejected:
        yield row("rejects", f"{group.stage}: {group.reason}", group.files)
    for (kind, element), files in audit_counts(facts.audit).items():
        yield row(f"privacy, {kind.replace('_', ' ')}", element, files)


def _anchor_rows(row, anchored: Anchored) -> Iterator[DataRow]:  # noqa: ANN001 - a local function
    for name in anchored.experiments:
        yield row("lesions taught", name, anchored.found.lesions)
        yield row("lesions that no anchor covers", name, anchored.found.uncovered)
        yield row("lesions taught as background", name, anchored.found.background)
        for number, suggestion in enumerate(anchored.suggestions, start=1):
            label = f"{name}, suggestion {number}"
            yield row("lesions that no anchor covers", label, suggestion.coverage.uncovered)


def audit_counts(audit: Sequence[AuditRow]) -> dict[tuple[str, str], int]:
    """Files by kind and element, what identifies first; a film counts once however many texts its margins hold."""
    order = (*STOPPING, "pseudonym", "text", "picture", MARKER)
    counts: dict[tuple[str, str], int] = {}
    films: dict[tuple[str, str], set[str]] = {}
    for row in audit:
        key = (row.kind, row.element)
        if row.image_id:
            films.setdefault(key, set()).add(row.image_id)
        else:
            counts[key] = counts.get(key, 0) + row.files
    counts |= {key: len(names) for key, names in films.items()}
    return dict(sorted(counts.items(), key=lambda item: (order.index(item[0][0]), item[0][1])))


def shared_rows(pair: Shared) -> Iterator[DataRow]:
    """The figures of two sets in long form, under the first's name."""
    for group, count in (
        ("patients", len(pair.found.patients)),
        ("images by pixels", len(pair.found.twins)),
        ("images by look", len(pair.found.near)),
    ):
        yield DataRow(
            set=pair.first,
            kind="leakage",
            measure=f"shared with {pair.second}",
            group=group,
            value=str(count),
        )
