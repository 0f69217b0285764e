"""VinDr-Mammo: `finding_annotations.csv` with a row a finding, films as `images/<study_id>/<image_id>.dicom`.

Nguyen et al., Scientific Data 10, 277 (2023); PhysioNet, doi:10.13026/br2v-7517.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from mammo.annotations.frames import Box
from mammo.datasets.base import Item
from mammo.datasets.labels import LabelRow, breast_density
from mammo.datasets.listed import (
    ListedFilm,
    ListedLesion,
    corners,
    index_listed,
    listed_lesions,
    pixel_size,
)
from mammo.datasets.rawfolder import RawFolder
from mammo.dicom.unusable import Unusable
from mammo.errors import UserError
from mammo.settings import ClassSettings, DatasetSettings
from mammo.tables.records import Lesion, Reject

COLUMNS = (
    "study id", "image id", "laterality", "view position", "height", "width", "breast birads", "finding categories",
    "finding birads", "xmin", "ymin", "xmax", "ymax", "split",
)  # fmt: skip
SPLITS = ("training", "test")
NO_FINDING = "No Finding"
# A box of several categories is one lesion, of the first of them here that is used.
CLASSES = {
    "Mass": ClassSettings(lesion_type="mass"),
    "Suspicious Calcification": ClassSettings(lesion_type="calcification"),
    "Architectural Distortion": ClassSettings(lesion_type="distortion"),
    "Focal Asymmetry": ClassSettings(lesion_type="focal_asymmetry"),
    "Asymmetry": ClassSettings(lesion_type="asymmetry"),
    "Global Asymmetry": ClassSettings(lesion_type="global_asymmetry"),
    "Suspicious Lymph Node": ClassSettings(lesion_type="lymph_node", use=False),
    "Skin Thickening": ClassSettings(lesion_type="skin_thickening", use=False),
    "Skin Retraction": ClassSettings(lesion_type="skin_retraction", use=False),
    "Nipple Retraction": ClassSettings(lesion_type="nipple_retraction", use=False),
}
# The film is no normal, and where a lesion may be is unknown: no class of the set's own, so that none turns it off.
UNPLACED = ListedLesion("other finding", None)
_WAY_OUT = "put finding_annotations.csv and the folder images there as they were published"
_BIRADS = re.compile(r"BI-RADS ([0-6])[ABC]?", re.IGNORECASE)
_MAX_CATEGORIES = 1000


def index(root: Path, dataset: str, settings: DatasetSettings) -> tuple[list[Item], list[Reject]]:
    """The films of finding_annotations.csv. Raises `UserError`."""
    raw = RawFolder(root, dataset, _WAY_OUT)
    table, *others = raw.lists("finding_annotations.csv")
    if others:
        raise UserError(
            f"{raw.path}: two tables {raw.below(table)} and {raw.below(others[0])}; take one of them away"
        )
    # What comes with the set besides: the breasts' BI-RADS, a table of the headers, licence and digests.
    lists = [path for path in raw.files if path.suffix.lower() in (".csv", ".txt", ".html")]
    classes = _classes(settings)
    settings = settings.model_copy(update={"classes": classes})
    rows = raw.table(table, COLUMNS)
    return index_listed(raw, rows, _film, lambda row: _lesions(row, classes), lists, settings)


def _classes(settings: DatasetSettings) -> dict[str, ClassSettings]:
    """The set's classes with what the config says otherwise, key by key."""
    changes = {name: known.model_dump(exclude_unset=True) for name, known in settings.classes.items()}
    names = dict.fromkeys([*CLASSES, *changes])
    return {
        name: CLASSES.get(name, ClassSettings()).model_copy(update=changes.get(name, {})) for name in names
    }


def _film(row: LabelRow) -> ListedFilm:
    study, image = row["study id"], row["image id"]
    if not study or not image:
        raise Unusable("no study_id or no image_id")
    return ListedFilm(
        f"images/{study}/{image}.dicom",
        size=_size(row),
        delivery=row["split"],
        patient=study,
        study=study,
        laterality=row["laterality"],
        view=row["view position"],
        density=breast_density(row.cells.get("breast density", "")),
    )


def _size(row: LabelRow) -> tuple[int, int] | None:
    """The film's size, none where it makes no sense: `_check` says so, and the film goes with the row."""
    try:
        return pixel_size(row["width"], row["height"])
    except Unusable:
        return None


def _check(row: LabelRow) -> None:
    """Raise `Unusable` where a row says of its film what cannot be.

    Not in `_film`, where it would cost the row alone: the row's lesion would count as background.
    """
    pixel_size(row["width"], row["height"])
    if row["split"] not in SPLITS:
        raise Unusable(f"split: expected {' or '.join(SPLITS)}, found {row['split']!r}")
    if row["laterality"] not in ("L", "R"):
        raise Unusable(f"laterality: expected L or R, found {row['laterality']!r}")


def _lesions(row: LabelRow, classes: dict[str, ClassSettings]) -> list[ListedLesion]:
    """The lesion of a row, with a box; or that the film is no normal, without one."""
    _check(row)
    categories = _categories(row["finding categories"])
    if NO_FINDING in categories:
        if len(categories) > 1 or any(row[side] for side in ("xmin", "ymin", "xmax", "ymax")):
            raise Unusable("No Finding, yet its row has a finding")
        # Findings are marked from BI-RADS 3: in such a breast something was seen, if only in the other view.
        suspicious = _birads(row["breast birads"], "breast_birads") not in (1, 2)
        return [UNPLACED] if suspicious else []
    if unknown := sorted(categories - set(classes)):
        raise Unusable(f"unknown category {unknown[0]!r}: datasets.*.classes can say what it means")
    used = [name for name, meaning in classes.items() if name in categories and meaning.use]
    if not used:
        return [UNPLACED]
    level = _birads(row["finding birads"], "finding_birads") if row["finding birads"] else 0
    pathology = "malignant" if level >= 4 else "benign" if level else ""
    return [ListedLesion(used[0], _box(row), pathology)]


def _box(row: LabelRow) -> Box:
    return corners(row["xmin"], row["ymin"], row["xmax"], row["ymax"])


def _categories(text: str) -> set[str]:
    """A list of names as Python writes it. Raises `Unusable` for anything else."""
    try:
        # Deep brackets exhaust the parser, whatever the evaluation allows: such a cell is no list of names.
        names = ast.literal_eval(text) if len(text) <= _MAX_CATEGORIES and text.count("[") == 1 else None
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        names = None
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise Unusable(f"finding_categories: expected a list such as ['Mass'], found {text[:60]!r}")
    return {name.strip() for name in names}


def _birads(text: str, column: str) -> int:
    """The category of BI-RADS, letters left out. Raises `Unusable`."""
    match = _BIRADS.fullmatch(text)
    if not match:
        raise Unusable(f"{column}: expected BI-RADS 0 to 6, found {text[:40]!r}")
    return int(match[1])


def annotate(item: Item, data: Path, size: tuple[int, int], settings: DatasetSettings) -> list[Lesion]:
    """The listed boxes of a film, cut to it. Raises `Unusable` where one lies outside of it."""
    return listed_lesions(item, size, "csv")
