"""Where a study stands, and how long the rest may take, estimated from what each codec took so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from vitiq.evaluation.study import Series
from vitiq.types import Progress

SEARCH_COST = 35.0
"""How many times as long as another task one with a search takes, roughly; until one was measured."""
GUESS = 0.3
"""Seconds of a task, until one was measured."""


@dataclass(frozen=True, slots=True)
class Step:
    """Where a study stands.

    Attributes:
        done, total: tasks done (failed ones too), and in all.
        failed: tasks that failed.
        label: what was done last, or is being done.
        spent: seconds of work done in this run.
        rest: seconds of work that are left, as estimated.
        workers: that share it.
        state: of a codec that optimises, where it runs in this process.
    """

    done: int
    total: int
    failed: int
    label: str
    spent: float
    rest: float
    workers: int = 1
    state: Progress | None = None


@dataclass
class Clock:
    """Means of what tasks took, by series.

    Args:
        series: of the study.
        left: tasks to do, by place of their series.
        kept: tasks that were done before.
        workers: that share the tasks.
    """

    series: Sequence[Series]
    left: dict[int, int]
    kept: int = 0
    workers: int = 1
    done: int = 0
    failed: int = 0
    spent: float = 0.0
    sums: dict[int, list[float]] = field(default_factory=dict)

    def took(self, series: int, seconds: float, *, failed: bool) -> None:
        """A task is done."""
        own = self.sums.setdefault(series, [0.0, 0.0])
        own[0] += seconds
        own[1] += 1
        self.left[series] = max(0, self.left.get(series, 0) - 1)
        self.done += 1
        self.failed += failed
        self.spent += seconds

    def knows(self, series: int) -> bool:
        """Whether a task of a series was measured."""
        return series in self.sums

    def seconds(self, series: int) -> float:
        """What a task of a series takes, as far as known."""
        if series in self.sums:
            return self.sums[series][0] / self.sums[series][1]
        measured: dict[bool, list[float]] = {True: [], False: []}
        for place, own in self.sums.items():
            measured[self.series[place].optimises].append(own[0] / own[1])
        kind = self.series[series].optimises
        if measured[kind]:
            return sum(measured[kind]) / len(measured[kind])
        others = measured[not kind]
        usual = sum(others) / len(others) if others else GUESS * (1 if kind else SEARCH_COST)
        return usual * SEARCH_COST if kind else usual / SEARCH_COST

    @property
    def remaining(self) -> int:
        """Tasks still to do."""
        return sum(self.left.values())

    def step(self, label: str, state: Progress | None = None, series: int | None = None) -> Step:
        """Where the study stands; `state` is of an unfinished task of `series`."""
        rest = sum(count * self.seconds(place) for place, count in self.left.items())
        spent = self.spent
        if state is not None and series is not None:
            part = self.seconds(series) * state.iteration / max(1, state.total)
            rest, spent = max(0.0, rest - part), spent + part
        total = self.kept + self.done + self.remaining
        return Step(self.kept + self.done, total, self.failed, label, spent, rest, self.workers, state)
