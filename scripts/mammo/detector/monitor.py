"""What a history of epochs says: which is the best, and when to stop. Pure, so that a resume decides alike."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mammo.detector.state import Epoch
from mammo.errors import UserError
from mammo.settings import EarlyStoppingSettings, Monitor


def watched(history: Sequence[Epoch], monitor: Monitor, key: str) -> list[float]:
    """The values of the epochs as something that shall get smaller: losses as they are, all else negative.

    Raises:
        UserError: where an epoch has no such value; `key` names the setting that asks for it.
    """
    values = [getattr(epoch, monitor) for epoch in history]
    if None in values:
        raise UserError(
            f"{key}: {monitor} is empty after epoch {values.index(None) + 1}: the train set keeps no patient apart for "
            "validation, or none of those has a lesion. Watch loss or val_loss instead, or raise validation.fraction"
        )
    return list(values) if monitor.endswith("loss") else [-value for value in values]


def best_epoch(values: Sequence[float], min_delta: float = 0.0) -> int:
    """The epoch, from 1, of the smallest value; of values that differ by less than `min_delta` the first. 0 of none."""
    best, epoch = math.inf, 0
    for number, value in enumerate(values, 1):
        if value < best - min_delta or not epoch:
            best, epoch = value, number
    return epoch


def stopped_after(history: Sequence[Epoch], settings: EarlyStoppingSettings | None) -> int | None:
    """The epoch after which a training with this history ends; None where it goes on."""
    if settings is None:
        return None
    values = watched(history, settings.monitor, "train.early_stopping.monitor")
    for epoch in range(settings.min_epochs, len(values) + 1):
        if epoch - best_epoch(values[:epoch], settings.min_delta) >= settings.patience:
            return epoch
    return None
