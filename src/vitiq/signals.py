"""Ctrl-C and SIGTERM: one answer to both, held back while something must not be cut in two."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


def stop_on_sigterm() -> None:
    """Have SIGTERM end this program as Ctrl-C does: files that are half made go, workers and their semaphores too.

    Python's own answer is to die at once, and then its tracker of semaphores complains on standard error. Where
    somebody answers SIGTERM already, or ignores it, that stays.
    """
    here = threading.current_thread() is threading.main_thread()
    if here and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, signal.default_int_handler)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ctrl-C, and SIGTERM where it is answered, wait until the block is done: no record is cut, no library answers.

    Where SIGINT is ignored, as a shell starts its background jobs, it stays ignored; outside the main thread, which
    alone gets signals, there is nothing to hold back.
    """
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    kept = {number: before for number, before in kept.items() if callable(before)}
    if not kept or threading.current_thread() is not threading.main_thread():
        yield
        return
    asked: list[int] = []
    for number in kept:
        signal.signal(number, lambda number, _: asked.append(number))
    try:
        yield
    finally:
        for number, before in kept.items():
            signal.signal(number, before)
    if asked:
        answer = kept[signal.Signals(asked[0])]
        if callable(answer):
            answer(asked[0], None)
