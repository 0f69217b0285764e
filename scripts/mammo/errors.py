"""Errors that a user can act on."""

from __future__ import annotations

import sys
from collections.abc import Callable


class UserError(Exception):
    """Something the user can mend: a sentence naming the file, row or key, the value, and the way out."""


def run_main(main: Callable[[], None]) -> None:
    """Run a command's `main`; a `UserError` becomes one plain line on stderr and exit status 1.

    Every other exception keeps its traceback: it is a fault of ours, and the log should show where.
    """
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
