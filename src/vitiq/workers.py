"""The same work on many items in several processes, in the order given.

Processes are started afresh, use one thread of arithmetic each (results do not depend on their number), leave Ctrl-C to
the process that started them, and end with it.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing import get_context, parent_process
from typing import TypeVar

from vitiq.errors import TaskError

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 2
"""Items a worker handed out before their turn, so that none waits."""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
        with children_ignore_sigint():
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
def children_ignore_sigint() -> Iterator[None]:
    """Processes started inside leave Ctrl-C to this one, and use one thread for arithmetic."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    masked = hasattr(signal, "pthread_sigmask")
    if masked:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        if masked:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def start() -> None:
    """First thing in a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for its next item for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
