"""Train one experiment; goes on where a run with the same settings, code and data ended."""

from __future__ import annotations

import argparse
from pathlib import Path

from mammo.errors import run_main
from mammo.metrics.epoch import epoch_figures
from mammo.settings import ExperimentSettings, parse_section
from mammo.tables.csvio import write_table


def main() -> None:
    """Parse, train, write the manifest of snapshots and the history."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=Path, required=True, help="retinanet_train_*.csv")
    parser.add_argument("--films", type=Path, required=True, help="index of its films at network size")
    parser.add_argument("--validation", type=Path, help="retinanet_val_*.csv, looked at after each epoch")
    parser.add_argument("--validation-films", type=Path, help="index of its films at network size")
    parser.add_argument("--classes", type=Path, required=True, help="class_*.csv")
    parser.add_argument("--settings", required=True, help="the experiment's settings as JSON")
    parser.add_argument("--code", required=True, help="fingerprint of the code; another one begins anew")
    parser.add_argument("--state", type=Path, required=True, help="folder kept between runs")
    parser.add_argument("--logs", type=Path, required=True, help="folder for TensorBoard")
    parser.add_argument("--manifest", type=Path, required=True, help="table of snapshots to write")
    parser.add_argument("--history", type=Path, required=True, help="table of losses and figures to write")
    given = parser.parse_args()
    if (given.validation is None) != (given.validation_films is None):
        parser.error("--validation and --validation-films go together")
    settings = parse_section(ExperimentSettings, given.settings)

    from mammo.detector.state import Epoch, Snapshot
    from mammo.detector.train import TrainingFiles, train

    files = TrainingFiles(given.train, given.films, given.classes, given.validation, given.validation_films)
    result = train(
        files, settings, code=given.code, state=given.state, logs=given.logs, figures=epoch_figures
    )
    write_table(given.history, Epoch, result.history)
    write_table(given.manifest, Snapshot, result.snapshots)


if __name__ == "__main__":
    run_main(main)
