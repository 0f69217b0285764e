"""Lesions by size, those that no anchor covers told apart: a chart inside the data report's page."""

from __future__ import annotations

import io
from xml.etree import ElementTree

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from mammo.report.data_facts import Anchored

# Okabe and Ito's colours: told apart by colour-blind readers, too.
COVERED, BETWEEN, BACKGROUND = "#56b4e9", "#e69f00", "#d55e00"
INK, LINE = "#1b1f24", "#57606a"
STYLE = {
    # Text stays text: it can be searched, and no glyphs are drawn that every chart of a page would define again.
    "svg.fonttype": "none", "svg.hashsalt": "mammo", "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"],
    "font.size": 12, "text.color": INK, "xtick.labelcolor": INK, "ytick.labelcolor": INK, "axes.labelcolor": INK,
    "axes.edgecolor": LINE, "axes.linewidth": 1,
}  # fmt: skip
WIDTH, HEIGHT = 480, 216  # px: at 72 to the inch one px of the page is one point
LEFT, RIGHT, BELOW, ABOVE = 40, 10, 66, 20  # around the bars
MOST_LABELS = 11


def size_chart(anchored: Anchored) -> str:
    """An SVG element: a bar for every half power of two of the side in network pixels, the anchors' sizes below.

    It has no names, ids or links, so that a page can hold several. Same input, same bytes.
    """
    place = 2 * np.log2(np.maximum(anchored.sizes, 1.0))
    low = np.floor(place.min())
    edges = np.arange(low, max(low + 1, np.ceil(place.max() + 1e-9)) + 1)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72), dpi=72)
        axes = figure.add_axes(
            (LEFT / WIDTH, BELOW / HEIGHT, (WIDTH - LEFT - RIGHT) / WIDTH, (HEIGHT - BELOW - ABOVE) / HEIGHT)
        )
        titles = _bars(axes, anchored, place, edges)
        _scales(axes, edges)
        _anchor_sizes(
            axes, [size for size in 2 * np.log2(anchored.anchors.sizes) if edges[0] <= size <= edges[-1]]
        )
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    return _inline(written.getvalue(), titles)


def _bars(axes: Axes, anchored: Anchored, place: np.ndarray, edges: np.ndarray) -> dict[str, str]:
    """Draw them, one kind upon the other; what each says when it is pointed at, by its id."""
    found, overlaps = anchored.found, anchored.found.overlaps
    kinds = {
        "taught as background": (BACKGROUND, overlaps <= found.negative_overlap),
        "not covered": (BETWEEN, (overlaps > found.negative_overlap) & (overlaps < found.positive_overlap)),
        "covered": (COVERED, overlaps >= found.positive_overlap),
    }
    width = 1 - 2 * (len(edges) - 1) / (WIDTH - LEFT - RIGHT)  # a px of air at both sides
    titles, base = {}, np.zeros(len(edges) - 1, int)
    for name, (colour, kind) in kinds.items():
        counts, _ = np.histogram(place[kind], edges)
        bars = axes.bar(edges[:-1] + 0.5, counts, width, base, color=colour, label=name, clip_on=False)
        for bar, count, edge in zip(bars, counts, edges, strict=False):
            if count:
                bar.set_gid(f"{name} {edge:g}")
                sides = f"{2 ** (edge / 2):.0f} to {2 ** ((edge + 1) / 2):.0f} pixels"
                titles[bar.get_gid()] = f"{sides}: {count} {name}"
        base += counts
    axes.set(xlim=(edges[0], edges[-1]), ylim=(0, max(1, base.max())))
    return titles


def _scales(axes: Axes, edges: np.ndarray) -> None:
    shown = edges[:: 1 if len(edges) <= MOST_LABELS else 2]
    axes.set_xticks(shown, [f"{2 ** (edge / 2):.0f}" for edge in shown])
    # Upon its line each: in the middle of it, 0 would touch the first label of the scale below.
    axes.set_yticks(axes.get_ylim(), [f"{count:.0f}" for count in axes.get_ylim()], va="baseline")
    axes.tick_params(length=0, pad=6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("side in network pixels; ▲ sizes of the anchors", loc="left", labelpad=17)
    handles, names = axes.get_legend_handles_labels()
    axes.figure.legend(
        handles[::-1], names[::-1], loc="lower left", bbox_to_anchor=(LEFT / WIDTH, 0), ncols=3, frameon=False,
        borderpad=0, borderaxespad=0, handlelength=10 / 12, handleheight=10 / 12, handletextpad=4 / 12, columnspacing=1,
    )  # fmt: skip


def _anchor_sizes(axes: Axes, places: list[float]) -> None:
    """Triangles below the scale. Polygons, since markers are written as links to one that is named."""
    right = (WIDTH - LEFT - RIGHT) / np.ptp(axes.get_xlim())
    up = HEIGHT - BELOW - ABOVE
    for x in places:
        corners = [(x, -20 / up), (x + 5 / right, -29 / up), (x - 5 / right, -29 / up)]
        axes.add_patch(Polygon(corners, facecolor=INK, transform=axes.get_xaxis_transform(), clip_on=False))


def _inline(written: str, titles: dict[str, str]) -> str:
    """The SVG element of a file that matplotlib wrote, as HTML takes it: no namespaces, metadata, style, ids."""
    root = ElementTree.fromstring(written)
    for element in list(root.iter()):
        element.tag = element.tag.partition("}")[2]
        for child in list(element):
            if child.tag.endswith(("}metadata", "}defs")):
                element.remove(child)
        if text := titles.get(element.attrib.pop("id", "")):
            element.insert(0, ElementTree.Element("title"))
            element[0].text = text
    root.attrib |= {
        "width": str(WIDTH), "height": str(HEIGHT), "role": "img",
        "aria-label": "Lesions by size in network pixels",
    }  # fmt: skip
    root.attrib.pop("version", None)
    return ElementTree.tostring(root, encoding="unicode")
