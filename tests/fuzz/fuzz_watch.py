"""What a reader may do with any input: return, or raise the one error that becomes a row; in time, in little memory."""

from __future__ import annotations

import re
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mammo.dicom.unusable import Unusable
from mammo.errors import UserError, plain_line

SECONDS = 8
MEGABYTES = 1000
# Planted where a patient's name stands: no reason may repeat it.
CANARY = "KIM^CANARY"
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Violation(AssertionError):
    """A reader did what it must not do."""


class _TooLong(BaseException):
    """Raised when the processor's time is up (other programs may be busy); no `except Exception` stops it."""


def check(read: Callable[[], object]) -> str:
    """Run a reader; gives its reason, or nothing where it came to an end. Raises `Violation`."""
    before = _peak(reset=True)
    reason = ""
    try:
        with _alarm(SECONDS):
            read()
    except (Unusable, UserError) as error:
        # What a user reads in a terminal is made plain there; a reason for a row must be so by itself.
        reason = plain_line(str(error)) if isinstance(error, UserError) else str(error)
        _check_reason(reason)
    except _TooLong as error:
        raise Violation(f"took more than {SECONDS} s") from error
    except MemoryError as error:
        raise Violation("out of memory") from error
    grown = _peak() - before
    if grown > MEGABYTES:
        raise Violation(f"took {grown} MB")
    return reason


def _check_reason(reason: str) -> None:
    """A reason is one plain line of a table, about the file and not about the patient."""
    if not reason or len(reason) > 3001 or not reason.isprintable():
        raise Violation(f"a reason that is no plain line: {reason[:300]!r}")
    if CANARY in reason:
        raise Violation(f"a reason with the patient's name: {reason}")
    if re.search("MemoryError|Insufficient memory|OutOfMemory", reason):
        raise Violation(f"out of memory: {reason}")


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    def ring(*_: object) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _peak(reset: bool = False) -> int:
    """Most resident memory in MB, since the last reset where the system can forget it (Linux, proc(5) clear_refs)."""
    try:
        if reset:
            _CLEAR.write_text("5")
        found = re.search(r"VmHWM:\s+(\d+) kB", _STATUS.read_text())
        return int(found[1]) // 1024 if found else 0
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


@contextmanager
def address_space(more: int) -> Iterator[None]:
    """Let the process have at most `more` bytes of addresses more, so that a runaway fails here and not elsewhere."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    own = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (own + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
