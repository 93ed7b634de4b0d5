"""The same work on many items in several processes, in the order given; an item that kills its worker is lost alone.

Processes are started afresh, use one thread of arithmetic each (results do not depend on their number), leave Ctrl-C to
the process that started them, and end with it. A process that dies (out of memory, a crash in a library) breaks the
whole pool: the pool is started anew, and what it had is tried again an item at a time.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing import current_process, get_context, parent_process
from multiprocessing.connection import wait
from types import ModuleType
from typing import Any, ParamSpec, Protocol, TypeVar

from vitiq.errors import InputError, TaskError, first_line
from vitiq.foreign import print_on_stderr
from vitiq.signals import Ended, ending_work

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")

AHEAD = 2
"""Parts a worker handed out before their turn, so that none waits."""

GPU_JOBS = 4
"""Processes that share a GPU where nobody says how many: enough to read images beside it."""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

PATIENCE = 3.0
"""Seconds that a process that is to end has for what its work has begun: programs to be ended, files to be removed."""

KILLED = "the worker process was killed, most often because it was out of memory; try --jobs 1"
"""What is said of an item that ended its worker although it was alone."""

WITHOUT_PROCESSES = "do without them (--jobs 1; of studies --executor inline)"


class Pool(Protocol):
    """What hands out work, and can start anew where a worker died."""

    count: int

    def submit(self, work: Callable[P, T], /, *args: P.args, **settings: P.kwargs) -> Future[T]:
        """Hand out one call."""

    def restart(self) -> None:
        """Start anew."""


class Processes:
    """Worker processes.

    Args:
        count: how many.
        begin, arguments: what a process calls first.
    """

    def __init__(self, count: int, begin: Callable[..., object] | None = None, arguments: tuple[Any, ...] = ()) -> None:
        self.count = count
        self._begin, self._arguments = begin or start, arguments
        self.executor = self._new()

    def _new(self) -> ProcessPoolExecutor:
        with needing_processes():
            return ProcessPoolExecutor(self.count, get_context("spawn"), self._begin, self._arguments)

    def submit(self, work: Callable[P, T], /, *args: P.args, **settings: P.kwargs) -> Future[T]:
        """Hand out one call.

        Raises:
            BrokenProcessPool: a worker died, or could not be started.
        """
        with starting_processes():  # a pool starts its processes at the first calls
            try:
                return self.executor.submit(_to_its_end, work, *args, **settings)
            except OSError as error:
                # One that dies as it starts closes the pipe that it reads from, which is not that of our output.
                raise BrokenProcessPool(f"a worker process cannot be started ({first_line(error)})") from error

    def restart(self) -> None:
        """Start anew after a worker died."""
        self.close(wait=False)
        self.executor = self._new()

    def close(self, *, wait: bool = True) -> None:
        """End the processes, once they have done what they are doing."""
        self.executor.shutdown(wait=wait, cancel_futures=True)

    def kill(self) -> None:
        """Have the processes end in the middle of what they are doing, and the programs that they run."""
        running = list((getattr(self.executor, "_processes", None) or {}).values())
        for process in running:
            process.terminate()
        # Python 3.11 sets an error on whatever a broken pool still holds, which a future that was cancelled refuses.
        for item in list((getattr(self.executor, "_pending_work_items", None) or {}).values()):
            if item.future.cancelled():
                item.future = Future()
        end = time.monotonic() + PATIENCE
        for process in running:
            if not wait([process.sentinel], max(0.0, end - time.monotonic())):
                process.kill()


@contextmanager
def needing_processes() -> Iterator[None]:
    """What the system says where it starts no processes, as an error of ours.

    A pipe to a process that ended as it started is no pipe of our output, whose reader may go without a word.

    Raises:
        TaskError: it does not.
    """
    try:
        yield
    except OSError as error:
        said = error.strerror or first_line(error)
        raise TaskError(f"worker processes cannot be started ({said}); {WITHOUT_PROCESSES}") from error


def died(error: BaseException | None) -> bool:
    """True for the error of work whose worker died: a process of a pool, or a worker of Dask."""
    return isinstance(error, BrokenExecutor | CancelledError) or type(error).__name__ == "KilledWorker"


def end_of(future: Future[Any]) -> BaseException | None:
    """The error of work, once it is done; None where it has a result."""
    try:
        return future.exception()
    except CancelledError as error:  # a cluster that is gone cancels what it had
        return error


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def may_start() -> bool:
    """False in a process that may have none of its own: workers of `multiprocessing.Pool`, DataLoader and Dask."""
    return not current_process().daemon


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


def in_order(
    work: Callable[[Sequence[T]], Sequence[R]],
    items: Sequence[T],
    lost: Callable[[T, str], R],
    *,
    jobs: int | None = None,
    size: int = 1,
) -> Generator[R]:
    """`work` of every item, in order, each as soon as it and all before it are done.

    Args:
        work: takes several items and gives a result for each; a function of a module, or a `functools.partial` of one,
            so that another process can find it.
        items: what it is done on; pickled.
        lost: the result of an item that ends its worker even alone, from the item and what is said of it.
        jobs: worker processes at most; None for one a core. One means: in this process, as where none may be started.
        size: items that go together.

    Raises:
        Whatever `work` raises.
    """
    count = min(jobs or cores(), len(items))
    if count < 2 or not may_start():
        for item in items:
            yield from work([item])
        return
    pool = Processes(count)
    try:
        yield from ordered(pool, work, parts_of(items, size), lost)
    except (KeyboardInterrupt, GeneratorExit):
        # What is under way is written atomically or not at all, so nobody has to wait for it.
        pool.kill()
        raise
    finally:
        pool.close()


def parts_of(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """`size` items at a time, the last time fewer."""
    return (items[first : first + size] for first in range(0, len(items), size))


def ordered(
    pool: Pool,
    work: Callable[[Sequence[T]], Sequence[R]],
    parts: Iterable[Sequence[T]],
    lost: Callable[[T, str], R],
) -> Generator[R]:
    """`work` of every part, in order, as `in_order`, by workers that are there already."""
    todo = iter(parts)
    waiting: deque[tuple[Sequence[T], Future[Sequence[R]]]] = deque()
    while True:
        for part in islice(todo, pool.count * AHEAD - len(waiting)):
            waiting.append((part, _submitted(pool, work, part)))
        if not waiting:
            return
        part, future = waiting.popleft()
        if not died(error := end_of(future)):
            yield from future.result()
            continue
        broken = [(part, future)]
        if isinstance(error, BrokenExecutor):  # all that the pool had is lost with it
            broken += waiting
            waiting.clear()
            ends = [end_of(future) for _, future in broken]
            pool.restart()
        else:
            ends = [error]
        for (part, future), end in zip(broken, ends, strict=True):
            if not died(end):
                yield from future.result()
                continue
            for item in part:
                yield _alone(pool, work, item, lost)


def _submitted(pool: Pool, work: Callable[[Sequence[T]], Sequence[R]], part: Sequence[T]) -> Future[Sequence[R]]:
    """Hand out a part; where the pool is found broken, the part counts as one that it had."""
    try:
        return pool.submit(work, part)
    except BrokenExecutor as error:
        future: Future[Sequence[R]] = Future()
        future.set_exception(error)
        return future


def _alone(pool: Pool, work: Callable[[Sequence[T]], Sequence[R]], item: T, lost: Callable[[T, str], R]) -> R:
    """One item while nothing else is worked on."""
    future = _submitted(pool, work, [item])
    if not died(error := end_of(future)):
        return future.result()[0]
    if isinstance(error, BrokenExecutor):
        pool.restart()
    return lost(item, KILLED)


_STARTING = threading.RLock()
"""Held while processes start: what is changed for them belongs to all threads, and is put back as it was."""


@contextmanager
def starting_processes() -> Iterator[None]:
    """Processes started inside import no script again, leave Ctrl-C to this one, and use one thread for arithmetic."""
    with _STARTING, _hidden_main(), _quiet_children():
        yield


@contextmanager
def _hidden_main() -> Iterator[None]:
    """multiprocessing finds an empty `__main__`."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def _quiet_children() -> Iterator[None]:
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


def _to_its_end(work: Callable[P, T], /, *args: P.args, **settings: P.kwargs) -> T:
    """Work in a worker process; where it is ended by `kill`, the process goes once the work has cleaned up."""
    try:
        with ending_work():
            return work(*args, **settings)
    except Ended:
        os._exit(1)


def start() -> None:
    """First thing in a worker process."""
    print_on_stderr()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()


def end_with_parent() -> None:
    """For a thread of a worker process, which would wait for its next item for ever where its parent was killed."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)  # as `Processes.kill` does
        time.sleep(PATIENCE)
        os._exit(1)
