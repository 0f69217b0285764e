"""results/data_report.html: one page that opens without a network, for whoever answers for the data.

What the page says and how it looks stands in templates/; here its parts are made ready. Every text is escaped there.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mammo.datasets.audit_tables import MARGIN, MARKER, AuditRow
from mammo.report.contact_sheet import Tile
from mammo.report.data_checks import Check, anchors_text
from mammo.report.data_facts import NOT_SAID, QUANTILES, Anchored, Rejected, SetFacts, audit_counts
from mammo.report.data_sets import DATASET
from mammo.report.pages import templates_of
from mammo.report.size_chart import size_chart

TEMPLATES = templates_of(Path(__file__).parent / "templates")
TEMPLATES.filters |= {"anchors_text": anchors_text, "size_chart": size_chart}
BOX_HEADINGS = ("", "least", *(f"{quantile} %" for quantile in QUANTILES[1:-1]), "most")
# Name and digits after the point of each measure of a box.
BOX_MEASURES = {
    "pixels": ("pixels of the image", 0),
    "mm": ("millimetres", 1),
    "height over width": ("height over width", 2),
}
MOST_VALUES, MOST_SIZES = 16, 6  # rows of a table of counts; the others are one row
KINDS = {
    "burned_in": "says that text is burned in",
    "margin_text": "text in a margin",
    "marker": "short text in a margin, as of side and view",
    "pseudonym": "part of the file's name",
    "text": "free text",
    "picture": "picture or document",
}


@dataclass(frozen=True)
class Counted:
    """How many films or lesions (`unit`) have which value."""

    heading: str
    column: str
    unit: str
    rows: Sequence[tuple[str, int]]


@dataclass(frozen=True)
class Identifying:
    """An element of headers, or texts in margins, in `files` files or on as many films; never its value."""

    kind: str
    element: str
    vr: str
    files: int
    first: str


@dataclass(frozen=True)
class Picture:
    """A film of the contact sheet. `jpeg`: base64; `lesions`: their number."""

    image_id: str
    group: str
    lesions: int
    types: Sequence[str]
    jpeg: str
    width: int
    height: int


@dataclass(frozen=True)
class SetView:
    """What the page shows of one set. What is empty is left out, but in a dataset's own parts."""

    anchor: str
    title: str
    is_dataset: bool
    counts: Mapping[str, int]
    counted: Sequence[Counted]
    box_sizes: Sequence[Sequence[str]]
    without_spacing: int
    anchored: Sequence[Anchored]
    duplicates: Sequence[tuple[str, str]]
    near: Sequence[tuple[str, str]]
    rejected: Sequence[Rejected]
    identifying: Sequence[Identifying]
    margins: Sequence[tuple[str, str]]
    sheet: Sequence[Picture]


def data_page(
    checks: Sequence[Check], facts: Sequence[SetFacts], sheets: Mapping[tuple[str, str], Sequence[Tile]]
) -> str:
    """The whole page. `sheets`: contact sheets by (kind, name) of the set."""
    return TEMPLATES.get_template("data_report.html").render(
        checks=checks,
        sets=[_view(one, sheets.get((one.data.kind, one.name), ())) for one in facts],
        box_headings=BOX_HEADINGS,
    )


def _view(one: SetFacts, tiles: Sequence[Tile]) -> SetView:
    images, lesions = one.data.images.images, one.data.images.lesions
    spacing = {image.image_id: image.pixel_mm for image in images}
    return SetView(
        anchor=f"{one.data.kind}-{one.data.of or one.name}",
        title=one.data.title,
        is_dataset=one.data.kind == DATASET,
        counts=one.counts,
        counted=list(_counted(one)),
        box_sizes=list(_box_sizes(one)),
        without_spacing=sum(spacing[lesion.image_id] is None for lesion in lesions),
        anchored=[anchored for anchored in one.anchored if anchored.found.lesions],
        duplicates=[
            (
                " = ".join(image.image_id for image in group),
                ", ".join(sorted({image.patient for image in group})),
            )
            for group in one.duplicates
        ],
        near=one.near,
        rejected=one.rejected,
        identifying=list(_identifying(one.audit)),
        margins=[
            (row.image_id, row.place) for row in one.audit if row.element == MARGIN and row.kind != MARKER
        ],
        sheet=[_picture(tile) for tile in tiles],
    )


def _counted(one: SetFacts) -> Iterator[Counted]:
    """Tables of counts; those that say nothing, or only the set's own name, are left out."""
    images = one.data.images.images
    known = sum(image.pixel_mm is not None for image in images)
    tables = [("films", column, counts) for column, counts in one.films.items()]
    tables += [("lesions", column, counts) for column, counts in one.lesions.items()]
    tables += [
        ("films", "size in pixels", one.sizes),
        ("films", "pixel size in mm", {"known": known, "not known": len(images) - known}),
    ]
    for what, column, counts in tables:
        if not counts or set(counts) == {NOT_SAID} or (column == "dataset" and len(counts) == 1):
            continue
        heading, unit = f"{what.capitalize()} by {column}", what
        if column == "lesions on a film":
            heading, unit = "Films with … lesions", "films"
        most = MOST_SIZES if column == "size in pixels" else MOST_VALUES
        rows, others = list(counts.items())[:most], list(counts.values())[most:]
        if others:
            rows.append((f"{len(others)} others", sum(others)))
        yield Counted(heading, column, unit, rows)


def _box_sizes(one: SetFacts) -> Iterator[list[str]]:
    for measure, quantiles in one.box_sizes.items():
        name, digits = BOX_MEASURES[measure]
        if quantiles:
            yield [name, *(f"{value:.{digits}f}" for value in quantiles)]


def _identifying(audit: Sequence[AuditRow]) -> Iterator[Identifying]:
    first: dict[tuple[str, str], AuditRow] = {}
    for row in audit:
        first.setdefault((row.kind, row.element), row)
    for (kind, element), files in audit_counts(audit).items():
        row = first[kind, element]
        yield Identifying(KINDS.get(kind, kind), element, row.vr, files, row.first)


def _picture(tile: Tile) -> Picture:
    return Picture(
        image_id=tile.image.image_id,
        group=tile.image.group,
        lesions=len(tile.lesions),
        types=sorted({lesion.lesion_type or NOT_SAID for lesion in tile.lesions}),
        jpeg=base64.b64encode(tile.jpeg).decode(),
        width=tile.width,
        height=tile.height,
    )
