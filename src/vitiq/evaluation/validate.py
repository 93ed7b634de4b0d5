"""Metrics against people: agreement, differences between metrics, by codec and rate, and what learned codecs do."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped

from vitiq.analysis.choices import Agreed, agreed
from vitiq.analysis.correlation import FEWEST, RANKS, Agreement, Resampled, resampled
from vitiq.analysis.correlation import MEASURES as ALL_MEASURES
from vitiq.analysis.flattery import Flattery, flattery
from vitiq.analysis.jnd import JndError, jnd_error
from vitiq.analysis.paired import Difference, difference
from vitiq.datasets.compression import is_learned
from vitiq.datasets.opinion import OpinionSet
from vitiq.errors import InputError
from vitiq.evaluation.executors import Workers
from vitiq.evaluation.opinion_values import PUBLISHED, Measured, published_values, values_of
from vitiq.metrics.base import Metric
from vitiq.workers import ordered

__all__ = ["DEFAULT", "Line", "Measured", "Validation", "published_values", "validate", "values_of"]

BANDS = 3
FEWEST_OF_A_BAND = 10
"""Images from which one third of the rates has a correlation of its own."""

WORTH_PROCESSES = 300_000_000
"""Images × resamples × metrics from which processes, a second each to start, save time."""

MEASURES = ("srcc", "krcc", "plcc")
"""Whose differences between metrics are given."""
FITTED = tuple(measure for measure in MEASURES if measure not in RANKS)
"""Those of them that hold finite values alone."""

DEFAULT = (
    "psnr-rgb,ssim,ms-ssim,brisque,vit-tiles,vit-tokens,vit-tokens-locked,vit-cls,vit-topk@1,vit-topk@5,vit-topk@10,"
    "vit-topk@50,vit-topk,vit-topk@200,vit-topk@300,vit-topk-area,vit-rbo,vit-js,vit-bc,vit-prob"
)
"""Metrics compared where none are named."""

Values = Float[np.ndarray, " n"]


@dataclass(frozen=True, slots=True)
class Line:
    """Agreement of one metric on one part of the images.

    Attributes:
        metric: key.
        distortion: the part: "all", a distortion or codec, or a band of rates.
        result: the agreement.
        of: what the part is one of: "all", "distortion" or "rate".
        problem: why the agreement is not known; None where it is.
    """

    metric: str
    distortion: str
    result: Agreement
    of: str = "all"
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Validation:
    """Everything that is known of metrics on one data set.

    Attributes:
        lines: agreement of every metric on every part.
        differences: of all pairs of metrics on all images, for each of `MEASURES`.
        choices: share of people's choices that each metric makes, where single choices are published.
        flattery: errors between learned and other codecs, where the set has both.
        jnd: error of the published maps to JND, where opinions are JND.
    """

    lines: tuple[Line, ...]
    differences: tuple[Difference, ...]
    choices: tuple[Agreed, ...] = ()
    flattery: tuple[Flattery, ...] = ()
    jnd: tuple[JndError, ...] = ()


class Asked(NamedTuple):
    """What one agreement is computed from."""

    values: Values
    opinions: Values
    references: Shaped[np.ndarray, " n"]
    higher_is_better: bool


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    of: str
    mask: Bool[np.ndarray, " n"]


class _Compared(NamedTuple):
    """Two metrics, and the images that their measures are compared on; None for those that each has."""

    first: str
    second: str
    measures: tuple[str, ...]
    mask: Bool[np.ndarray, " n"] | None


def validate(
    data: OpinionSet,
    values: dict[str, Values],
    metrics: Sequence[Metric],
    *,
    resamples: int = 1000,
    jobs: int | None = None,
    learned: frozenset[str] = frozenset(),
    step: Callable[[int, int], object] | None = None,
) -> Validation:
    """Agreement of every metric on all images and on every part with at least five, and what follows from it.

    Args:
        values: metric -> its value on every image; those that the set publishes go under "published:" and their key.
        metrics: that know the directions of `values`.
        jobs: worker processes at most; None for one a core.
        learned: codecs that are neural networks, in lower case, beside those known as such.
        step: called with the number of agreements that are known, and of all.

    Raises:
        InputError: no pair metric given.
    """
    if not values:
        raise InputError("no metric of a pair given; a distance between sets has no opinion to agree with")
    opinions = np.array([o.quality for o in data.opinions])
    references = np.array([str(o.reference) for o in data.opinions])
    better = {m.name: m.higher_is_better for m in metrics} | {n: True for n in values if n.startswith(PUBLISHED)}
    parts = list(_parts(data))
    own = [(n, p) for p in parts for n, column in values.items() if (~np.isnan(column[p.mask])).sum() >= FEWEST]
    compared = [name for name, part in own if part.of == "all"]
    two = list(_compared(compared, values))

    def asked(name: str, mask: Bool[np.ndarray, " n"]) -> Asked:
        return Asked(values[name][mask], opinions[mask], references[mask], better[name])

    todo = [*(asked(n, p.mask) for n, p in own), *(asked(n, t.mask) for t in two if t.mask is not None for n in t[:2])]
    answers = list(_resampled(todo, resamples, jobs, step))
    found = [answer for answer, _ in answers]
    lines = tuple(Line(n, p.name, r.agreement, p.of, why) for (n, p), (r, why) in zip(own, answers, strict=False))
    alone = {n: r for (n, p), r in zip(own, found, strict=False) if p.of == "all"}
    rest = iter(found[len(own) :])
    pairs = [(t, *((alone[t.first], alone[t.second]) if t.mask is None else (next(rest), next(rest)))) for t in two]
    # Where a worker was killed nothing is known, and nothing can be subtracted.
    known = {id(answer) for answer, problem in answers if problem is None}
    whole = [pair for pair in pairs if all(id(one) in known for one in pair[1:])]
    differences = tuple(difference(t.first, x, t.second, y, m) for t, x, y in whole for m in t.measures)
    made = np.array([is_learned(o.distortion, learned) for o in data.opinions])
    flattered = [
        flattery(n, values[n], opinions, references, made, higher_is_better=better[n], resamples=resamples)
        for n in compared
    ]
    errors = [jnd_error(n.removeprefix(PUBLISHED), values[n], opinions) for n in compared] if data.is_jnd else []
    return Validation(
        lines,
        differences,
        tuple(_choices(data, {n: values[n] for n in compared}, references, better, resamples)),
        tuple(f for f in flattered if f is not None),
        tuple(JndError(n, e.rmse, e.bias) for n, e in zip(compared, errors, strict=False) if e is not None),
    )


def _parts(data: OpinionSet) -> Iterator[_Part]:
    """All images; each distortion, where there are several; thirds of the rates, where they are known."""
    kinds = np.array([o.distortion for o in data.opinions])
    rates = np.array([o.rate for o in data.opinions])
    yield _Part("all", "all", np.full(len(kinds), True))
    if len(set(kinds)) > 1:
        for kind in dict.fromkeys(kinds):
            yield _Part(str(kind), "distortion", kinds == kind)
    known = rates[np.isfinite(rates)]
    if len(known) < BANDS * FEWEST_OF_A_BAND or len(set(known)) < BANDS:
        return
    edges = np.quantile(known, np.arange(1, BANDS) / BANDS, method="closest_observation")
    band = np.searchsorted(edges, rates, side="left")
    for place in range(BANDS):
        mask = np.isfinite(rates) & (band == place)
        if mask.sum() >= FEWEST_OF_A_BAND:
            low, high = rates[mask].min(), rates[mask].max()
            span = f"{low:.3g}" if low == high else f"{low:.3g} … {high:.3g}"
            yield _Part(f"{data.rate_unit or 'rate'} {span}", "rate", mask)


def _compared(names: Sequence[str], values: dict[str, Values]) -> Iterator[_Compared]:
    """Every two metrics on the images that both have; none where these are too few.

    Ranks hold infinite values and the other measures do not, so that they may be of different images.
    """
    known = {name: ~np.isnan(values[name]) for name in names}
    finite = {name: np.isfinite(values[name]) for name in names}
    for a, b in combinations(names, 2):
        both, both_finite = known[a] & known[b], finite[a] & finite[b]
        alike = np.array_equal(finite[a] & both, finite[b] & both)
        measures = MEASURES if alike else RANKS
        if np.array_equal(known[a], known[b]):
            yield _Compared(a, b, measures, None)
        elif both.sum() >= FEWEST:
            yield _Compared(a, b, measures, both)
        if not alike and both_finite.sum() >= FEWEST:
            yield _Compared(a, b, FITTED, both_finite)


def _resampled(
    todo: Sequence[Asked], resamples: int, jobs: int | None, step: Callable[[int, int], object] | None
) -> Iterator[tuple[Resampled, str | None]]:
    """Each agreement, and why it is not known."""
    work = sum(len(item.values) for item in todo) * resamples
    with Workers("processes" if work > WORTH_PROCESSES and jobs != 1 else "inline", jobs) as workers:
        parts = ([item] for item in todo)
        for place, found in enumerate(ordered(workers, partial(_some_resampled, resamples), parts, _unknown)):
            if step is not None:
                step(place, len(todo))
            yield found


def _some_resampled(resamples: int, items: Sequence[Asked]) -> list[tuple[Resampled, None]]:
    return [(resampled_of(item, resamples), None) for item in items]


def _unknown(item: Asked, said: str) -> tuple[Resampled, str]:
    """What is known where the worker was killed."""
    count, finite, nan = int((~np.isnan(item.values)).sum()), int(np.isfinite(item.values).sum()), math.nan
    intervals = dict.fromkeys(ALL_MEASURES, (nan, nan))
    unknown = Agreement(count, len(item.values) - count, nan, nan, nan, nan, intervals, finite)
    return Resampled(unknown, np.full((1, len(ALL_MEASURES)), nan)), said


def resampled_of(item: Asked, resamples: int) -> Resampled:
    """The agreement of one metric on some images, for a worker."""
    return resampled(
        item.values, item.opinions, item.references, higher_is_better=item.higher_is_better, resamples=resamples
    )


def _choices(
    data: OpinionSet,
    values: dict[str, Values],
    references: Shaped[np.ndarray, " n"],
    better: dict[str, bool],
    resamples: int,
) -> Iterable[Agreed]:
    if not data.choices:
        return []
    place = {opinion.distorted: i for i, opinion in enumerate(data.opinions)}
    first, second = (
        np.array([place[getattr(choice, side)] for choice in data.choices], dtype=np.int64)
        for side in ("better", "worse")
    )
    return [
        agreed(name, column, first, second, references, higher_is_better=better[name], resamples=resamples)
        for name, column in values.items()
    ]
