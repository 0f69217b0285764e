"""Run every comparison of this folder and collect the figures into benchmarks/results.json.

A comparison is a program `benchmarks/NAME.py`. It measures both sides in one run and prints one JSON object on
stdout: name -> {"ours": number, "reference": number, "ratio": number, "unit": text, "how": text}. A ratio above 1
means that ours is better. Whatever it has to say besides goes to stderr. `python benchmarks/run.py NAME …` runs some.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent / "scripts"))

from mammo.errors import UserError, run_main  # noqa: E402
from mammo.files import write_text_atomic  # noqa: E402

Record = dict[str, float | str]
NUMBERS = ("ours", "reference", "ratio")
TEXTS = ("unit", "how")


def checked(program: Path, output: str) -> dict[str, Record]:
    """The records that a comparison printed.

    Raises:
        UserError: if the output is not what this module's docstring asks for.
    """
    try:
        records = json.loads(output)
    except json.JSONDecodeError as error:
        raise UserError(f"{program.name} printed no JSON object on stdout: {error}") from error
    if not isinstance(records, dict) or not all(isinstance(record, dict) for record in records.values()):
        raise UserError(f"{program.name} printed something other than an object of records")
    for name, record in records.items():
        if sorted(record) != sorted(NUMBERS + TEXTS):
            raise UserError(
                f"{program.name}: {name!r} has the keys {sorted(record)}, not {sorted(NUMBERS + TEXTS)}"
            )
        wrong = [
            key for key in NUMBERS if type(record[key]) not in (int, float) or not math.isfinite(record[key])
        ]
        if wrong:
            raise UserError(f"{program.name}: {', '.join(wrong)} of {name!r} is no finite number")
    return records


def run_one(program: Path) -> dict[str, Record]:
    """Run one comparison in a process of its own, so that none disturbs the memory or the threads of another."""
    done = subprocess.run([sys.executable, str(program)], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise UserError(f"{program.name} ended with status {done.returncode}; its own words are above")
    return checked(program, done.stdout)


def programs(names: list[str]) -> list[Path]:
    """The comparisons of this folder, sorted; those of the given names only, if there are any."""
    found = {
        path.stem: path for path in sorted(FOLDER.glob("*.py")) if path.stem != "run" and path.stem[0] != "_"
    }
    unknown = sorted(set(names) - set(found))
    if unknown:
        raise UserError(f"no such benchmark: {', '.join(unknown)}; there are: {', '.join(found) or 'none'}")
    return [path for name, path in found.items() if not names or name in names]


def main() -> None:
    """Run, collect, print; fail at the end if any comparison failed, with the figures of the others written."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="benchmarks to run; all if none is given")
    chosen = programs(parser.parse_args().names)
    if not chosen:
        print("There are no benchmarks in benchmarks/ yet.")
        return
    results: dict[str, Record] = {}
    failures = []
    for program in chosen:
        print(f"{program.stem} …", file=sys.stderr, flush=True)
        try:
            records = run_one(program)
            if twice := sorted(results.keys() & records.keys()):
                raise UserError(f"{program.name} uses names that another benchmark has: {', '.join(twice)}")
            results.update(records)
        except UserError as error:
            failures.append(str(error))
    write_text_atomic(FOLDER / "results.json", json.dumps(results, indent=2, sort_keys=True) + "\n")
    for name, record in sorted(results.items()):
        figures = f"{record['ours']:>12.6g} {record['reference']:>12.6g} {record['unit']:<10}"
        print(f"{name:<40} {figures} ratio {record['ratio']:.3g}")
    if failures:
        raise UserError("; ".join(failures))


if __name__ == "__main__":
    run_main(main)
