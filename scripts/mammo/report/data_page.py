"""results/data_report.html: one page that opens without a network, for whoever answers for the data."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

import numpy as np

from mammo.datasets.audit_tables import MARGIN, MARKER
from mammo.report.contact_sheet import Tile
from mammo.report.data_checks import LOOK, OK, PROBLEM, Check, anchors_text
from mammo.report.data_facts import NOT_SAID, QUANTILES, Anchored, SetFacts, audit_counts
from mammo.report.data_sets import DATASET
from mammo.report.html import Html, element, table, together

LIGHTS = {PROBLEM: "✖ Problem", LOOK: "▲ Look", OK: "✔ OK"}
MOST_LISTED = 40  # rows of a list that data_report.csv or the dataset's tables hold in full
# Okabe and Ito's colours: told apart by colour-blind readers, too.
COVERED, BETWEEN, BACKGROUND = "#56b4e9", "#e69f00", "#d55e00"
STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1rem 1.25rem 4rem; color: #1b1f24; background: #fff;
  font: 16px/1.5 system-ui, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.7rem; margin: .5rem 0 0; line-height: 1.25; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 .5rem; padding-top: 1rem; border-top: 2px solid #d0d7de;
  overflow-wrap: anywhere; }
h3 { font-size: 1.02rem; margin: 1.4rem 0 .4rem; }
p { margin: .4rem 0; max-width: 60rem; }
a { color: #0550ae; }
code { font: .9em ui-monospace, "DejaVu Sans Mono", monospace; }
.path { overflow-wrap: anywhere; }
td:has(.path) { min-width: 12rem; }
.kinds td:first-child { min-width: 8rem; }
.quiet { color: #57606a; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .92rem; margin: .3rem 0 .6rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid #d8dee4; }
th { font-weight: 600; color: #57606a; border-bottom-color: #8c959f; white-space: nowrap; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.checks { width: 100%; min-width: 44rem; }
.checks td { overflow-wrap: anywhere; min-width: 7rem; }
.checks td:nth-child(-n+2) { white-space: nowrap; min-width: 0; }
.checks td:nth-child(n+4) { min-width: 14rem; }
.light { display: inline-block; border-radius: 1rem; padding: 0 .6rem; font-weight: 600; font-size: .85rem;
  white-space: nowrap; }
.problem { background: #ffd8d3; color: #82071e; }
.look { background: #fff1c2; color: #6a4500; }
.ok { background: #d5f2dc; color: #0a5a24; }
.totals { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: .5rem 0; }
.totals b { display: block; font-size: 1.4rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.counts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(15rem, 100%), 1fr)); gap: 0 2rem; }
.counts table { width: 100%; }
.counts td:first-child { overflow-wrap: anywhere; }
.sheet { display: flex; flex-wrap: wrap; gap: .6rem; align-items: flex-start; }
.sheet figure { margin: 0; padding: 3px; max-width: 100%; background: #0d1117; border-radius: 4px; }
.sheet img { display: block; max-width: 100%; height: auto; }
.sheet figcaption { color: #e6edf3; font-size: .74rem; line-height: 1.3; padding: .25rem .2rem;
  overflow-wrap: anywhere; }
details { margin: .6rem 0; }
summary { cursor: pointer; font-weight: 600; }
svg { display: block; max-width: 100%; height: auto; }
nav ul { padding-left: 1.1rem; margin: .3rem 0; }
nav li { overflow-wrap: anywhere; }
@media (max-width: 520px) {
  body { padding: .6rem .7rem 3rem; font-size: 15px; }
  .sheet figure { max-width: calc(50% - .3rem); }
  .checks { min-width: 0; }
  .checks thead { display: none; }
  .checks tr { display: block; border-bottom: 1px solid #8c959f; padding: .4rem 0; }
  .checks td, .checks td:nth-child(n) { display: block; border: 0; padding: .05rem 0; min-width: 0;
    white-space: normal; }
  .checks td:nth-child(-n+3) { display: inline-block; margin-right: .8rem; }
}
@media print { h2 { break-before: page; } figure { break-inside: avoid; } }
"""


def data_page(
    checks: Sequence[Check], facts: Sequence[SetFacts], sheets: Mapping[tuple[str, str], Sequence[Tile]]
) -> str:
    """The whole page. `sheets`: contact sheets by (kind, name) of the set."""
    body = [
        element("h1", "The data before training"),
        element("p", _verdict(checks), class_="quiet"),
        element("h3", "What to look at"),
        _check_table([check for check in checks if check.light != OK]),
        _passed([check for check in checks if check.light == OK]),
        element("nav", element("h3", "Sets"), element("ul", [_contents(one) for one in facts])),
    ]
    body += [_section(one, sheets.get((one.data.kind, one.name), ())) for one in facts]
    head = [
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", "The data before training"),
        element("style", Html(STYLE)),
    ]
    page = element("html", element("head", head), element("body", body), lang="en")
    return f"<!DOCTYPE html>\n{page}\n"


def _verdict(checks: Sequence[Check]) -> str:
    problems, looks = (sum(check.light == light for check in checks) for light in (PROBLEM, LOOK))
    if not problems and not looks:
        return f"All {len(checks)} checks passed."
    passed = _many(len(checks) - problems - looks, "check")
    return f"{_many(problems, 'problem')}, {_many(looks, 'thing')} to look at, {passed} passed."


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _check_table(checks: Sequence[Check]) -> Html | None:
    if not checks:
        return element("p", "Nothing.")
    rows = [
        (_light(check.light), check.subject, check.set_name, check.finding, check.advice) for check in checks
    ]
    return table(("", "Check", "Set", "Finding", "What to do"), rows, class_="checks")


def _passed(checks: Sequence[Check]) -> Html | None:
    if not checks:
        return None
    rows = [(_light(check.light), check.subject, check.set_name, check.finding, "") for check in checks]
    listed = table(("", "Check", "Set", "Finding", ""), rows, class_="checks")
    return element("details", element("summary", f"{_many(len(checks), 'check')} passed"), listed)


def _light(light: str) -> Html:
    return element("span", LIGHTS[light], class_=f"light {light}")


def _anchor(one: SetFacts) -> str:
    return f"{one.data.kind}-{one.data.of or one.name}"


def _contents(one: SetFacts) -> Html:
    counts = one.counts
    said = f" {counts['images']} films, {counts['lesions']} lesions"
    return element(
        "li", element("a", one.data.title, href=f"#{_anchor(one)}"), element("span", said, class_="quiet")
    )


# --- one set ----------------------------------------------------------------------------------------------------------


def _section(one: SetFacts, tiles: Sequence[Tile]) -> Html:
    totals = [element("div", element("b", f"{count:,}"), name) for name, count in one.counts.items()]
    parts = [
        element("h2", one.data.title, id=_anchor(one)),
        element("div", totals, class_="totals"),
        element("div", _count_tables(one), class_="counts"),
        *_box_sizes(one),
        *[_anchored(anchored) for anchored in one.anchored if anchored.found.lesions],
        *_twins(one),
    ]
    if one.data.kind == DATASET:
        parts += [*_rejects(one), *_privacy(one)]
    return element("section", parts, _sheet(one, tiles))


def _count_tables(one: SetFacts) -> list[Html]:
    images = one.data.images.images
    known = sum(image.pixel_mm is not None for image in images)
    tables = [("films", column, counts) for column, counts in one.films.items()]
    tables += [("lesions", column, counts) for column, counts in one.lesions.items()]
    tables += [
        ("films", "size in pixels", one.sizes),
        ("films", "pixel size in mm", {"known": known, "not known": len(images) - known}),
    ]
    found = []
    for what, column, counts in tables:
        # A column that says nothing, or only the set's own name, is no information.
        if not counts or set(counts) == {NOT_SAID} or (column == "dataset" and len(counts) == 1):
            continue
        heading, unit = (
            ("films with … lesions", "films")
            if column == "lesions on a film"
            else (f"{what} by {column}", what)
        )
        most = 6 if column == "size in pixels" else 16
        shown = list(counts.items())[:most]
        if len(counts) > most:
            shown.append((f"{len(counts) - most} others", sum(list(counts.values())[most:])))
        found.append(
            element(
                "div", element("h3", heading[0].upper() + heading[1:]), table((column, unit), shown, (1,))
            )
        )
    return found


def _box_sizes(one: SetFacts) -> list[Html]:
    rows = []
    names = {"pixels": "pixels of the image", "mm": "millimetres", "height over width": "height over width"}
    for unit, quantiles in one.box_sizes.items():
        digits = 0 if unit == "pixels" else 1 if unit == "mm" else 2
        if quantiles:
            rows.append((names[unit], *(f"{value:.{digits}f}" for value in quantiles)))
    if not rows:
        return []
    headings = ("", "least", *(f"{quantile} %" for quantile in QUANTILES[1:-1]), "most")
    lesions, spacing = one.data.images.lesions, {i.image_id: i.pixel_mm for i in one.data.images.images}
    unknown = sum(spacing[lesion.image_id] is None for lesion in lesions)
    note = (
        f" The pixel size is not known for {unknown} of {_many(len(lesions), 'lesion')}." if unknown else ""
    )
    return [
        element("h3", "Size of the lesions' boxes"),
        element("p", f"Square root of the area; percentiles.{note}", class_="quiet"),
        table(headings, rows, range(1, len(headings))),
    ]


def _anchored(anchored: Anchored) -> Html:
    found, names = anchored.found, ", ".join(anchored.experiments)
    between = found.uncovered - found.background
    said = (
        f"Of {_many(found.lesions, 'lesion')} at sides {anchored.sides.min} to {anchored.sides.max}: "
        f"{found.lesions - found.uncovered} covered (an anchor has an IoU of at least {found.positive_overlap:g}), "
        f"{between} not covered, {found.background} taught as background (no anchor has more than "
        f"{found.negative_overlap:g})."
    )
    parts = [
        element("h3", f"Anchors of {names}"),
        element("p", said),
        element("p", "Now: ", element("code", anchors_text(anchored.anchors)), class_="quiet"),
        _size_chart(anchored),
    ]
    if anchored.suggestions:
        rows = [
            (
                element("code", anchors_text(option.settings)),
                f"{option.coverage.uncovered} ({option.coverage.uncovered_share:.1%})",
                f"{option.anchors_per_film / max(1.0, option.anchors_per_film_before):.1f} ×",
            )
            for option in anchored.suggestions
        ]
        parts += [
            element("p", f"Would cover more (now {found.uncovered}, {found.uncovered_share:.1%}, are left):"),
            table(("anchors", "left uncovered", "anchors a film, to now"), rows, (1, 2)),
        ]
    return together(parts)


def _size_chart(anchored: Anchored) -> Html:
    """Lesions by size in network pixels, those that no anchor covers told apart; ticks where the anchors' sizes are."""
    overlaps, found = anchored.found.overlaps, anchored.found
    low = np.floor(2 * np.log2(max(1.0, anchored.sizes.min()))) / 2
    high = max(low + 0.5, np.ceil(2 * np.log2(max(1.0, anchored.sizes.max())) + 1e-9) / 2)
    edges = 2 ** np.arange(low, high + 0.25, 0.5)
    kinds = (
        (BACKGROUND, "taught as background", overlaps <= found.negative_overlap),
        (BETWEEN, "not covered", (overlaps > found.negative_overlap) & (overlaps < found.positive_overlap)),
        (COVERED, "covered", overlaps >= found.positive_overlap),
    )
    counts = [np.histogram(anchored.sizes[kind], edges)[0] for _, _, kind in kinds]
    width, height, left, base = 480, 216, 40, 150
    highest = max(1, int(np.sum(counts, axis=0).max()))
    step = (width - left - 10) / (len(edges) - 1)

    def place(size: float) -> float:
        return left + (2 * np.log2(size) - 2 * low) * step

    parts = []
    for column in range(len(edges) - 1):
        top = base
        for (colour, name, _), count in zip(kinds, counts, strict=True):
            tall = 130 * int(count[column]) / highest
            if tall:
                top -= tall
                title = element(
                    "title", f"{edges[column]:.0f} to {edges[column + 1]:.0f} pixels: {count[column]} {name}"
                )
                parts.append(
                    element("rect", title, x=f"{left + column * step + 1:.1f}", y=f"{top:.1f}", width=f"{step - 2:.1f}",
                            height=f"{tall:.1f}", fill=colour)
                )  # fmt: skip
    for edge in edges[:: 1 if len(edges) < 12 else 2]:
        parts.append(_words(place(edge), base + 16, f"{edge:.0f}", "middle"))
    parts.append(_words(left - 6, base - 124, str(highest), "end"))
    parts.append(_words(left - 6, base, "0", "end"))
    parts.append(
        element("path", d=f"M{left} {base - 130}V{base}H{width - 10}", fill="none", stroke="#57606a")
    )
    for size in anchored.anchors.sizes:
        if edges[0] <= size <= edges[-1]:
            x = place(size)
            parts.append(element("path", d=f"M{x:.1f} {base + 20}l5 9h-10z", fill="#1b1f24"))
    parts.append(_words(left, base + 44, "side in network pixels; ▲ sizes of the anchors", "start"))
    x = float(left)
    for colour, name, _ in reversed(kinds):
        parts.append(element("rect", x=f"{x:.0f}", y=base + 52, width=10, height=10, fill=colour))
        parts.append(_words(x + 14, base + 61, name, "start"))
        x += 34 + 7 * len(name)
    return element(
        "svg", parts, viewBox=f"0 0 {width} {height}", width=width, height=height, role="img",
        aria_label="Lesions by size in network pixels",
    )  # fmt: skip


def _words(x: float, y: float, text: str, anchor: str) -> Html:
    return element(
        "text", text, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor, font_size=12, fill="#1b1f24",
        font_family="system-ui, 'DejaVu Sans', sans-serif",
    )  # fmt: skip


def _twins(one: SetFacts) -> list[Html]:
    parts = []
    if one.duplicates:
        rows = [
            (
                " = ".join(image.image_id for image in group),
                ", ".join(sorted({image.patient for image in group})),
            )
            for group in one.duplicates
        ]
        parts += [element("h3", "The same film under several names"), *_listed(("films", "patients"), rows)]
    if one.near:
        parts += [element("h3", "Films that look the same"), *_listed(("film", "film"), one.near)]
    return parts


def _listed(
    headings: Sequence[str], rows: Sequence[Sequence[object]], numbers: Sequence[int] = ()
) -> list[Html]:
    parts = [table(headings, rows[:MOST_LISTED], numbers)]
    if len(rows) > MOST_LISTED:
        parts.append(element("p", f"… and {len(rows) - MOST_LISTED} more.", class_="quiet"))
    return parts


def _rejects(one: SetFacts) -> list[Html]:
    heading = element("h3", "Files that were turned down")
    if not one.rejected:
        return [heading, element("p", "None.")]
    rows = [
        (group.files, group.stage, group.reason, element("code", group.first, class_="path"))
        for group in one.rejected
    ]
    return [heading, *_listed(("files", "stage", "reason", "first"), rows, (0,))]


def _privacy(one: SetFacts) -> list[Html]:
    """What the audit found: elements and numbers of files. Values are nowhere."""
    parts = [element("h3", "Privacy: left in headers and margins")]
    counts = audit_counts(one.audit)
    if not counts:
        return [*parts, element("p", "Nothing was found.")]
    first = {}
    for row in one.audit:
        first.setdefault((row.kind, row.element), (row.vr, row.first))
    rows = [
        (
            _kind(kind),
            element("code", name),
            first[kind, name][0],
            files,
            element("code", first[kind, name][1], class_="path"),
        )
        for (kind, name), files in counts.items()
    ]
    parts.append(table(("kind", "element", "VR", "files", "first"), rows, (3,), class_="kinds"))
    texts = [row for row in one.audit if row.element == MARGIN and row.kind != MARKER]
    if texts:
        places = [(row.image_id, row.place) for row in texts]
        parts += [element("h3", "Text in margins"), *_listed(("film", "x1 y1 x2 y2 in pixels"), places)]
    return parts


def _kind(kind: str) -> str:
    return {
        "burned_in": "says that text is burned in",
        "margin_text": "text in a margin",
        "marker": "short text in a margin, as of side and view",
        "pseudonym": "part of the file's name",
        "text": "free text",
        "picture": "picture or document",
    }.get(kind, kind)


def _sheet(one: SetFacts, tiles: Sequence[Tile]) -> Html | None:
    if not tiles:
        return None
    figures = [
        element(
            "figure",
            element("img", src=f"data:image/jpeg;base64,{base64.b64encode(tile.jpeg).decode()}", width=tile.width,
                    height=tile.height, alt=f"{tile.image.image_id}, {len(tile.lesions)} lesions"),
            element("figcaption", tile.image.image_id, element("br"), _caption(tile)),
            style=f"width: {tile.width + 6}px",
        )
        for tile in tiles
    ]  # fmt: skip
    of = len(one.data.images.images)
    summary = element("summary", f"{len(tiles)} of {of} films with their lesions' boxes")
    return element("details", summary, element("div", figures, class_="sheet"), open="open")


def _caption(tile: Tile) -> str:
    if not tile.lesions:
        return f"{tile.image.group}, no lesion"
    types = sorted({lesion.lesion_type or NOT_SAID for lesion in tile.lesions})
    return f"{_many(len(tile.lesions), 'lesion')}: {', '.join(types)}"
