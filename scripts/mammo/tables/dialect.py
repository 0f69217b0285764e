"""How our CSV files are written: comma, LF line ends, cells quoted only where they must be."""

from __future__ import annotations

from collections.abc import Iterable


def csv_line(cells: Iterable[object]) -> str:
    """One line of a CSV file, with its LF. Texts with a comma, a quote or a line end of either kind are quoted.

    Not `csv.writer`: before Python 3.13 it leaves a carriage return bare where lines end in LF, and a reader then
    sees two rows.
    """
    return ",".join(_cell(str(cell)) for cell in cells) + "\n"


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\r\n') else text
