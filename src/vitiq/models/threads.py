"""A set number of torch threads for results that must not depend on how many there are."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch

SEARCH_THREADS = 2
"""Threads of every search by gradient descent, whatever the machine has: sums are rounded in an order that depends on
their number, a search amplifies that, and its file would differ."""


class _Inside(threading.local):
    """How many blocks this thread is in."""

    depth = 0


class _Outside:
    """How many threads are in a block, and the number of torch threads from before the first of them."""

    def __init__(self) -> None:
        self.lock, self.count, self.before = threading.Lock(), 0, 1


_INSIDE, _OUTSIDE = _Inside(), _Outside()


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Run with this many torch threads, then restore the number; several threads may be in a block at once.

    A thread that starts while another is inside would else take that one's number for its own and leave it behind.
    """
    with _OUTSIDE.lock:
        before = torch.get_num_threads()
        if not _INSIDE.depth:
            if not _OUTSIDE.count:
                _OUTSIDE.before = before
            before = _OUTSIDE.before
            _OUTSIDE.count += 1
        _INSIDE.depth += 1
        torch.set_num_threads(count)
    try:
        yield
    finally:
        with _OUTSIDE.lock:
            _INSIDE.depth -= 1
            if not _INSIDE.depth:
                _OUTSIDE.count -= 1
            torch.set_num_threads(before)


def one_thread() -> AbstractContextManager[None]:
    """Run with a single torch thread, then restore the number."""
    return threads(1)


def search_threads() -> AbstractContextManager[None]:
    """Run with the number of threads of every search, then restore the number."""
    return threads(SEARCH_THREADS)
