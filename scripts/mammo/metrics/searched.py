"""Tables of what was tried on validation for an ensemble, and what they say. Knows nothing of how it was tried."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from mammo.errors import UserError
from mammo.settings import FusionMethod, FusionSettings, Metric, parse_section
from mammo.tables.csvio import read_table
from mammo.tables.records import Row, Text


class SweepRow(Row):
    """One way to fuse, and its figures on the validation films that all members share."""

    method: FusionMethod
    iou: float
    score_floor: float
    k: int = Field(ge=1, description="Members: the best so many.")
    froc_mean: float | None
    sens_at_1: float | None
    ap50: float | None
    sensitivity: float | None
    winner: bool = Field(description="Best by sweep.metric; of equal ones the first.")

    @property
    def fusion(self) -> FusionSettings:
        """The settings of this way."""
        return FusionSettings(method=self.method, iou=self.iou, score_floor=self.score_floor)


def winner(rows: Sequence[SweepRow]) -> SweepRow:
    """The one that won. Raises `UserError` for a table without exactly one."""
    won = [row for row in rows if row.winner]
    if len(won) != 1:
        raise UserError(f"a table of a sweep has one winner, found {len(won)}; make it again")
    return won[0]


def read_fusion(given: str) -> FusionSettings:
    """Settings of fusion as JSON; or, where a table of a sweep is named, those of its winner. Raises `UserError`."""
    if given.endswith(".csv"):
        return winner(read_table(given, SweepRow)).fusion
    return parse_section(FusionSettings, given)


class GreedyRow(Row):
    """One snapshot tried as the next member, and the figure of the fused detections with it."""

    step: int = Field(ge=1, description="How many members there are with it.")
    candidate: Text
    metric: Metric
    value: float | None = Field(
        description="Of the members so far fused with it, on the shared validation films."
    )
    chosen: bool = Field(description="It became a member.")


def selected(rows: Sequence[GreedyRow]) -> list[str]:
    """The members, in the order in which they were chosen."""
    return [row.candidate for row in sorted(rows, key=lambda row: row.step) if row.chosen]
