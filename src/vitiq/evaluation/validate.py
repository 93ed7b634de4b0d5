"""Metrics against people: every metric on every image of a data set, then its agreement with the opinions."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Shaped

from vitiq.analysis.correlation import MEASURES, Agreement, agreement
from vitiq.datasets.opinions import Opinion, OpinionSet
from vitiq.errors import InputError
from vitiq.evaluation.executors import Workers
from vitiq.evaluation.metric_spec import MetricSpec
from vitiq.evaluation.scoring import score_pairs
from vitiq.metrics.base import Metric, PairMetric
from vitiq.workers import ordered

FEWEST = 5
"""Images from which a correlation is given."""

WORTH_PROCESSES = 20_000_000
"""Images × resamples × metrics from which processes, a second each to start, save time."""

DEFAULT = (
    "psnr-rgb,ssim,ms-ssim,brisque,vit-tiles,vit-tokens,vit-tokens-locked,vit-cls,vit-topk@1,vit-topk@5,vit-topk@10,"
    "vit-topk@50,vit-topk,vit-topk@200,vit-topk@300,vit-topk-area,vit-rbo,vit-js,vit-bc,vit-prob"
)
"""Metrics compared where none are named."""


@dataclass(frozen=True, slots=True)
class Line:
    """Agreement of one metric on one kind of distortion ("all" for every one); `problem` says why it is not known."""

    metric: str
    distortion: str
    result: Agreement
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """The metrics of a data set's images.

    Attributes:
        values: metric -> its value on every image, in order; NaN where it is not defined or the image is broken.
        signatures: of the metrics.
        problems: one line for each thing that is broken.
        broken: number of images that have no value, since their file cannot be read.
    """

    values: dict[str, Float[np.ndarray, " n"]]
    signatures: dict[str, str]
    problems: list[str]
    broken: int


def values_of(
    opinions: Sequence[Opinion],
    spec: MetricSpec,
    *,
    jobs: int | None = None,
    step: Callable[[], object] | None = None,
) -> Measured:
    """Every pair metric on every image; one that cannot be read is named, and the others go on.

    Args:
        opinions: of the images.
        spec: of the metrics.
        jobs: worker processes at most; None for one a core.
        step: called after each image.
    """
    names = [metric.name for metric in spec.make() if isinstance(metric, PairMetric)]
    values = {name: array("d") for name in names}
    signatures: dict[str, str] = {}
    problems: dict[str, None] = {}
    broken = 0
    pairs = [(opinion.reference, opinion.distorted) for opinion in opinions]
    with closing(score_pairs(pairs, spec, jobs=jobs, sets=False)) as work:
        for scored in work:
            if scored.problem is not None:
                problems[scored.problem] = None
                broken += 1
            for name, column in values.items():
                score = scored.scores.get(name)
                column.append(math.nan if score is None else score.value)
                if score is not None and math.isfinite(score.value):
                    signatures[name] = score.signature
            if step is not None:
                step()
    columns = {name: np.array(column) for name, column in values.items()}
    return Measured(columns, signatures, list(problems), broken)


def validate(
    data: OpinionSet, values: dict[str, Float[np.ndarray, " n"]], metrics: Sequence[Metric], *, resamples: int = 1000
) -> list[Line]:
    """Agreement of every metric on all images and on every distortion with at least five.

    Raises:
        InputError: no pair metric given.
    """
    opinions = np.array([o.quality for o in data.opinions])
    references = np.array([str(o.reference) for o in data.opinions])
    kinds = np.array([o.distortion for o in data.opinions])
    parts = {"all": np.full(len(kinds), True)}
    if len(set(kinds)) > 1:
        parts |= {str(kind): kinds == kind for kind in dict.fromkeys(kinds)}
    better = {m.name: m.higher_is_better for m in metrics}
    if not values:
        raise InputError("no metric of a pair given; a distance between sets has no opinion to agree with")
    wanted = [
        (name, part)
        for part, chosen in parts.items()
        for name, column in values.items()
        if np.isfinite(column[chosen]).sum() >= FEWEST
    ]
    work = sum(len(kinds[parts[part]]) for _, part in wanted) * resamples
    asked = ([_Asked(values[n][parts[p]], opinions[parts[p]], references[parts[p]], better[n])] for n, p in wanted)
    with Workers("processes" if work > WORTH_PROCESSES else "inline") as workers:
        found = ordered(workers, partial(_agreements, resamples), asked, _unknown)
        return [Line(name, part, *result) for (name, part), result in zip(wanted, found, strict=True)]


class _Asked(NamedTuple):
    """What one agreement is computed from."""

    values: Float[np.ndarray, " n"]
    opinions: Float[np.ndarray, " n"]
    references: Shaped[np.ndarray, " n"]
    higher_is_better: bool


def _agreements(resamples: int, items: Sequence[_Asked]) -> list[tuple[Agreement, None]]:
    """Agreements, for a worker."""
    return [(agreement(*item[:3], higher_is_better=item.higher_is_better, resamples=resamples), None) for item in items]


def _unknown(item: _Asked, said: str) -> tuple[Agreement, str]:
    """What is known where the worker was killed."""
    count, nan = int(np.isfinite(item.values).sum()), math.nan
    left_out = len(item.values) - count
    return Agreement(count, left_out, nan, nan, nan, nan, dict.fromkeys(MEASURES, (nan, nan))), said


def to_markdown(lines: Sequence[Line]) -> str:
    """A table a distortion, best SRCC first, each measure with its 95 % interval."""
    parts = []
    for part in dict.fromkeys(line.distortion for line in lines):
        own = sorted((x for x in lines if x.distortion == part), key=lambda x: -np.nan_to_num(x.result.srcc, nan=-2))
        parts += [f"### {part}: {own[0].result.count} images", ""] if part != "all" else []
        parts += ["| metric | n | SRCC | PLCC | KRCC | RMSE |", "|---|---:|---|---|---|---|"]
        for line in own:
            r = line.result
            cells = (_cell(getattr(r, name), r.intervals[name]) for name in ("srcc", "plcc", "krcc", "rmse"))
            parts.append(f"| {line.metric} | {r.count} | " + " | ".join(cells) + " |")
        parts.append("")
    return "\n".join(parts)


def _cell(value: float, interval: tuple[float, float]) -> str:
    low, high = interval
    shown = f"{value:.3f}" if np.isfinite(value) else "–"
    return f"{shown} [{low:.3f}, {high:.3f}]" if np.isfinite(low) else shown
