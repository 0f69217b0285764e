"""Measure one batch size in a process of its own; fit_gpu.py starts it."""

from __future__ import annotations

import argparse
import json

from mammo.errors import run_main
from mammo.settings import ExperimentSettings, parse_section


def main() -> None:
    """Parse, step, print the cost as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="the experiment's settings as JSON")
    settings = parse_section(ExperimentSettings, parser.parse_args().settings)

    from mammo.detector.probe import cost_of_step

    print(json.dumps(vars(cost_of_step(settings))))


if __name__ == "__main__":
    run_main(main)
