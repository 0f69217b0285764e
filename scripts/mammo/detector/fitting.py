"""The largest batch that fits: one process a batch size, until one fails. Needs no TensorFlow itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from mammo.errors import UserError
from mammo.settings import ExperimentSettings, section_json

PROBE = Path(__file__).resolve().parents[2] / "fit_gpu_probe.py"
ROOM = 0.9  # share of the free memory that may be used without asking
MINUTES = 20  # a probe may take


@dataclass(frozen=True)
class Cost:
    """Of a step with `batch_size` films on a device: the most memory held, and seconds without compiling."""

    batch_size: int
    peak_mb: float
    seconds: float

    @property
    def films_a_second(self) -> float:
        """On one device."""
        return self.batch_size / self.seconds


def costs_by_batch_size(
    settings: ExperimentSettings, most: int, memory_mb: float | None = None
) -> list[Cost]:
    """What 1, 2, 4, … films a batch cost, up to the last that fits.

    Args:
        most: largest batch to try.
        memory_mb: where the process's own memory counts (no GPU): stop before a batch that would need more; what two
            sizes cost tells what the next will.

    Raises:
        UserError: if not even one film fits.
    """
    limit = memory_mb or ROOM * psutil.virtual_memory().available / 1e6
    costs: list[Cost] = []
    size = 1
    while size <= most and _expected_mb(costs, size) <= limit:
        try:
            costs.append(_cost(settings, size))
        except UserError as error:
            if not costs:
                raise
            print(f"{size} films a batch: {error}", file=sys.stderr)
            break
        print(f"{size} films a batch: {costs[-1].peak_mb:.0f} MB, {costs[-1].seconds:.2f} s", file=sys.stderr)
        size *= 2
    return costs


def _expected_mb(costs: Sequence[Cost], size: int) -> float:
    if len(costs) < 2:
        return 0.0
    before, last = costs[-2:]
    grows = (last.peak_mb - before.peak_mb) / (last.batch_size - before.batch_size)
    return last.peak_mb + grows * (size - last.batch_size)


def _cost(settings: ExperimentSettings, size: int) -> Cost:
    train = settings.train.model_copy(update={"batch_size": size})
    text = section_json(settings.model_copy(update={"train": train}))
    command = [sys.executable, str(PROBE), "--settings", text]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60 * MINUTES, check=False)
    except subprocess.TimeoutExpired as error:
        raise UserError(f"a few steps took more than {MINUTES} minutes") from error
    if done.returncode < 0:
        raise UserError(f"the process was ended by signal {-done.returncode}, most likely for its memory")
    if done.returncode:
        raise UserError(done.stderr.strip().splitlines()[-1].removeprefix("error: "))
    return Cost(**json.loads(done.stdout.strip().splitlines()[-1]))


def report(name: str, settings: ExperimentSettings, costs: Sequence[Cost]) -> None:
    """Print the table, and the lines for the config."""
    table = Table(title=f"{name}: {settings.model.backbone}, {settings.sides.min}×{settings.sides.max}")
    for column in ("films a batch", "memory (MB)", "s a step", "films a second"):
        table.add_column(column, justify="right")
    for cost in costs:
        figures = (f"{cost.peak_mb:.0f}", f"{cost.seconds:.2f}", f"{cost.films_a_second:.2f}")
        table.add_row(str(cost.batch_size), *figures)
    console = Console()
    console.print(table)
    console.print(advice(settings, costs))


def advice(settings: ExperimentSettings, costs: Sequence[Cost]) -> str:
    """What to write: the fastest batch that fits, and how often to add up for the batch that the config has now."""
    best = max(costs, key=lambda cost: cost.films_a_second)
    train = settings.train
    wanted = train.batch_size * train.accumulate
    times = max(1, round(wanted / best.batch_size))
    return (
        f"fastest a film: experiments.*.train.batch_size: {best.batch_size}. For a step of {wanted} films a device, as "
        f"the config has now: batch_size: {min(best.batch_size, wanted)}, accumulate: {times}. A larger step wants a "
        "larger learning rate: docs/training.md"
    )
