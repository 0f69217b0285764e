"""Train one experiment; goes on where a run with the same settings, code and data ended."""

from __future__ import annotations

import argparse
from pathlib import Path

from mammo.errors import run_main
from mammo.settings import ExperimentSettings, parse_section


def main() -> None:
    """Parse, train, write the manifest of snapshots and the history."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=Path, required=True, help="retinanet_train_*.csv")
    parser.add_argument("--classes", type=Path, required=True, help="class_*.csv")
    parser.add_argument("--settings", required=True, help="the experiment's settings as JSON")
    parser.add_argument("--code", required=True, help="fingerprint of the code; another one begins anew")
    parser.add_argument("--state", type=Path, required=True, help="folder kept between runs")
    parser.add_argument("--logs", type=Path, required=True, help="folder for TensorBoard")
    parser.add_argument("--manifest", type=Path, required=True, help="table of snapshots to write")
    parser.add_argument("--history", type=Path, required=True, help="table of losses to write")
    arguments = parser.parse_args()
    settings = parse_section(ExperimentSettings, arguments.settings)

    from mammo.detector.state import Epoch, Snapshot
    from mammo.detector.train import train
    from mammo.tables.csvio import write_table

    result = train(
        arguments.train,
        arguments.classes,
        settings,
        code=arguments.code,
        state=arguments.state,
        logs=arguments.logs,
    )
    write_table(arguments.history, Epoch, result.history)
    write_table(arguments.manifest, Snapshot, result.snapshots)


if __name__ == "__main__":
    run_main(main)
