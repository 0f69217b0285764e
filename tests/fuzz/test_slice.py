"""A small part of what tests/fuzz/run.py does for minutes: the same inputs every time."""

from __future__ import annotations

import pytest
from fuzz_targets import Target, read_in_a_folder, targets
from fuzz_watch import check
from hypothesis import HealthCheck, Phase, given, settings

EXAMPLES = 12


@pytest.mark.parametrize("name", list(targets()))
def test_a_reader_returns_or_gives_its_reason_in_time_and_in_little_memory(name):
    target: Target = targets()[name]

    @settings(
        max_examples=EXAMPLES // target.cost,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(data=target.inputs)
    def read(data):
        check(lambda: read_in_a_folder(target, data))

    read()
