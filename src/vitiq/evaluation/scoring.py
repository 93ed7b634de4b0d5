"""Metrics of many pairs of files, on all cores, in the order given, a few images in memory at a time.

Each worker is a process with one thread of arithmetic, so that values do not depend on the number of workers.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from vitiq import workers
from vitiq.errors import InputError
from vitiq.evaluation.executors import one_thread
from vitiq.evaluation.inputs import read_noted
from vitiq.evaluation.metric_spec import MetricSpec
from vitiq.evaluation.worker import metrics_of
from vitiq.metrics.base import Metric
from vitiq.metrics.guards import check_sizes
from vitiq.metrics.scoring import score_pairs as metric_scores
from vitiq.metrics.sets.rows import RowsByKey, rows_of
from vitiq.types import ImageU8, Score

T = TypeVar("T")
R = TypeVar("R")
Pair = tuple[Path, Path]
Noted = tuple[ImageU8, tuple[str, ...]]
"""An image, and notes of what reading it changed."""

ITEMS_A_WORKER = 4
"""Fewer are done sooner without a further process: one starts in about as long as one takes."""
LARGEST_BATCH = 8
"""Pairs that a worker scores at once, so that a ViT reads several images at a time."""
BATCHES = 32
"""Batches of a folder at least, where it has so many pairs: enough for all workers, whatever their number."""
PIXELS = 1_000_000
"""Pixels of a side that are scored at once; a pair of larger images is scored alone."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One pair.

    Attributes:
        reference, distorted: the files.
        width, height: of the images in pixels.
        scores: metric name -> score.
        rows: of both images, for the metrics of sets.
        problem: why the pair could not be scored; then there are no scores.
        kept: whether an earlier call scored it.
        notes: of each image, what reading it changed.
    """

    reference: Path
    distorted: Path
    width: int = 0
    height: int = 0
    scores: dict[str, Score] = field(default_factory=dict)
    rows: tuple[RowsByKey, RowsByKey] = field(default_factory=lambda: ({}, {}), repr=False)
    problem: str | None = None
    kept: bool = False
    notes: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())


def problem_of(error: InputError, reference: Path, distorted: Path) -> str:
    """One line that names the file that is broken, or both where they do not fit together."""
    said = str(error)
    return said if said.startswith((f"{reference}:", f"{distorted}:")) else f"{reference} and {distorted}: {said}"


def score_files(pairs: Sequence[Pair], metrics: Sequence[Metric], *, sets: bool = True) -> list[Scored]:
    """All metrics of some pairs of files; an image that cannot be read is a problem, not an error.

    Pairs are read until they have `PIXELS`, then scored at once.
    """
    results: list[Scored] = []
    held: list[tuple[Pair, Noted, Noted]] = []
    for pair in pairs:
        try:
            # One image of many pairs is read once, and a network reads it once.
            left = held[-1][1] if held and held[-1][0][0] == pair[0] else read_noted(pair[0])
            right = left if pair[1] == pair[0] else read_noted(pair[1])
            check_sizes(left[0], right[0])
        except InputError as error:
            results += _scored(held, metrics, sets=sets)
            held = []
            results.append(Scored(*pair, problem=problem_of(error, *pair)))
            continue
        held.append((pair, left, right))
        if sum(image.shape[0] * image.shape[1] for _, (image, _), _ in held) >= PIXELS:
            results += _scored(held, metrics, sets=sets)
            held = []
    return results + _scored(held, metrics, sets=sets)


def _scored(held: Sequence[tuple[Pair, Noted, Noted]], metrics: Sequence[Metric], *, sets: bool) -> list[Scored]:
    if not held:
        return []
    scores = metric_scores([left for _, (left, _), _ in held], [right for _, _, (right, _) in held], metrics)
    results = []
    for (pair, (left, of_left), (right, of_right)), own in zip(held, scores, strict=True):
        rows = (rows_of(left, metrics), rows_of(right, metrics)) if sets else ({}, {})
        results.append(Scored(*pair, left.shape[1], left.shape[0], own, rows, notes=(of_left, of_right)))
    return results


def score_pairs(
    pairs: Sequence[Pair], spec: MetricSpec, *, jobs: int | None = None, sets: bool = True
) -> Generator[Scored]:
    """Every pair, in order, as soon as it is known; few are in memory at any time.

    A pair that ends its worker process even alone is a problem, as one that cannot be read.

    Args:
        jobs: worker processes at most; None for one a core.
        sets: gather the rows that metrics of sets need.
    """
    # Values of folders must not depend on the number of workers; two files alone may have all threads.
    return in_order(partial(score_files, sets=sets), pairs, spec, lost_pair, jobs, one_thread=sets or len(pairs) > 1)


def lost_pair(pair: Pair, said: str) -> Scored:
    """What is known of a pair whose worker was killed."""
    return Scored(*pair, problem=f"{pair[0]} and {pair[1]}: {said}")


def batch_size(items: int) -> int:
    """Items that are worked on at once: by their number alone, since sums of a network round by what is beside them."""
    return max(1, min(LARGEST_BATCH, items // BATCHES))


def in_order(
    work: Callable[[Sequence[T], Sequence[Metric]], Sequence[R]],
    items: Sequence[T],
    spec: MetricSpec,
    lost: Callable[[T, str], R],
    jobs: int | None = None,
    *,
    one_thread: bool = True,
) -> Generator[R]:
    """`work` of every item, in order, in worker processes that made the metrics of `spec`.

    Args:
        work: a function of a module, so that a process can find it; takes several items at once.
        lost: the result of an item that ends its worker even alone, from the item and what is said of it.
        jobs: worker processes at most; None for one a core.
        one_thread: do the arithmetic on one thread where there are no workers too; False leaves torch's choice.
    """
    count = min(workers.jobs_on(spec.device, jobs) or workers.cores(), len(items) // ITEMS_A_WORKER)
    if count < 2:
        yield from _in_process(work, items, spec, one_thread)
        return
    size = batch_size(len(items))
    yield from workers.in_order(partial(work_on, work, spec), items, lost, jobs=count, size=size)


def work_on(
    work: Callable[[Sequence[T], Sequence[Metric]], Sequence[R]], spec: MetricSpec, items: Sequence[T]
) -> Sequence[R]:
    """`work` in a worker."""
    return work(items, metrics_of(spec))


def _in_process(
    work: Callable[[Sequence[T], Sequence[Metric]], Sequence[R]], items: Sequence[T], spec: MetricSpec, alone: bool
) -> Iterator[R]:
    metrics = spec.make()
    if not alone:
        for item in items:
            yield from work([item], metrics)
        return
    for part in workers.parts_of(items, batch_size(len(items))):
        with one_thread():
            done = work(part, metrics)
        yield from done
