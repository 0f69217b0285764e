"""Figures on a terminal, each with its interval and what it means."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from mammo.metrics.figure_rows import WHOLE, FigureRow


def print_figures(
    rows: Sequence[FigureRow], notes: Sequence[str] = (), console: Console | None = None
) -> None:
    """Print the figures of the whole set, of each name the first; `notes` stand above them."""
    console = console or Console(highlight=False)
    for note in notes:
        console.print(f"Note: {note}", soft_wrap=True, markup=False)
    first = {row.figure: row for row in reversed(rows) if row.slice == WHOLE}
    shown = [row for row in rows if row is first.get(row.figure) and row.value is not None]
    if not shown:
        console.print("The set can give no figure.")
        return
    told = f"{shown[0].images} images, {shown[0].lesions} lesions, {shown[0].patients} patients"
    console.print(f"{told}; intervals: 95 %, bootstrap over patients", soft_wrap=True)
    table = Table()
    for column, justify in (
        ("figure", "left"),
        ("value", "right"),
        ("95 % interval", "right"),
        ("n", "right"),
    ):
        table.add_column(column, justify=justify, no_wrap=True)
    table.add_column("what it is", overflow="fold")
    for row in shown:
        interval = "" if row.low is None or row.high is None else f"{row.low:.3f} to {row.high:.3f}"
        few = f"{row.n} (few)" if row.few else str(row.n)
        table.add_row(row.figure, f"{row.value:.3f}", interval, few, _meaning(row))
    console.print(table)


def _meaning(row: FigureRow) -> str:
    parts = [row.definition]
    for name, value in (
        ("hit rule", row.hit_rule), ("false positives", row.false_positives), ("a second hit is", row.second_hit)
    ):  # fmt: skip
        if value:
            parts.append(f"{name} {value}" if name.startswith("a ") else f"{name}: {value}")
    if row.score_threshold is not None:
        parts.append(f"score ≥ {row.score_threshold:g}")
    return "; ".join([*parts, row.source])
