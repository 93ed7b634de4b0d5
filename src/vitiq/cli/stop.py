"""What Ctrl-C may and may not cut, and what is said then."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


class StoppedHalfway(Exception):  # noqa: N818 - no error
    """Ctrl-C in work that the same command goes on with."""


@contextmanager
def resumable() -> Iterator[None]:
    """Marks work whose finished parts are on disk, so that who stops it is told."""
    try:
        yield
    except KeyboardInterrupt as stopped:
        raise StoppedHalfway from stopped


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ctrl-C waits until the block is done, so that no record is cut in two."""
    asked: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: asked.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if asked:
        raise KeyboardInterrupt
