"""Learning rates."""

from __future__ import annotations

import pytest

from mammo.detector.schedule import learning_rate
from mammo.settings import ScheduleSettings


def rate(progress, losses=(), epochs=10, **settings):
    return learning_rate(ScheduleSettings(**settings), 1.0, epochs, progress, losses)


def test_cosine_falls_to_zero_over_its_epochs():
    assert [rate(p, kind="cosine") for p in (0, 5, 10)] == pytest.approx([1, 0.5, 0])
    assert [rate(p, kind="cosine", over_epochs=20) for p in (0, 10, 25)] == pytest.approx([1, 0.5, 0])


def test_steps_fall_by_the_factor():
    assert [rate(p, kind="step", step_epochs=2, factor=0.5) for p in (0, 1.9, 2, 4.5)] == [1, 1, 0.5, 0.25]


def test_a_plateau_falls_after_epochs_without_a_smaller_loss():
    settings = {"kind": "plateau", "patience": 2, "factor": 0.1}
    assert rate(3, (3.0, 2.0, 2.5), **settings) == 1
    assert rate(4, (3.0, 2.0, 2.5, 2.0), **settings) == pytest.approx(0.1)
    assert rate(6, (3.0, 2.0, 2.5, 2.0, 2.0, 2.0), **settings) == pytest.approx(0.01)


def test_a_warm_up_begins_at_a_tenth():
    assert [rate(p, kind="constant", warmup_epochs=2) for p in (0, 1, 2, 5)] == pytest.approx(
        [0.1, 0.55, 1, 1]
    )


def test_a_plateau_can_follow_what_shall_grow():
    """`watched` hands it over with its sign turned."""
    settings = {"kind": "plateau", "patience": 2, "factor": 0.1, "monitor": "val_froc_mean"}
    assert rate(3, (-0.2, -0.3, -0.4), **settings) == 1
    assert rate(3, (-0.4, -0.3, -0.2), **settings) == pytest.approx(0.1)
