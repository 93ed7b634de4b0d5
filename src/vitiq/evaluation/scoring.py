"""Metrics of many pairs of files: one pair at a time in memory, on all cores, in the order given.

Each worker is a process with one thread of arithmetic, so that values do not depend on the number of workers.
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
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from vitiq.errors import InputError, TaskError
from vitiq.image.io import read_image
from vitiq.metrics.base import Metric
from vitiq.metrics.scoring import resolve_metrics, score_pair
from vitiq.metrics.sets.rows import RowsByKey, rows_of
from vitiq.types import Score

if TYPE_CHECKING:
    from vitiq.models.backbones import Backbone

T = TypeVar("T")
R = TypeVar("R")

ITEMS_A_WORKER = 4
"""Fewer are done sooner without a further process: one starts in about as long as one takes."""

AHEAD = 2
"""Items a worker handed out before their turn, so that none waits."""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """The metrics to make in each worker: names as `resolve_metrics` takes them, and checkpoints of ViTs."""

    names: str = "default"
    weights: Path | None = None
    panel: tuple[Path, ...] = ()

    def make(self) -> list[Metric]:
        """The metrics.

        Raises:
            UnknownNameError, WeightsError: no such metric or checkpoint.
        """
        if self.weights is None and not self.panel:
            return resolve_metrics(self.names)
        from vitiq.models.backbones import load_backbone  # noqa: PLC0415 - torch

        return resolve_metrics(self.names, self.backbone(), [load_backbone(weights=path) for path in self.panel])

    def backbone(self) -> Backbone | None:
        """The ViT of `weights`, loaded once; None for the embedded one."""
        if self.weights is None:
            return None
        from vitiq.models.backbones import load_backbone  # noqa: PLC0415 - torch

        return load_backbone(weights=self.weights)


@dataclass(frozen=True, slots=True)
class Scored:
    """One pair.

    Attributes:
        reference, distorted: the files.
        width, height: of the images in pixels.
        scores: metric name -> score.
        rows: of both images, for the metrics of sets.
        problem: why the pair could not be scored; then there are no scores.
    """

    reference: Path
    distorted: Path
    width: int = 0
    height: int = 0
    scores: dict[str, Score] = field(default_factory=dict)
    rows: tuple[RowsByKey, RowsByKey] = field(default_factory=lambda: ({}, {}))
    problem: str | None = None


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def problem_of(error: InputError, reference: Path, distorted: Path) -> str:
    """One line that names the file that is broken, or both where they do not fit together."""
    told = str(error)
    return told if told.startswith((f"{reference}:", f"{distorted}:")) else f"{reference} and {distorted}: {told}"


def score_files(reference: Path, distorted: Path, metrics: Sequence[Metric], *, sets: bool = True) -> Scored:
    """All metrics of one pair of files; an image that cannot be read is a problem, not an error."""
    try:
        left, right = read_image(reference), read_image(distorted)
        scores = score_pair(left, right, metrics)
    except InputError as error:
        return Scored(reference, distorted, problem=problem_of(error, reference, distorted))
    rows = (rows_of(left, metrics), rows_of(right, metrics)) if sets else ({}, {})
    return Scored(reference, distorted, left.shape[1], left.shape[0], scores, rows)


def score_pairs(
    pairs: Sequence[tuple[Path, Path]], spec: MetricSpec, *, jobs: int | None = None, sets: bool = True
) -> Generator[Scored]:
    """Every pair, in order, as soon as it is known; few are in memory at any time.

    Args:
        jobs: worker processes at most; None for one a core.
        sets: gather the rows that metrics of sets need.

    Raises:
        TaskError: a worker was killed.
    """
    work = _score_with_rows if sets else _score_alone
    # Values of folders must not depend on the number of workers; two files alone may have all threads.
    return in_order(work, pairs, spec, jobs, one_thread=sets or len(pairs) > 1)


def _score_with_rows(pair: tuple[Path, Path], metrics: Sequence[Metric]) -> Scored:
    return score_files(*pair, metrics)


def _score_alone(pair: tuple[Path, Path], metrics: Sequence[Metric]) -> Scored:
    return score_files(*pair, metrics, sets=False)


def in_order(
    work: Callable[[T, Sequence[Metric]], R],
    items: Sequence[T],
    spec: MetricSpec,
    jobs: int | None = None,
    *,
    one_thread: bool = True,
) -> Generator[R]:
    """`work` of every item, in order, in worker processes that made the metrics of `spec`.

    Args:
        work: a function of a module, so that a process can find it.
        jobs: worker processes at most; None for one a core.
        one_thread: do the arithmetic on one thread where there are no workers too; False leaves torch's choice.

    Raises:
        TaskError: a worker was killed.
    """
    workers = min(jobs or cores(), len(items) // ITEMS_A_WORKER)
    if workers < 2:
        yield from _in_process(work, items, spec, one_thread)
        return
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _start, (spec,))
    waiting: deque[Future[R]] = deque()
    todo = iter(items)
    try:
        with _children_deaf_to_ctrl_c():
            waiting.extend(pool.submit(_do, work, item) for item in islice(todo, workers * AHEAD))
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(pool.submit(_do, work, item) for item in islice(todo, 1))
    except BrokenProcessPool as error:
        raise TaskError(
            "a worker process was killed, most often for want of memory; try again with fewer, as --jobs 1"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _in_process(
    work: Callable[[T, Sequence[Metric]], R], items: Sequence[T], spec: MetricSpec, one_thread: bool
) -> Generator[R]:
    metrics = spec.make()
    if not one_thread:
        yield from (work(item, metrics) for item in items)
        return
    from vitiq.models import threads  # noqa: PLC0415 - torch

    for item in items:
        with threads.one_thread():
            done = work(item, metrics)
        yield done


@contextmanager
def _children_deaf_to_ctrl_c() -> Iterator[None]:
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


_made: list[Metric] = []
"""Metrics of a worker process."""


def _start(spec: MetricSpec) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _made.extend(spec.make())


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for its next item for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _do(work: Callable[[T, Sequence[Metric]], R], item: T) -> R:
    return work(item, _made)
