"""What Ctrl-C may and may not cut, and how it is reported."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class StoppedHalfway(Exception):  # noqa: N818 - no error
    """Ctrl-C in work that the same command resumes."""


@contextmanager
def resumable() -> Iterator[None]:
    """Marks work whose finished parts are on disk, so that the message for Ctrl-C says so."""
    try:
        yield
    except KeyboardInterrupt as stopped:
        raise StoppedHalfway from stopped


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ctrl-C waits until the block is done, so that no record is cut in two.

    Where SIGINT is ignored, as a shell starts its background jobs, it stays ignored; outside the main thread, which
    alone gets signals, there is nothing to hold back.
    """
    before = signal.getsignal(signal.SIGINT)
    if before in {signal.SIG_IGN, None} or threading.current_thread() is not threading.main_thread():
        yield
        return
    asked: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: asked.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if asked:
        raise KeyboardInterrupt
