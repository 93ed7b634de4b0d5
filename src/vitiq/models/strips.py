"""Work on large images in strips of rows, some at a time, with results that do not depend on the number of threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import torch

from vitiq.models.threads import one_thread

T = TypeVar("T")
R = TypeVar("R")


def strips(rows: int, width: int, area: int, multiple: int = 1) -> list[slice]:
    """Rows in strips of about `area` positions, about equal, that start at multiples of `multiple`.

    The strips depend on the size alone, never on the machine.

    Example:
        >>> strips(10, 5, 20)
        [slice(0, 4, None), slice(4, 8, None), slice(8, 10, None)]
    """
    count = max(1, round(rows * width / area))
    step = -(-rows // count)
    step += -step % multiple
    return [slice(start, min(start + step, rows)) for start in range(0, rows, step)]


def in_order(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Results of `work` on each item, in their order, made by as many threads as torch may use.

    Each thread runs torch on one thread, so that no result depends on how many there are. At most one more item than
    there are threads is under way or waiting, which bounds the memory.

    Example:
        >>> list(in_order(lambda x: x * x, [1, 2, 3]))
        [1, 4, 9]
    """
    count = torch.get_num_threads()
    left = iter(items)
    first = list(islice(left, 2))
    if count == 1 or len(first) < 2:
        for item in (*first, *left):
            yield _alone(work, item)
        return
    with ThreadPoolExecutor(count) as pool:
        waiting: deque[Future[R]] = deque(
            pool.submit(_alone, work, item) for item in (*first, *islice(left, count - 1))
        )
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(_alone, work, item) for item in islice(left, 1))
            yield result


def _alone(work: Callable[[T], R], item: T) -> R:
    with one_thread():
        return work(item)
