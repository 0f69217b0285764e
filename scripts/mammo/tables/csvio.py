"""Reading and writing of tables with a header, each row held against its model."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from mammo.errors import UserError
from mammo.files import atomic_path
from mammo.tables.dialect import csv_line
from mammo.tables.records import Row

if TYPE_CHECKING:
    import pandas as pd

RowType = TypeVar("RowType", bound=Row)


def columns(model: type[Row]) -> list[str]:
    """Column names of a table, in order."""
    return list(model.model_fields)


def read_table(path: Path | str, model: type[RowType]) -> list[RowType]:
    """Read a CSV table; a column with a default may be missing, as in tables of before there was such a column.

    Raises `UserError` naming the file, the line, the column and the value.
    """
    path = Path(path)
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            found = reader.fieldnames or []
            needed = [name for name, field in model.model_fields.items() if field.is_required()]
            missing = [name for name in needed if name not in found]
            if missing:
                raise UserError(
                    f"{path}: a table of {model.__name__} rows needs the columns {', '.join(needed)}; "
                    f"missing: {', '.join(missing)}"
                )
            return [_row(path, reader.line_num, record, model) for record in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as a CSV table: {error}") from error


def _row(path: Path, line: int, record: dict[str, str], model: type[RowType]) -> RowType:
    if None in record or None in record.values():
        fault = "more" if None in record else "fewer"
        raise UserError(
            f"{path}, line {line}: {fault} cells than the header has columns, found {_cells(record)!r}"
        )
    try:
        # An empty cell is None where the column may be missing a figure, and the empty text elsewhere.
        empty = {key: None for key in _may_be_missing(model) if record.get(key) == ""}
        return model.model_validate(record | empty)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        column = ".".join(str(part) for part in fault["loc"]) or "row"
        raise UserError(f"{path}, line {line}, {column}: {fault['msg']}, found {fault['input']!r}") from error


def _cells(record: dict[str, Any]) -> str:
    """What stands in a row, as far as it does; surplus cells hang under the key None."""
    plain = [cell for key, cell in record.items() if key is not None and cell is not None]
    return ",".join(plain + list(record.get(None, [])))  # type: ignore[call-overload]


@cache
def _may_be_missing(model: type[Row]) -> frozenset[str]:
    """Columns of figures that may be missing."""
    fields = model.model_fields.items()
    return frozenset(
        name for name, field in fields if type(None) in getattr(field.annotation, "__args__", ())
    )


def write_table(path: Path | str, model: type[RowType], rows: Iterable[RowType]) -> None:
    """Write rows as CSV with LF line ends, whole or not at all. Floats are written so that they read back equal."""
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        file.write(csv_line(columns(model)))
        file.writelines(csv_line(csv_text(getattr(row, name)) for name in columns(model)) for row in rows)


def csv_text(value: object) -> str:
    """A value as a cell holds it: empty for none, whole floats without a point, others so that they read back equal."""
    if value is None:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(float(value))
    return str(value)


def read_frame(path: Path | str, model: type[Row]) -> pd.DataFrame:
    """The same as `read_table`, as a frame with the model's columns (also when there is no row)."""
    import pandas as pd  # here, because most jobs need no frame and would wait half a second for it

    rows = read_table(path, model)
    return pd.DataFrame([vars(row) for row in rows], columns=columns(model))
