"""The members of an ensemble with what they found on one set, read from tables: who votes, with what weight, how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mammo.fusion.fuse import Looked, fuse
from mammo.metrics.inputs import parse_members
from mammo.metrics.members import Member, member_weights
from mammo.metrics.searched import read_fusion
from mammo.settings import FusionSettings
from mammo.tables.csvio import read_table
from mammo.tables.detections import DetectionColumns, read_detections
from mammo.tables.records import Image


@dataclass(frozen=True)
class Voting:
    """Members by name, sorted: their tables, what they looked at, found and count; and how they are fused."""

    paths: dict[str, str]
    members: dict[str, Looked]
    fusion: FusionSettings

    @property
    def weights(self) -> dict[str, float]:
        """What each member counts."""
        return {name: member.weight for name, member in self.members.items()}

    @property
    def found(self) -> dict[str, DetectionColumns]:
        """What each member found."""
        return {name: member.detections for name, member in self.members.items()}

    def fused(self) -> DetectionColumns:
        """What the ensemble finds."""
        return fuse(list(self.members.values()), self.fusion)


def read_voting(members: Sequence[str], chosen: str | None, fusion: str, images: Sequence[Image]) -> Voting:
    """Read the tables of an ensemble on a set whose images every member looked at.

    Args:
        members: tables of detections, as `parse_members` takes them.
        chosen: members.csv, which says what each counts; without it all count the same.
        fusion: as `read_fusion` takes it.

    Raises:
        UserError: for tables that cannot be read, and a member that members.csv does not have.
    """
    paths, ids = parse_members(members), frozenset(image.image_id for image in images)
    weights = member_weights(paths, read_table(chosen, Member) if chosen else [])
    looked = {name: Looked(ids, read_detections(path), weights[name]) for name, path in paths.items()}
    return Voting(paths, looked, read_fusion(fusion))
