"""The ensembles' results on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.box import HORIZONTALS
from rich.console import Console
from rich.table import Table

from mammo.errors import UserError
from mammo.metrics.gain import GainRow
from mammo.metrics.row import ResultRow
from mammo.tables.csvio import read_table
from mammo.tables.records import Row

FIGURES = {
    "sensitivity": "sens.",
    "sens_at_1": "sens. at 1 FP",
    "froc_mean": "FROC mean",
    "ap50": "AP50",
    "auc_image": "image AUC",
    "clean_images": "clean images",
    "clean_cases": "clean cases",
}
WITH_INTERVAL = ("sens_at_1", "froc_mean", "auc_image")  # of all of them a terminal has no room
COMPARED = "froc_mean"
AGAINST = {"best_member": "its best member", "mean_member": "its mean member"}
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
            console.print(f"{rule}; below a figure its 95 % interval over patients", soft_wrap=True)
            for line in _gains(results, rows):
                console.print(line, soft_wrap=True)
            console.print()
    console.print("Where to look next (docs/metrics.md tells what each figure means):")
    for name in [*(path.name for path in paths), *NEXT]:
        if (results / name).exists():
            console.print(f"  {results / name}  {NEXT.get(name, '')}".rstrip(), soft_wrap=True)


def _table(rows: list[Row]) -> Table:
    table = Table(box=HORIZONTALS, padding=0, show_edge=False)  # all columns fit into 80 letters
    table.add_column("model", overflow="fold", min_width=min(24, max(len(row.model) for row in rows)))
    table.add_column("kind", no_wrap=True)
    shown = [name for name in FIGURES if any(getattr(row, name) is not None for row in rows)]
    for name in shown:
        wide = name in WITH_INTERVAL
        table.add_column(
            FIGURES[name], justify="right", min_width=9 if wide else None, max_width=None if wide else 6
        )
    for row in rows:
        cells = [_figure(row, name) for name in shown]
        table.add_row(row.model, row.kind, *cells, style="bold" if row.kind == "ensemble" else None)
        if row.kind == "ensemble":  # the next row is another one's first member
            table.add_section()
    return table


def _figure(row: Row, name: str) -> str:
    value = getattr(row, name)
    if value is None:
        return ""
    low = getattr(row, f"{name}_low") if name in WITH_INTERVAL else None
    return f"{value:.3f}" if low is None else f"{value:.3f}\n{low:.2f}–{getattr(row, f'{name}_high'):.2f}"


def _gains(results: Path, rows: list[Row]) -> Iterator[str]:
    """What each ensemble gains over its best and its mean member, where its table of gains is there."""
    for row in rows:
        path = results / "ensembles" / row.model / f"{row.test_set}.gain.csv"
        if row.kind != "ensemble" or not path.exists():
            continue
        for gain in read_table(path, GainRow):
            if gain.against in AGAINST and gain.figure == COMPARED and gain.low is not None:
                yield (
                    f"{row.model} against {AGAINST[gain.against]}: {FIGURES[COMPARED]} {gain.difference:+.3f} "
                    f"({gain.low:+.3f} to {gain.high:+.3f}), p {gain.p:.3f}"
                )
