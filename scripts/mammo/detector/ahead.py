"""Work done ahead of whoever waits for it, by threads, in order and within bounded memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def processors() -> int:
    """Those that this process may use, which on a shared machine are fewer than there are."""
    return len(os.sched_getaffinity(0))


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int, ahead: int = 0
) -> Iterator[Result]:
    """`function` of each item, in the order of the items, by `workers` threads.

    Args:
        ahead: how many results are in the making or wait beyond the one asked for; 0: two for each worker.

    Raises:
        Exception: whatever `function` raises, when its result is asked for; what was not begun is dropped then.
    """
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="ahead") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > (ahead or 2 * workers):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
