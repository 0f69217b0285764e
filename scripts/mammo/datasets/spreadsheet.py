"""Tables that come as spreadsheets (.xls), read in a process of its own.

The reader (python-calamine) is fast and knows the old format, but a damaged file can make it panic, or ask for more
memory than there is and end the process. So a child with bounded memory and time does the reading.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mammo.datasets.labels import LabelRow, column_name, shortened
from mammo.datasets.texts import read_bytes
from mammo.errors import UserError

MAX_BYTES = 64_000_000
SECONDS = 60
NOT_INSTALLED = 3
# First rows among which the header may be.
HEADER_ROWS = 10
_CHILD = f"""
import io, json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
try:
    from python_calamine import CalamineWorkbook
except ImportError:
    sys.exit({NOT_INSTALLED})
book = CalamineWorkbook.from_filelike(io.BytesIO(sys.stdin.buffer.read()))
json.dump(book.get_sheet_by_index(0).to_python(skip_empty_area=False), sys.stdout, default=str)
"""


def read_sheet(path: Path, columns: Sequence[str]) -> list[LabelRow]:
    """Rows of the first sheet below the row that holds all of `columns`; rows without any text are left out.

    Numbers are given as a table would write them, whole ones without a point. Raises `UserError`.
    """
    cells = [[_text(cell) for cell in row] for row in _cells(path)]
    header, below = _header(path, cells, columns)
    # Of columns that are there twice the first counts.
    return [
        LabelRow(f"{path}, row {number}", dict(zip(reversed(header), reversed(row), strict=True)), number)
        for number, row in enumerate(cells[below:], start=below + 1)
        if any(row)
    ]


def _header(path: Path, cells: list[list[str]], columns: Sequence[str]) -> tuple[list[str], int]:
    """The names of the columns, and the place of the row below them. Raises `UserError`."""
    for place, row in enumerate(cells[:HEADER_ROWS], start=1):
        header = [column_name(cell) for cell in row]
        if set(columns) <= set(header):
            return header, place
    first = shortened(", ".join(cells[0]), 300) if cells else "nothing"
    missing = ", ".join(f"'{name}'" for name in columns)
    raise UserError(f"{path}: no row of the first sheet holds the columns {missing}; found {first}")


def _cells(path: Path) -> list[list[object]]:
    """The first sheet as rows of one length. Raises `UserError`."""
    data = read_bytes(path, "spreadsheet", MAX_BYTES)
    try:
        done = subprocess.run(
            [sys.executable, "-c", _CHILD], input=data, capture_output=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise UserError(f"{path}: the spreadsheet cannot be read within {SECONDS} s") from error
    if done.returncode == NOT_INSTALLED:
        raise UserError(f"{path}: spreadsheets need python-calamine, which is not installed; save it as CSV")
    if done.returncode != 0:
        raise UserError(
            f"{path}: the spreadsheet cannot be read: damaged, or no spreadsheet; download it again"
        )
    return json.loads(done.stdout)


def _text(cell: object) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()
