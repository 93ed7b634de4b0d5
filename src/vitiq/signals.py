"""Ctrl-C held back while something must not be cut in two."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ctrl-C waits until the block is done, so that no record is cut in two and no library answers it in its own way.

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
        if callable(before):
            before(asked[0], None)
        else:
            raise KeyboardInterrupt
