"""The ensembles' results on a terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from mammo.errors import UserError
from mammo.metrics.row import ResultRow
from mammo.tables.csvio import read_table
from mammo.tables.records import Row

FIGURES = {
    "sensitivity": "sensitivity",
    "sens_at_1": "sens. at 1 FP",
    "froc_mean": "FROC mean",
    "ap50": "AP50",
    "clean_images": "clean images",
    "clean_cases": "clean cases",
}
NEXT = {
    "data_report.html": "counts, leakage, anchors, rejects and privacy of the data",
    "overlays": "lesions and detections drawn on the films, by ensemble and test set",
    "gallery": "missed lesions and false positives, worst first, by ensemble and test set: index.html",
    "froc": "FROC curves of the ensembles and their members",
    "figures": "precision and recall, ROC, scores, sensitivity by size",
    "all_snapshots.csv": "every snapshot on every test set",
}


def print_summary(results: Path, console: Console | None = None) -> None:
    """Print a table for each ensemble_*.csv of a folder. Raises `UserError` where there is none."""
    console = console or Console(highlight=False)
    paths = sorted(results.glob("ensemble_*.csv"))
    if not paths:
        raise UserError(
            f"{results} holds no ensemble_*.csv: run the workflow first (make demo, or snakemake)"
        )
    for path in paths:
        rows = read_table(path, ResultRow)
        if rows:
            first = rows[0]
            counts = f"{first.images} images, {first.cases} cases, {first.lesions} lesions"
            console.print(f"[bold]{path.name}[/bold]: {counts}")
            console.print(_table(rows))
            rule = f"sensitivity, clean: score ≥ {first.score_threshold:g}; hit rule: {first.hit_rule}"
            console.print(f"{rule}\n", soft_wrap=True)
    console.print("Where to look next (docs/metrics.md tells what each figure means):")
    for name in [*(path.name for path in paths), *NEXT]:
        if (results / name).exists():
            console.print(f"  {results / name}  {NEXT.get(name, '')}".rstrip(), soft_wrap=True)


def _table(rows: list[Row]) -> Table:
    table = Table()
    table.add_column("model", overflow="fold")
    table.add_column("kind")
    shown = [name for name in FIGURES if any(getattr(row, name) is not None for row in rows)]
    for name in shown:
        table.add_column(FIGURES[name], justify="right")
    for row in rows:
        figures = [getattr(row, name) for name in shown]
        cells = ["" if figure is None else f"{figure:.3f}" for figure in figures]
        table.add_row(row.model, row.kind, *cells, style="bold" if row.kind == "ensemble" else None)
    return table
