"""What is wrong with a file, gathered row by row, so that it is told once and not one row a run."""

from __future__ import annotations

from pathlib import Path

from mammo.errors import UserError

MOST_TOLD = 10


class Faults:
    """Faults of one file, in the order in which they were found."""

    def __init__(self, path: Path | str) -> None:
        self.path = path
        self._told: list[str] = []
        self._count = 0

    def add(self, where: str, what: str) -> None:
        """Note a fault: `where` is a row (line 7, annotations/3), `what` says what was found and expected."""
        self._count += 1
        if len(self._told) < MOST_TOLD:
            self._told.append(f"{where}: {what}")

    def stop(self) -> None:
        """Raise `UserError` with the number of faults and the first ten, if there is any."""
        if self._count:
            more = f"; and {self._count - MOST_TOLD} more" if self._count > MOST_TOLD else ""
            plural = "fault" if self._count == 1 else "faults"
            raise UserError(f"{self.path}: {self._count} {plural}: {'; '.join(self._told)}{more}")
