"""What became of every row of CBIS-DDSM's description tables: used, merged with another listing, or rejected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from mammo.datasets.cbis_listing import Answer, find_films
from mammo.errors import UserError
from mammo.tables.csvio import read_table
from mammo.tables.records import Image, Lesion, Reject, Row, Text

FATES = ("used", "merged", "rejected")


class RowFate(Row):
    """One row of account.csv: one row of a description table."""

    table: Text = Field(description="File in csv/.")
    line: int = Field(gt=0, description="First line of the row in its table, from 1.")
    patient: str
    side: str = Field(description="L, R or empty where the row does not say.")
    view: str = Field(description="CC, MLO or empty where the row does not say.")
    abnormality: str = Field(description="Type and number, as lesion_id.")
    fate: Literal["used", "merged", "rejected"] = Field(
        description="used: its lesion is in lesions.csv; merged: so it is, on another listing of the same film, or the "
        "row is there twice; rejected: neither its lesion nor its film is used."
    )
    image_id: str = Field(description="The film that carries the lesion; empty for rejected rows.")
    lesion_id: str = Field(description="The lesion's name there; empty for rejected rows.")
    source: Text = Field(description="The film's file, or what rejects.csv has for it.")
    reason: str = Field(description="Of rejected rows: that of rejects.csv.")


def account(
    root: Path, images: Sequence[Image], lesions: Sequence[Lesion], rejects: Sequence[Reject]
) -> list[RowFate]:
    """The fate of each row of the tables in `root`/csv, in their order, by the tables that the workflow made.

    The rows are matched with the files on disk as the index does it; what became of them is read from the tables
    alone. Raises `UserError` where the tables say nothing about a row: they are older than the raw files then.
    """
    films = {image.source: image.image_id for image in images}
    found = {(lesion.image_id, lesion.lesion_id) for lesion in lesions}
    reasons = {row.source: f"{row.stage}: {row.reason}" for row in rejects}
    fates, lost = [], []
    for answer in find_films(root).answers:
        image = films.get(answer.source, "")
        if image and (image, answer.lesion_id) in found:
            fates.append(_fate(answer, "merged" if answer.merged else "used", image, answer.lesion_id, ""))
        elif not image and answer.source in reasons:
            fates.append(_fate(answer, "rejected", "", "", reasons[answer.source]))
        else:
            lost.append(answer.row.place)
    if lost:
        raise UserError(
            f"{root}: the tables say nothing about {len(lost)} row(s) of csv/, the first of them {lost[0]}; they are "
            "older than the raw files: make images.csv, lesions.csv and rejects.csv again"
        )
    return sorted(fates, key=lambda fate: (fate.table, fate.line))


def account_dataset(root: Path) -> list[RowFate]:
    """The account of a dataset's folder with images.csv, lesions.csv and rejects.csv in it. Raises `UserError`."""
    images = read_table(root / "images.csv", Image)
    lesions = read_table(root / "lesions.csv", Lesion)
    return account(root, images, lesions, read_table(root / "rejects.csv", Reject))


def _fate(answer: Answer, fate: str, image_id: str, lesion_id: str, reason: str) -> RowFate:
    row = answer.row
    return RowFate(
        table=row.table,
        line=row.line,
        patient=row.patient,
        side=row.laterality,
        view=row.view,
        abnormality=row.lesion.lesion_id,
        fate=fate,
        image_id=image_id,
        lesion_id=lesion_id,
        source=answer.source,
        reason=reason,
    )


def summary(fates: Sequence[RowFate]) -> str:
    """Two Markdown tables: rows by table and fate, rejected rows by reason."""
    counts = Counter((fate.table, fate.fate) for fate in fates)
    tables = sorted({fate.table for fate in fates})
    lines = ["| table | rows | used | merged | rejected |", "|---|---:|---:|---:|---:|"]
    for table in tables:
        each = [counts[table, fate] for fate in FATES]
        lines.append(f"| {table} | {sum(each)} | {' | '.join(map(str, each))} |")
    each = [sum(counts[table, fate] for table in tables) for fate in FATES]
    lines.append(f"| **all** | **{sum(each)}** | {' | '.join(map(str, each))} |")
    kinds = Counter(kind_of(fate.reason) for fate in fates if fate.fate == "rejected")
    if kinds:
        lines += ["", "| reason of rejected rows | rows |", "|---|---:|"]
        lines += [
            f"| {kind} | {count} |"
            for kind, count in sorted(kinds.items(), key=lambda pair: (-pair[1], pair[0]))
        ]
    return "\n".join(lines) + "\n"


def kind_of(reason: str) -> str:
    """A reason without what is particular to one file: names, numbers, places."""
    stage, _, text = reason.partition(": ")
    for words, kind in _KINDS:
        if words in text:
            return f"{stage}: {kind}"
    return f"{stage}: {''.join('n' if letter.isdigit() else letter for letter in text)}"


# In this order: a reason that quotes another comes before it.
_KINDS = (
    ("the same view is listed as", "the film is listed twice, and the other listing cannot be used"),
    ("one series of masks", "two lesions name one series of masks"),
    ("different patients", "rows of one film differ in patient, side or view"),
    ("two different images", "two images in the series of a film"),
    ("cells than the header has", "a row with too few or too many cells"),
    ("column '", "a cell that makes no sense"),
    ("no file has its SeriesInstanceUID", "the film is not there"),
    ("different masks", "different masks of one lesion"),
    ("the mask is empty", "a mask is empty"),
    ("the mask has other proportions", "a mask has other proportions than its film"),
    ("no mask among the", "a lesion has no mask among its files"),
    ("no mask: ", "a mask cannot be read"),
    ("lies outside", "a lesion lies outside of its film"),
    ("cut off", "the film is cut off"),
)
