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
        print(f"error: {plain_line(str(error))}", file=sys.stderr)
        sys.exit(1)


def plain_line(text: str, most: int = 3000) -> str:
    """A text as one line that a terminal only shows: messages quote files, and files may hold anything."""
    shown = "".join(letter if letter.isprintable() else "\ufffd" for letter in text[:most])
    return shown if len(text) <= most else f"{shown}…"
