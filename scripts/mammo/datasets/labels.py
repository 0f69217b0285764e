"""Label tables that come with a dataset, read with errors that name file, line and column."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mammo.datasets.texts import marked_encoding, read_bytes
from mammo.errors import UserError
from mammo.tables.records import Density

# The largest label table in circulation (VinDr's) has 3 MB; beyond this a file is something else under a table's name.
MAX_BYTES = 256_000_000
_DENSITY = re.compile(r"(?:density|acr)?\s*([1-4a-d])")
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True)
class LabelRow:
    """One row: its place for errors, its cells by column (small letters, blanks for underscores), stripped.

    `line` is the first line of the row in the file, from 1. `torn` says what is wrong with the row as a whole, where
    rows that are torn were asked for.
    """

    where: str
    cells: dict[str, str]
    line: int = 0
    torn: str = ""

    def __getitem__(self, column: str) -> str:
        return self.cells[column]

    def fault(self, column: str, expected: str) -> UserError:
        """The error for a cell that makes no sense."""
        return UserError(f"{self.where}, {cell_fault(self, column, expected)}")


def cell_fault(row: LabelRow, column: str, expected: str) -> str:
    """What is wrong with a cell, without the row's place."""
    return f"column '{column}': expected {expected}, found {shortened(row.cells[column])!r}"


def shortened(text: str, most: int = 60) -> str:
    """A text fit for a message: a file of another kind has megabytes in its first line, and letters that are none."""
    shown = "".join(letter if letter.isprintable() else "\ufffd" for letter in text[:most])
    return shown if len(text) <= most else f"{shown}…"


def read_labels(
    path: Path, columns: Sequence[str], delimiter: str = ",", torn: bool = False
) -> list[LabelRow]:
    """Read a table in any of its line ends, in UTF-8 or, if it begins with a byte order mark, UTF-16 or UTF-32.

    Rows without any text are left out. Raises `UserError` where the file cannot be read, is no text, has a quote
    that never ends, lacks a needed column, or a row has fewer or more cells than the header (with `torn` such a row
    is given, missing cells empty, and says so).
    """
    text = _text(path)
    try:
        header, lines = _parsed(text, delimiter)
    except csv.Error as error:
        raise UserError(
            f"{path}: the label table cannot be read: {error}: a quote opens that is not closed, or the end of the "
            "file is missing; download it again"
        ) from error
    if missing := [name for name in columns if name not in header]:
        raise UserError(
            f"{path}: column '{missing[0]}' is missing; {_found(header, text, columns, delimiter)}"
        )
    if twice := [name for name in columns if header.count(name) > 1]:
        raise UserError(f"{path}: there are two columns '{twice[0]}'; take the table as it was published")
    rows = [_row(path, line, header, cells) for line, cells in lines]
    for row in rows:
        if row.torn and not torn:
            raise UserError(f"{row.where}: {row.torn}; download the table again")
        _refuse_swallowed_rows(row, columns)
    return rows


def _text(path: Path) -> str:
    """The file as text with the line ends that it has. Raises `UserError`."""
    data = read_bytes(path, "label table", MAX_BYTES)
    encoding = marked_encoding(data) or "utf-8"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{path}, line {line}: the label table cannot be read: the bytes are no {encoding.upper()}; "
            "save it as UTF-8, or download it again"
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise UserError(
            f"{path}, line {line}: the label table cannot be read: it holds zero bytes, so it is no text, or UTF-16 "
            "without its mark; save it as UTF-8, or download it again"
        )
    return text


def _parsed(text: str, delimiter: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header, and the first line and the cells of each row with text. Raises `csv.Error`."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header = [column_name(name) for name in next(reader, [])]
    rows = []
    begins = reader.line_num + 1
    for cells in reader:
        if any(cell.strip() for cell in cells):
            rows.append((begins, cells))
        begins = reader.line_num + 1
    return header, rows


def _row(path: Path, line: int, header: list[str], cells: list[str]) -> LabelRow:
    # Spreadsheets write empty cells behind the last column; text there means that a separator stands inside a cell.
    surplus = any(cell.strip() for cell in cells[len(header) :])
    fault = "more" if surplus else "fewer" if len(cells) < len(header) else ""
    whole = [cell.strip() for cell in cells[: len(header)]] + [""] * (len(header) - len(cells))
    return LabelRow(
        f"{path}, line {line}",
        dict(zip(header, whole, strict=True)),
        line,
        f"{fault} cells than the header has" if fault else "",
    )


def _refuse_swallowed_rows(row: LabelRow, columns: Sequence[str]) -> None:
    """A quote too many makes one cell of several rows; which lesions are in there cannot be known."""
    for column in columns:
        if "\n" in row[column] or "\r" in row[column]:
            raise UserError(
                f"{row.where}, column '{column}': a line break inside the cell, perhaps a quote too many, which "
                "swallows rows; download the table again"
            )


def _found(header: list[str], text: str, columns: Sequence[str], delimiter: str) -> str:
    names = shortened(", ".join(name for name in header if name), 300)
    hint = ""
    for other, word in SEPARATORS.items():
        if other != delimiter and other in text.partition("\n")[0]:
            split = {column_name(name.strip('"')) for name in text.partition("\n")[0].split(other)}
            hint = f"; the file is separated by {word}" if split & set(columns) else hint
    return (
        f"found {names or 'no header'} (separated by '{delimiter}'){hint}. Take the table as it was published"
    )


def breast_density(text: str) -> Density:
    """Breast density as BI-RADS a to d, from how tables write it: 1 to 4, A to D, `DENSITY B`, `ACR 2`.

    BI-RADS 4 (2003) counts the same four categories 1 to 4 that BI-RADS 5 (2013) calls a to d. Empty for anything else,
    as for the 0 that CBIS-DDSM has on one film: an unknown density costs no film.
    """
    match = _DENSITY.fullmatch(text.strip().lower())
    letters: dict[str, Density] = {
        "a": "a",
        "b": "b",
        "c": "c",
        "d": "d",
        "1": "a",
        "2": "b",
        "3": "c",
        "4": "d",
    }
    return letters[match[1]] if match else ""


def column_name(name: str) -> str:
    """A column's name in small letters, blanks for underscores, one blank at a time."""
    return " ".join(name.replace("_", " ").split()).lower()
