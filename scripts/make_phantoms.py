"""Make the synthetic raw deliveries of the demo and of the tests, and write down what they really hold.

Same settings, same bytes; what is there already is not written again; raw folders with foreign files are refused.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from mammo.errors import run_main
from mammo.phantom import deliver, load_settings


def main() -> None:
    """Parse, deliver, say what there is."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--config", type=Path, required=True, help="YAML file: seed, film size, difficulty, counts")
    add(
        "--out", type=Path, required=True, help="data folder to fill (CBIS-DDSM, inbreast, NCC, NCC_trainset)"
    )
    add("--truth", type=Path, help="folder for what the films hold (default: 'truth' beside --out)")
    add(
        "--cbis-csv", type=Path, help="folder with real CBIS-DDSM description CSVs: make films for their rows"
    )
    add("--rows", type=int, help="rows taken from the top of each of these CSVs")
    add("--workers", type=int, default=len(os.sched_getaffinity(0)), help="processes (default: one a core)")
    arguments = parser.parse_args()
    settings = load_settings(arguments.config, cbis_csv=arguments.cbis_csv, cbis_rows=arguments.rows)
    truth = arguments.truth or arguments.out.parent / "truth"
    made = deliver(settings, arguments.out, truth, workers=arguments.workers, progress=True)
    print(f"{arguments.out}: {made.films} films, {made.lesions} lesions, {made.rejects} files to turn down")
    print(f"{made.files} raw files, {made.size / 1e6:.0f} MB, {made.written} written now; truth in {truth}")


if __name__ == "__main__":
    run_main(main)
