"""The one loop behind every study: hand out batches, keep what comes back, continue after whatever fails.

Tasks of one image go side by side in batches that take about `BATCH_SECONDS`, whatever a task takes: a worker hands
over what it has by then, and what it has not begun goes back. What came is kept in a part every `PART_SECONDS`. A
killed study loses what was under way and these few seconds, and the same call does what is missing.
"""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from vitiq.errors import StoreError, TaskError, in_one_line
from vitiq.evaluation import worker
from vitiq.evaluation.batch import Batch, Item, Result
from vitiq.evaluation.executors import Workers, cluster_is_gone
from vitiq.evaluation.others import Others
from vitiq.evaluation.parts import synchronise_files
from vitiq.evaluation.progress import Clock, Step
from vitiq.evaluation.rows import Done, read_done
from vitiq.evaluation.store import Store
from vitiq.evaluation.study import Study, Task, of_shard
from vitiq.evaluation.task import failed, run_batch
from vitiq.signals import OutOfTime, time_limit
from vitiq.types import Progress
from vitiq.workers import AHEAD, KILLED, died, end_of

PART_SECONDS = 2.0
PART_ROWS = 2000
BATCH_SECONDS = 2.0
LARGEST_BATCH = 256
GRACE = 60.0
"""Seconds that tasks under way have to end when a study ends early; half of what SLURM leaves (`slurm`)."""
MAPPED = {"main", "equal-bytes", "series"}
"""Groups of series whose semantic error maps are written."""


@dataclass
class Outcome:
    """What a run of a study did.

    Attributes:
        done: tasks that were worked on now.
        kept: tasks that the store had already.
        failed: key -> why, of the tasks that failed now.
        stopped: what ended it early: a signal's name ("SIGINT" is Ctrl-C) or "deadline"; None for nothing.
    """

    done: int = 0
    kept: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    stopped: str | None = None


def run_study(
    study: Study,
    store: Store,
    workers: Workers,
    report: Callable[[Step], None] | None = None,
    *,
    shard: tuple[int, int] = (0, 1),
    max_failures: int | None = None,
    deadline: float | None = None,
) -> Outcome:
    """Do every task of a study that the store does not have.

    Args:
        report: called with where the study stands.
        shard: number of this share, and how many there are.
        max_failures: more failed tasks than this end the study.
        deadline: `time.time()` at which to stop.

    Raises:
        StoreError: results cannot be written.
        TaskError: too many tasks failed.
    """
    worker.forget()
    run = _Run(study, store, workers, report, max_failures=max_failures, deadline=deadline)
    return run.all(shard)


class _Writer:
    """Rows on their way to a part."""

    def __init__(self, store: Store) -> None:
        self._parts, self._out = store.parts, store.out
        self._encodes: list[Any] = []
        self._scores: list[Any] = []
        self._last = time.monotonic()

    def add(self, result: Result) -> None:
        """One more task; writes a part where one is due."""
        if result.encode is not None:
            self._encodes.append(result.encode)
        self._scores.extend(result.scores)
        self.flush_due()

    def flush_due(self) -> None:
        """Write a part where one is due; also asked while no result comes, which may be for long."""
        rows = len(self._scores) + len(self._encodes)
        if rows and (time.monotonic() - self._last > PART_SECONDS or rows > PART_ROWS):
            self.flush()

    def flush(self) -> None:
        """Write what there is. Files first, then encodes: no row refers to what could be lost with the power."""
        if self._encodes:
            synchronise_files(self._out)
        self._parts.write("encodes", self._encodes)
        self._encodes = []
        self._parts.write("scores", self._scores)
        self._scores = []
        self._last = time.monotonic()


class _Run:
    """State of one call of `run_study`."""

    def __init__(
        self,
        study: Study,
        store: Store,
        workers: Workers,
        report: Callable[[Step], None] | None,
        *,
        max_failures: int | None,
        deadline: float | None,
    ) -> None:
        self.study, self.store, self.workers = study, store, workers
        self.report, self.max_failures, self.deadline = report, max_failures, deadline
        self.writer = _Writer(store)
        self.outcome = Outcome()
        self.flying: dict[Future[list[Result]], list[Item]] = {}
        self.again: deque[Item] = deque()
        self.returned: deque[Item] = deque()
        metrics = worker.spec_of(study, list(study.signatures))
        signatures, keep = dict(study.signatures), frozenset(study.keep)
        required = frozenset(study.required)
        self.empty = Batch((), {}, str(store.out), metrics, signatures, keep, required, study.maps, BATCH_SECONDS)
        self.clock = Clock(study.series, {})
        self.places: dict[str, tuple[int, str]] = {}
        self.followed: str | None = None
        self.others = Others(store.parts, study.signatures)

    def all(self, shard: tuple[int, int]) -> Outcome:
        """Do it."""
        done = read_done(self.store.parts, self.study.signatures)
        for task in of_shard(self.study.tasks(), *shard):
            if bytes.fromhex(task.key) in done.complete:
                self.outcome.kept += 1
            else:
                self.clock.left[task.series] = self.clock.left.get(task.series, 0) + 1
        self.clock.kept = self.outcome.kept
        self.workers = self.workers.suited(sum(n * self.clock.seconds(place) for place, n in self.clock.left.items()))
        self.clock.workers = self.workers.count
        todo = self._items(done, shard)
        try:
            with time_limit() as self.limit, self._signals(), self._followed():
                self._work(todo)
        except OutOfTime:
            self._stops()  # says that it was the deadline, where no signal came
        except BaseException:
            self.workers.ask_to_stop()
            with suppress(StoreError):
                self.writer.flush()
            raise
        self.writer.flush()
        return self.outcome

    def _items(self, done: Done, shard: tuple[int, int]) -> Iterator[Item]:
        """Tasks to do, each once even where two images have the same pixels; in an order of this run's own, so that one
        beside it in the same folder works on others.
        """
        given: set[bytes] = set()
        for task in of_shard(self.study.tasks(random.Random()), *shard):
            raw = bytes.fromhex(task.key)
            if raw in done.complete:
                continue
            scored = self.others.metrics(raw, done.encoded.get(raw))
            elsewhere = scored is not None and scored.issuperset(self.study.signatures)
            if raw in given or elsewhere:
                self.clock.left[task.series] -= 1
                self.clock.kept += 1
                self.outcome.kept += raw not in given
                continue
            given.add(raw)
            yield self._item(task, scored)

    def _item(self, task: Task, scored: set[str] | None) -> Item:
        image, series = self.study.images[task.image], self.study.series[task.series]
        missing = tuple(name for name in self.study.signatures if scored is None or name not in scored)
        self.places[task.key] = (task.series, f"{image.name} {series.label}")
        return Item(
            key=task.key,
            image=image.path,
            sha256=image.sha256,
            width=image.width,
            height=image.height,
            series=task.series,
            target=task.target,
            quality=task.value,
            kind=task.kind,
            value=task.value,
            encode=scored is None,
            metrics=missing,
            map=series.group in MAPPED,
            ready=series.ready_at(image, task.value),
        )

    def _work(self, todo: Iterator[Item]) -> None:
        while not self._stops():
            while not self.again and len(self.flying) < self.workers.count * AHEAD and not self._stops():
                batch = self._next_batch(todo)
                if not batch:
                    break
                self._submit(batch)
            if not self.flying and self.again:
                self._submit([self.again.popleft()])
            if not self.flying:
                return
            self._collect(*wait(self.flying, timeout=0.5, return_when=FIRST_COMPLETED))
            self.writer.flush_due()
        self._end_early()

    def _next_batch(self, todo: Iterator[Item]) -> list[Item]:
        """As many tasks as take about `BATCH_SECONDS`, fewer towards the end so that no worker is left with many.

        One alone of a codec that was not measured yet: it may take milliseconds or minutes.
        """
        self.others.look()
        most = max(1, min(LARGEST_BATCH, self.clock.remaining // (self.workers.count * AHEAD + 1)))
        batch: list[Item] = []
        seconds = 0.0
        while len(batch) < (1 if self.workers.kind == "inline" else most):
            item = self.returned.popleft() if self.returned else next(todo, None)
            if item is None:
                break
            seconds += self.clock.seconds(item.series) if self.clock.knows(item.series) else BATCH_SECONDS
            if batch and seconds > BATCH_SECONDS:
                self.returned.appendleft(item)
                break
            batch.append(item)
        return batch

    def _submit(self, items: list[Item]) -> None:
        series = {item.series: self.study.series[item.series] for item in items}
        self.followed = items[0].key
        if self.report is not None and self.workers.kind == "inline":
            self.report(self.clock.step(self.places[items[0].key][1]))
        batch = replace(
            self.empty, items=items, series={n: replace(s, targets=None, ready=None) for n, s in series.items()}
        )
        try:
            self.flying[self.workers.submit(run_batch, batch)] = items
        except BrokenProcessPool:
            self.again.extend(items)
            self._restart()

    def _collect(self, finished: set[Future[list[Result]]], _: object) -> None:
        broken, alone = False, len(self.flying) == 1
        # Those with results first: an error may end the study.
        for future in sorted(finished, key=lambda future: end_of(future) is not None):
            items = self.flying.pop(future)
            error = end_of(future)
            if error is None:
                results = future.result()
                for result in results:
                    self._keep(result)
                had = {result.key for result in results}
                self.returned.extend(item for item in items if item.key not in had)
            elif isinstance(error, StoreError):
                raise error
            elif isinstance(error, CancelledError):
                raise cluster_is_gone(error)
            elif len(items) > 1 or (isinstance(error, BrokenProcessPool) and not alone):
                # One of what was under way ended its worker: each is tried again alone, so that the others get through.
                self.again.extend(items)
            else:
                self._fail(items[0], error)
            broken |= isinstance(error, BrokenProcessPool)
        if broken:
            self._restart()

    def _restart(self) -> None:
        for items in self.flying.values():
            self.again.extend(items)
        self.flying.clear()
        self.workers.restart()

    def _fail(self, item: Item, error: BaseException) -> None:
        said = KILLED if died(error) else in_one_line(error)
        self._keep(failed(item, self.study.series[item.series], self.empty, said))

    def _keep(self, result: Result) -> None:
        self.writer.add(result)
        series, label = self.places.pop(result.key)
        self.outcome.done += 1
        if result.error is not None:
            self.outcome.failed[result.key] = result.error
        self.clock.took(series, result.seconds, failed=result.error is not None)
        if self.report is not None:
            self.report(self.clock.step(label))
        if self.max_failures is not None and len(self.outcome.failed) > self.max_failures:
            raise TaskError(
                f"{len(self.outcome.failed)} tasks failed, more than the {self.max_failures} of --max-failures; "
                f"the last one: {label}: {result.error}"
            )

    def _stops(self) -> bool:
        if self.deadline is not None and time.time() >= self.deadline:
            self.outcome.stopped = self.outcome.stopped or "deadline"
        return self.outcome.stopped is not None

    def _end_early(self) -> None:
        """Keep what workers have done so far."""
        self.workers.ask_to_stop()
        for future in list(self.flying):
            if future.cancel():
                self.flying.pop(future)
        patience = GRACE if self.workers.kind == "processes" else 0.0
        finished, _ = wait(self.flying, timeout=patience)
        for future in finished:
            if end_of(future) is None:
                for result in future.result():
                    self._keep(result)

    def _limit(self, seconds: float) -> None:
        """A task that this process works on is ended, if it must be, `GRACE` after so many seconds from now."""
        if self.workers.kind == "inline":
            self.limit(max(0.0, seconds) + GRACE)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Ctrl-C, SIGTERM and SIGUSR1 end the study between tasks, or in a search; a second Ctrl-C at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(number: int, _: object) -> None:
            if self.outcome.stopped is not None and number == signal.SIGINT:
                raise KeyboardInterrupt
            self._limit(0.0)
            self.outcome.stopped = signal.Signals(number).name

        numbers = [signal.SIGINT, signal.SIGTERM, *([signal.SIGUSR1] if hasattr(signal, "SIGUSR1") else [])]
        before = {number: signal.getsignal(number) for number in numbers}
        # A job in the background still ignores SIGINT; a handler that is not Python's (None) could not be put back.
        before = {n: handler for n, handler in before.items() if not (handler is None or handler is signal.SIG_IGN)}
        for number in before:
            signal.signal(number, stop)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def _followed(self) -> Iterator[None]:
        """Where work is done in this process, searches are followed and stopped."""
        if self.workers.kind != "inline":
            yield
            return
        worker.stop_asked, worker.watch = self._stops, self._watch
        if self.deadline is not None:
            self._limit(self.deadline - time.time())
        try:
            yield
        finally:
            worker.stop_asked, worker.watch = worker.never, None

    def _watch(self, state: Progress) -> None:
        if self.report is not None and self.followed is not None:
            series, label = self.places[self.followed]
            self.report(self.clock.step(label, state, series))
