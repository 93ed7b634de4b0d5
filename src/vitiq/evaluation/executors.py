"""Where batches are worked on: each is a `concurrent.futures.Executor`, so that others' fit too.

`inline` works in this process; `processes` in one process a core, each with one thread of arithmetic, so that workers
do not fight and values do not depend on their number; `dask` at a Dask cluster, and `slurm` at one of SLURM jobs.
Worker processes import vitiq and never the script that started them, so that a script needs no `__main__` guard. They
leave Ctrl-C to the program that started them, and end with it however it ends.
"""

from __future__ import annotations

import multiprocessing as mp
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from vitiq.errors import InputError, MissingDependencyError, TaskError, first_line
from vitiq.evaluation import worker
from vitiq.evaluation.slurm import dask_cluster
from vitiq.foreign import print_on_stderr
from vitiq.workers import Processes, cores, end_with_parent, may_start, needing_processes, starting_processes

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event

P = ParamSpec("P")
T = TypeVar("T")

KINDS = ("auto", "processes", "inline", "dask", "slurm")
"""Executors by name; auto is processes, but inline for work that is done sooner than they start."""
START_SECONDS = 4.0
"""About what starting worker processes costs."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Arithmetic on one thread, as in worker processes; without torch, whose threads are meant, as it is."""
    try:
        from vitiq.models import threads  # noqa: PLC0415 - torch
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        yield
        return
    with threads.one_thread():
        yield


class Workers:
    """An executor with what the engine must know of it.

    Args:
        kind: name in `KINDS`.
        jobs: batches at once; None for one a core.
        address: of a Dask scheduler; None starts a cluster on this machine.

    Attributes:
        count: batches at once.

    Raises:
        InputError: no such executor.
        MissingDependencyError: Dask is asked for and not installed.
    """

    def __init__(self, kind: str = "auto", jobs: int | None = None, address: str | None = None) -> None:
        if kind not in KINDS:
            raise InputError(f"executor {kind!r} given; choose from {', '.join(KINDS)}")
        self._short = kind == "auto"
        self.kind = "processes" if kind == "auto" else kind
        if self.kind == "processes" and not may_start():
            self.kind = "inline"
        self.count = 1 if self.kind == "inline" else jobs or cores()
        self._address = address
        self._client: Any = None
        self._stop: Event | None = None
        self._processes: Processes | None = None
        self._started = False
        self.executor: Executor = self._start()

    def _start(self) -> Executor:
        if self.kind == "inline":
            return Inline()
        if self.kind in ("dask", "slurm"):
            return self._dask()
        with needing_processes():
            self._stop = mp.get_context("spawn").Event()
        self._processes = Processes(self.count, _begin, (self._stop,))
        return self._processes.executor

    def _dask(self) -> Executor:
        try:
            distributed: Any = import_module("distributed")
        except ImportError as error:
            raise MissingDependencyError("the dask executor needs `pip install 'vitiq[dask]'`") from error
        if self.kind == "slurm":
            self._client = distributed.Client(dask_cluster(self.count))
        elif self._address is None:
            with starting_processes():
                cluster = distributed.LocalCluster(n_workers=self.count, threads_per_worker=1, dashboard_address=None)
            self._client = distributed.Client(cluster)
        else:
            try:
                self._client = distributed.Client(self._address)
            except (OSError, ValueError) as error:
                raise InputError(
                    f"scheduler {self._address!r} given, no Dask scheduler answers there ({first_line(error)}); "
                    f"expected an address such as tcp://10.0.0.1:8786"
                ) from error
            self.count = jobs_of(self._client) or self.count
        executor: Executor = self._client.get_executor()
        return executor

    def suited(self, seconds: float) -> Workers:
        """These workers, or others in this process where work of so many seconds is done sooner there."""
        return Workers("inline") if self._short and seconds < START_SECONDS and not self._started else self

    def submit(self, work: Callable[P, T], /, *args: P.args, **settings: P.kwargs) -> Future[T]:
        """Hand out one call."""
        self._started = True
        if self._processes is not None:
            return self._processes.submit(work, *args, **settings)
        if self.kind == "inline":
            return self.executor.submit(partial(on_one_thread, work, *args, **settings))
        try:
            return self.executor.submit(partial(on_one_thread, work, *args, **settings))
        except Exception as error:  # Dask's own kinds differ between its versions
            raise cluster_is_gone(error) from error

    def restart(self) -> None:
        """Start anew after a worker process died; Dask and SLURM see to that themselves."""
        if self._processes is not None:
            self._processes.restart()
            self.executor = self._processes.executor

    def ask_to_stop(self) -> None:
        """Have workers return what they have, as soon as they can."""
        if self._stop is not None:
            self._stop.set()

    def close(self, *, wait: bool = True) -> None:
        """End the workers: at once where they were asked to stop, else once they have done what they are doing."""
        if self._processes is not None:
            if self._stop is not None and self._stop.is_set():  # nobody waits for what they have not handed over by now
                self._processes.kill()
            self._processes.close(wait=wait)
        elif self._client is None:
            self.executor.shutdown(wait=wait, cancel_futures=True)
        else:
            self.executor.shutdown(wait=wait)  # Dask's takes no more
            cluster = self._client.cluster if self._address is None else None
            self._client.close()
            if cluster is not None:
                cluster.close()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self.ask_to_stop()
        self.close()


class Inline(Executor):
    """Works in this process, at once."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """A call that is done when this returns."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def cluster_is_gone(error: BaseException) -> TaskError:
    """What is said where a cluster takes no more work, or has dropped what it had."""
    return TaskError(
        f"the cluster's scheduler is gone ({first_line(error)}); what is done is kept, the same command resumes"
    )


def on_one_thread(work: Callable[P, T], /, *args: P.args, **settings: P.kwargs) -> T:
    """Work as in our own worker processes: with one thread of arithmetic, so that values are the same, and workers that
    others started do not fight for the cores.
    """
    with one_thread():
        return work(*args, **settings)


def jobs_of(client: Any) -> int:
    """Threads of a Dask cluster's workers."""
    return sum(client.nthreads().values())


def _begin(stop: Event) -> None:
    """Start of a worker process."""
    print_on_stderr()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    worker.stop_asked = stop.is_set
    threading.Thread(target=end_with_parent, daemon=True).start()
