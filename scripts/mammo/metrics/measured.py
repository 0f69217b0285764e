"""Figures of a set with their intervals, computed once for the wide row and the long table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mammo.metrics.bootstrap import Estimate, estimate, resamples_of
from mammo.metrics.figures import Figure
from mammo.metrics.films import Film
from mammo.settings import EvaluationSettings


@dataclass(frozen=True)
class Measured:
    """A figure of a set, and what it came out as."""

    figure: Figure
    found: Estimate


def measure(films: Sequence[Film], figures: Iterable[Figure], settings: EvaluationSettings) -> list[Measured]:
    """The figures of the set with their intervals, in their order, all on the same resamples."""
    weights = resamples_of(films, settings.resamples, settings.seed)
    return [Measured(figure, estimate(figure.statistic, weights)) for figure in figures]
