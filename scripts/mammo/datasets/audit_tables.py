"""Audits as tables: what was found in headers and margins, joined over shards, and the gate before training.

Apart from the audit itself, so that whoever reads its tables needs no decoders.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import Field

from mammo.errors import UserError
from mammo.settings import DataReportSettings
from mammo.tables.records import Row, Sha256, Text

# What stands for elements where there is none: these names can be allowed, too.
FILE_NAME, MARGIN, PICTURE_TEXT = "FileName", "MarginText", "PictureMetadata"
MARKER = "marker"  # kind of a short text in a margin: side and view, as nearly every film has it
# Kinds that name somebody or something, or may be seen on the film; the others are free text and pictures in headers.
STOPPING = ("name", "date", "number", "burned_in", "margin_text")


class AuditRow(Row):
    """Something that an anonymised delivery does not hold: an element of headers, or a text on one film."""

    dataset: Text
    element: Text = Field(
        description="Keywords from the outside in, private ones by tag; FileName, MarginText, …."
    )
    vr: str = Field(description="Value representation of a header's element.")
    kind: Text = Field(
        description="name, date, number, burned_in, margin_text, marker, pseudonym, text or picture."
    )
    files: int = Field(gt=0, description="Number of files.")
    first: Text = Field(description="First of the files, relative to data_dir.")
    image_id: str = Field(description="The film, for texts in margins.")
    place: str = Field(description="x1 y1 x2 y2 in pixels of the written image, for texts in margins.")


class LookRow(Row):
    """The look of a written image: looks of films that show the same differ in few bits."""

    image_id: Text
    look: Sha256 = Field(description="256 bits, hexadecimal.")


def audit_order(row: AuditRow) -> tuple[str, ...]:
    """Key to sort audit rows by."""
    return (row.dataset, row.element, row.kind, row.vr, row.image_id, row.place, row.first)


def joined(rows: Iterable[AuditRow]) -> list[AuditRow]:
    """The audits of shards as one: elements counted together, texts in margins as they are; sorted."""
    groups: dict[tuple[str, ...], list[AuditRow]] = {}
    for row in rows:
        groups.setdefault((row.dataset, row.element, row.vr, row.kind, row.image_id, row.place), []).append(
            row
        )
    merged = [
        group[0].model_copy(
            update={"files": sum(row.files for row in group), "first": min(row.first for row in group)}
        )
        for group in groups.values()
    ]
    return sorted(merged, key=audit_order)


def check_privacy(dataset: str, rows: Sequence[AuditRow], settings: DataReportSettings) -> None:
    """Raise `UserError` where something identifies persons and the settings want the workflow to stop."""
    found = [row for row in joined(rows) if row.kind in STOPPING]
    if settings.privacy != "stop" or not found:
        return
    groups: dict[tuple[str, str], list[AuditRow]] = {}
    for row in found:
        groups.setdefault((row.kind, row.element), []).append(row)
    said = [
        f"{kind.replace('_', ' ')} in {element} of {sum(row.files for row in group)} files (first: {group[0].first})"
        for (kind, element), group in sorted(
            groups.items(), key=lambda item: (STOPPING.index(item[0][0]), item[0][1])
        )
    ]
    more = f"; and {len(said) - 12} more elements" if len(said) > 12 else ""
    raise UserError(
        f"{dataset}: the delivery is not anonymised: {'; '.join(said[:12])}{more}. Ask for an anonymised delivery, "
        "list what may stay under data_report.allowed, or set data_report.privacy: report. "
        "results/data_report.html shows all of it"
    )
