"""Ctrl-C and SIGTERM: one answer to both, held back while something must not be cut in two."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
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


class OutOfTime(KeyboardInterrupt):
    """The time that work had is over."""


@contextmanager
def time_limit() -> Iterator[Callable[[float], None]]:
    """A function that has `OutOfTime` raised within the block, so many seconds from when it is called.

    The earliest counts. Nothing is raised outside the main thread, which alone gets signals, on systems without timers,
    or where somebody answers SIGALRM already.
    """
    free = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    if not free or signal.getsignal(signal.SIGALRM) is not signal.SIG_DFL:
        yield lambda _: None
        return

    def limit(seconds: float) -> None:
        left, _ = signal.getitimer(signal.ITIMER_REAL)
        signal.setitimer(signal.ITIMER_REAL, max(1e-3, min(seconds, left or seconds)))

    signal.signal(signal.SIGALRM, _out_of_time)
    try:
        yield limit
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


def _out_of_time(*_: object) -> None:
    _came.set()
    raise OutOfTime


class Ended(KeyboardInterrupt):
    """A worker process is to end in the middle of its work."""


@contextmanager
def ending_work() -> Iterator[None]:
    """SIGTERM raises `Ended` within the block, so that the programs and temporary files of work go with it."""
    before = signal.signal(signal.SIGTERM, _ended)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _ended(*_: object) -> None:
    _came.set()
    raise Ended


HELD = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGALRM") if hasattr(signal, name)]


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ctrl-C, and SIGTERM and SIGALRM where they are answered, wait until the block is done or has failed: no record
    is cut, no library answers.

    Where SIGINT is ignored, as a shell starts its background jobs, it stays ignored; outside the main thread, which
    alone gets signals, there is nothing to hold back.
    """
    kept = {number: signal.getsignal(number) for number in HELD}
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
        for number in asked:
            answer = kept[signal.Signals(number)]
            if callable(answer):
                answer(number, None)
