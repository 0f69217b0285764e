"""How the kernels of this room are compiled, and where what was compiled is kept."""

from __future__ import annotations

from collections.abc import Callable

import numba


def compiled(function: Callable) -> Callable:
    """Compile at the first call and keep the result for later processes.

    numba keeps it in `__pycache__` beside the source, in the user's cache where that cannot be written, or where
    NUMBA_CACHE_DIR says; it puts files there whole, so that jobs may start together. Where none of these can be
    written, each process compiles for itself. IEEE arithmetic as it is written: no fastmath, one thread.
    """
    try:
        return numba.njit(cache=True)(function)
    except RuntimeError:  # numba: "cannot cache function …: no locator available"
        return numba.njit(function)


def inner(function: Callable) -> Callable:
    """Compile what only kernels call, as a part of each of them.

    Nothing is kept for it alone: under different types from different kernels, jobs that start together could overwrite
    each other's copy. A kernel is called with one type only.
    """
    return numba.njit(function)
