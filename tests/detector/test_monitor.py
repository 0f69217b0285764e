"""What a history says: the best epoch, and when to stop."""

from __future__ import annotations

import pytest

from mammo.detector.monitor import best_epoch, stopped_after, watched
from mammo.detector.state import Epoch
from mammo.errors import UserError
from mammo.settings import EarlyStoppingSettings


def history(*values: float | None, name: str = "val_froc_mean") -> list[Epoch]:
    base = {"loss": 1.0, "regression_loss": 0.5, "classification_loss": 0.5, "learning_rate": 0.1}
    return [Epoch(epoch=number, **base | {name: value}) for number, value in enumerate(values, 1)]


def early(**changes) -> EarlyStoppingSettings:
    return EarlyStoppingSettings(**{"monitor": "val_froc_mean", "patience": 2} | changes)


def test_a_training_stops_once_its_patience_is_over():
    assert stopped_after(history(0.2, 0.5, 0.4, 0.3), early()) == 4
    assert stopped_after(history(0.2, 0.5, 0.4), early()) is None


def test_what_comes_after_the_stop_does_not_undo_it():
    assert stopped_after(history(0.2, 0.5, 0.4, 0.3, 0.9), early()) == 4


def test_a_loss_is_better_when_it_is_smaller():
    assert stopped_after(history(0.5, 0.4, 0.3, 0.2, name="val_loss"), early(monitor="val_loss")) is None
    assert stopped_after(history(0.2, 0.3, 0.4, name="val_loss"), early(monitor="val_loss")) == 3


def test_a_gain_below_the_delta_is_none():
    assert stopped_after(history(0.50, 0.51, 0.52), early(min_delta=0.05)) == 3


def test_nothing_stops_before_the_least_epochs():
    assert stopped_after(history(0.5, 0.4, 0.3, 0.2, 0.1), early(min_epochs=5)) == 5


def test_without_the_setting_nothing_stops():
    assert stopped_after(history(0.5, 0.4, 0.3, 0.2), None) is None


def test_of_equal_epochs_the_first_is_the_best():
    assert best_epoch([0.3, 0.1, 0.1]) == 2
    assert best_epoch([]) == 0


def test_a_figure_that_the_validation_set_cannot_give_is_named():
    with pytest.raises(UserError, match=r"early_stopping.monitor: val_froc_mean is empty after epoch 1"):
        stopped_after(history(None, None), early())


def test_figures_are_turned_so_that_smaller_is_better():
    assert watched(history(0.2, 0.5), "val_froc_mean", "key") == [-0.2, -0.5]
