"""Spoilt inputs for every reader, for a bounded time each: `python tests/fuzz/run.py --seconds 60 [reader ...]`.

Each reader runs in a process of its own, so that one that crashes, hangs or takes all memory is seen and the others go
on. An input that a reader did not stand is kept, as small as it was found, in build/fuzz/<reader>.bin.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import logging
import os
import subprocess
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "build" / "fuzz"
os.environ["TQDM_DISABLE"] = "1"
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "scripts")]
BATCH, SHRINKING = 50, 20


def main() -> None:
    """Parse, run each reader in its process, print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("readers", nargs="*", help="which ones (default: all)")
    parser.add_argument("--seconds", type=float, default=60, help="for each reader (default: 60)")
    parser.add_argument("--seed", type=int, default=None, help="the first seed (default: the clock)")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--input", type=Path, help="read this kept input with the one reader named, and stop")
    arguments = parser.parse_args()
    if arguments.child or arguments.input:
        sys.exit(_child(arguments.child or arguments.readers[0], arguments))
    from fuzz_targets import targets

    names = arguments.readers or list(targets())
    KEPT.mkdir(parents=True, exist_ok=True)
    print(f"{'reader':16} {'inputs':>8} {'turned down':>12}  found")
    failed = [name for name in names if _parent(name, arguments)]
    sys.exit(1 if failed else 0)


def _parent(name: str, arguments: argparse.Namespace) -> bool:
    """Run a reader's process; whether it failed."""
    command = [sys.executable, __file__, "--child", name, "--seconds", str(arguments.seconds)]
    command += ["--seed", str(arguments.seed)] if arguments.seed is not None else []
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    line = (
        done.stdout.strip().splitlines()[-1] if done.stdout.strip() else f"{name:16} {'':>8} {'':>12}  died"
    )
    print(line, flush=True)
    if done.returncode:
        print(
            f"  exit status {done.returncode}; input: {_kept(name).relative_to(ROOT)}\n{done.stderr[-3000:]}"
        )
    return bool(done.returncode)


def _kept(name: str) -> Path:
    return KEPT / f"{name}.bin"


def _child(name: str, arguments: argparse.Namespace) -> int:
    import fuzz_watch
    from fuzz_targets import read_in_a_folder, targets
    from hypothesis import HealthCheck, Phase, given, seed, settings

    logging.disable(logging.CRITICAL)
    target = targets()[name]
    if arguments.input:
        data = arguments.input.read_bytes()
        print(fuzz_watch.check(lambda: read_in_a_folder(target, data)) or "read")
        return 0
    counts: Counter[str] = Counter()
    until = time.monotonic() + arguments.seconds
    found: list[tuple[bytes, str]] = []
    file = open(_kept(name), "wb", buffering=0)  # noqa: SIM115 (open as long as the process lives)

    def keep(data: bytes) -> None:
        file.seek(0)
        file.truncate()
        file.write(data)

    def one(data: bytes) -> None:
        # What was found is made smaller for a while longer.
        if time.monotonic() > until + (SHRINKING if found else 0):
            return
        keep(data)
        faulthandler.dump_traceback_later(4 * fuzz_watch.SECONDS, exit=True)
        counts["inputs"] += 1
        try:
            counts["turned down"] += bool(fuzz_watch.check(lambda: read_in_a_folder(target, data)))
        except Exception:
            found.append((data, traceback.format_exc()))
            raise
        finally:
            faulthandler.cancel_dump_traceback_later()

    faulthandler.enable()
    start = arguments.seed if arguments.seed is not None else int(time.time())
    with fuzz_watch.address_space(4 << 30):
        for number in range(10**9):
            if found or time.monotonic() > until:
                break
            test = settings(
                max_examples=BATCH, deadline=None, database=None, suppress_health_check=list(HealthCheck),
                phases=[Phase.generate, Phase.shrink], print_blob=False,
            )(seed(start + number)(given(target.inputs)(one)))  # fmt: skip
            with contextlib.suppress(BaseException):
                test()
    print(f"{name:16} {counts['inputs']:8} {counts['turned down']:12}  {'a fault' if found else 'nothing'}")
    if not found:
        file.close()
        _kept(name).unlink()
        return 0
    smallest, trace = min(found, key=lambda one: len(one[0]))
    keep(smallest)
    print(trace, file=sys.stderr)
    return 1


if __name__ == "__main__":
    main()
