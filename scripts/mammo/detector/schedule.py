"""Learning rate by step. Pure arithmetic; all that a schedule knows of the past is one value of each past epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mammo.settings import ScheduleSettings

WARMUP_START = 0.1  # share of the rate at the first step of a warm-up
PLATEAU_DELTA = (
    1e-4  # a value counts as smaller from this difference on (keras-retinanet's ReduceLROnPlateau)
)


def learning_rate(
    settings: ScheduleSettings, initial: float, epochs: int, progress: float, past: Sequence[float]
) -> float:
    """The rate at `progress` epochs (3.5: half way through the fourth).

    Args:
        epochs: how many epochs the training has; the length of `cosine` where `over_epochs` is empty.
        past: what is watched of each whole epoch so far, smaller is better (`watched`); only `plateau` looks at it.
    """
    return initial * _warmup(settings, progress) * _factor(settings, epochs, progress, past)


def _warmup(settings: ScheduleSettings, progress: float) -> float:
    if progress >= settings.warmup_epochs:
        return 1.0
    return WARMUP_START + (1 - WARMUP_START) * progress / settings.warmup_epochs


def _factor(settings: ScheduleSettings, epochs: int, progress: float, past: Sequence[float]) -> float:
    if settings.kind == "cosine":
        share = min(1.0, progress / (settings.over_epochs or epochs))
        return 0.5 * (1 + math.cos(math.pi * share))
    if settings.kind == "step":
        return settings.factor ** (int(progress) // settings.step_epochs)
    if settings.kind == "plateau":
        return settings.factor ** _plateaus(past, settings.patience)
    return 1.0


def _plateaus(values: Sequence[float], patience: int) -> int:
    """How often `patience` epochs in a row brought no smaller value."""
    best, waited, falls = math.inf, 0, 0
    for value in values:
        if value < best - PLATEAU_DELTA:
            best, waited = value, 0
            continue
        waited += 1
        if waited >= patience:
            falls, waited = falls + 1, 0
    return falls
