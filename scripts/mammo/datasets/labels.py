"""Label tables that come with a dataset, read with errors that name file, line and column."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mammo.errors import UserError


@dataclass(frozen=True)
class LabelRow:
    """One row: its place for errors, its cells by column (small letters, blanks for underscores), stripped."""

    where: str
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells[column]

    def fault(self, column: str, expected: str) -> UserError:
        """The error for a cell that makes no sense."""
        return UserError(
            f"{self.where}, column '{column}': expected {expected}, found {self.cells[column]!r}"
        )


def read_labels(path: Path, columns: Sequence[str], delimiter: str = ",") -> list[LabelRow]:
    """Read a table in any of its line ends; rows without any text are left out.

    Raises `UserError` where the file cannot be read, a needed column is missing or a row is short.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, delimiter=delimiter)
            header = [_column(name) for name in next(reader, [])]
            rows = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: the label table cannot be read: {error}; download it again") from error
    missing = [name for name in columns if name not in header]
    if missing:
        raise UserError(
            f"{path}: column '{missing[0]}' is missing; found {', '.join(header) or 'no header'} "
            f"(separated by '{delimiter}'). Take the table as it was published"
        )
    short = [line for line, cells in rows if len(cells) < len(header)]
    if short:
        raise UserError(f"{path}, line {short[0]}: fewer cells than the header has; download the table again")
    return [
        LabelRow(f"{path}, line {line}", dict(zip(header, (cell.strip() for cell in cells), strict=False)))
        for line, cells in rows
    ]


def _column(name: str) -> str:
    return " ".join(name.replace("_", " ").split()).lower()
