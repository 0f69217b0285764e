"""How many annotated lesions are recovered, by form and condition, on phantoms of known truth.

Prints one record a form on stdout (see run.py) and the whole table as Markdown on stderr; `--out FILE` writes it too.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER.parent / "scripts"), str(FOLDER)]

from _annotation_scores import Job, Score, markdown, records, rows  # noqa: E402

from mammo.errors import run_main  # noqa: E402
from mammo.files import write_text_atomic  # noqa: E402

# Modules with cases: each offers jobs(seed). The order is that of the table.
SOURCES = ("_annotation_drawn", "_annotation_objects")


def run_job(job: Job) -> list[Score]:
    """For the pool, which wants a function with a name."""
    return job()


def main() -> None:
    """Make every film, recognise, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="file for the table as Markdown")
    parser.add_argument("--seed", type=int, default=1, help="another seed is another sample of the grid")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    jobs = [job for name in SOURCES for job in importlib.import_module(name).jobs(arguments.seed)]
    with ProcessPoolExecutor(arguments.processes, mp_context=get_context("spawn")) as pool:
        scores = [one for some in pool.map(run_job, jobs, chunksize=4) for one in some]
    table = rows(scores)
    text = markdown(table)
    print(text, file=sys.stderr)
    if arguments.out:
        write_text_atomic(arguments.out, text)
    print(json.dumps(records(table), indent=2))


if __name__ == "__main__":
    run_main(main)
