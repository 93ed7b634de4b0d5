"""Ctrl-C and SIGTERM: one answer to both, held back while something must not be cut in two."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_came = threading.Event()


def stop_on_signals() -> None:
    """Have SIGTERM end this program as Ctrl-C does: files that are half made go, workers and their semaphores too.

    Python's own answer is to die at once, and then its tracker of semaphores complains on standard error. Where
    somebody answers a signal already, or ignores it, that stays.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number, own in ((signal.SIGTERM, signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler)):
        if signal.getsignal(number) is own:
            signal.signal(number, _stop)


def _stop(number: int, frame: FrameType | None) -> None:
    _came.set()
    signal.default_int_handler(number, frame)


def nobody_stopped() -> bool:
    """Whether a KeyboardInterrupt cannot be Ctrl-C: it is ignored here, or none came to the program's own answer."""
    return not _came.is_set() and signal.getsignal(signal.SIGINT) in {signal.SIG_IGN, _stop}


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
