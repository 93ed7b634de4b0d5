"""The same work on many items in several processes, in the order given.

Processes are started afresh, use one thread of arithmetic each (results do not depend on their number), leave Ctrl-C to
the process that started them, and end with it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing import get_context, parent_process
from types import ModuleType
from typing import Any, TypeVar

from vitiq.errors import InputError, TaskError

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 2
"""Items a worker handed out before their turn, so that none waits."""

GPU_JOBS = 4
"""Processes that share a GPU where nobody says how many: enough to read images beside it."""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def jobs_on(device: str, jobs: int | None) -> int | None:
    """Worker processes at most, where networks run on a device: few share a GPU, each with its own copy of them.

    Args:
        jobs: as asked for; None for one a core.

    Raises:
        InputError: fewer than one.
    """
    if jobs is not None and (isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1):
        raise InputError(f"jobs: {jobs!r} given, a whole number from 1 expected")
    return min(GPU_JOBS, cores()) if jobs is None and device != "cpu" else jobs


def in_order(work: Callable[[T], R], items: Sequence[T], *, jobs: int | None = None) -> Generator[R]:
    """`work` of every item, in order, each as soon as it and all before it are done.

    Args:
        work: a function of a module, or a `functools.partial` of one, so that another process can find it.
        items: what it is done on; pickled.
        jobs: worker processes at most; None for one a core. One means: in this process.

    Raises:
        TaskError: a worker was killed.
        Whatever `work` raises.
    """
    workers = min(jobs or cores(), len(items))
    if workers < 2:
        yield from map(work, items)
        return
    pool = ProcessPoolExecutor(workers, get_context("spawn"), start)
    waiting: deque[Future[R]] = deque()
    todo = iter(items)
    try:
        with hidden_main(), quiet_children():
            waiting.extend(pool.submit(work, item) for item in islice(todo, workers * AHEAD))
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(pool.submit(work, item) for item in islice(todo, 1))
    except BrokenProcessPool as error:
        raise TaskError("a worker process was killed, most often out of memory; try --jobs 1") from error
    except (KeyboardInterrupt, GeneratorExit):
        # What is under way is written atomically or not at all, so nobody has to wait for it.
        for process in list(getattr(pool, "_processes", None) or {}):
            os.kill(process, signal.SIGTERM)
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def hidden_main() -> Iterator[None]:
    """Processes started inside import no script again: multiprocessing finds an empty `__main__`."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def quiet_children() -> Iterator[None]:
    """Processes started inside leave Ctrl-C to this one, and use one thread for arithmetic."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    masked: Any = None
    if hasattr(signal, "pthread_sigmask"):
        masked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        if masked is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, masked)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def start() -> None:
    """First thing in a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()


def end_with_parent() -> None:
    """For a thread of a worker process, which would wait for its next item for ever where its parent was killed."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
