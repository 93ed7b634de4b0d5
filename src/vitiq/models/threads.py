"""A set number of torch threads for results that must not depend on how many there are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch

SEARCH_THREADS = 2
"""Threads of every search by gradient descent, whatever the machine has: sums are rounded in an order that depends on
their number, a search amplifies that, and its file would differ."""


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Run with this many torch threads, then restore the number."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def one_thread() -> AbstractContextManager[None]:
    """Run with a single torch thread, then restore the number."""
    return threads(1)


def search_threads() -> AbstractContextManager[None]:
    """Run with the number of threads of every search, then restore the number."""
    return threads(SEARCH_THREADS)
