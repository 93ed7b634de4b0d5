"""The metrics of a data set's images: on all cores, and kept on disk so that a stopped command resumes.

A kept value is found again by the bytes of both files and the metric's signature: the same command computes nothing
twice, and one with a further metric computes that metric alone.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from vitiq.analysis.correlation import FEWEST
from vitiq.datasets.opinion import Opinion, OpinionSet
from vitiq.errors import InputError
from vitiq.evaluation.metric_spec import MetricSpec
from vitiq.evaluation.pair_store import KeptValues, key_of
from vitiq.evaluation.plan import Faults, check_metrics
from vitiq.evaluation.scoring import Pair, Scored, score_pairs
from vitiq.metrics.base import Metric, PairMetric
from vitiq.metrics.scoring import signature_of
from vitiq.metrics.spec import named_in
from vitiq.text import plural, reasons_text

PUBLISHED = "published:"
"""Before the key of a metric whose values the data set publishes."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The metrics of a data set's images.

    Attributes:
        values: metric -> its value on every image, in order; NaN where it is not defined or the image is broken.
        signatures: of the metrics.
        problems: one line for each thing that is broken.
        broken: number of images without a value, since a file cannot be read.
        notes: what reading images changed -> how many images, of those that this call read.
        reasons: metric -> why it is not defined -> for how many images.
    """

    values: dict[str, Float[np.ndarray, " n"]]
    signatures: dict[str, str]
    problems: list[str]
    broken: int
    notes: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def without_agreement(self) -> dict[str, str]:
        """Metrics with too few values for a correlation, each with one line that says so and why."""
        found = {}
        for name, column in self.values.items():
            count = int((~np.isnan(column)).sum())
            if count < FEWEST:
                reason = f": {reasons_text(self.reasons[name])}" if name in self.reasons else ""
                of = f"{count} of {plural(len(column), 'image')}"
                found[name] = f"{name}: a value for {of}, {FEWEST} expected for a correlation{reason}"
        return found

    def incomplete(self) -> dict[str, str]:
        """Metrics that some images have no value of, each with one line that says for how many and why.

        Those `without_agreement`, and images that cannot be read, are not among them.
        """
        found = {}
        read = len(next(iter(self.values.values()), ())) - self.broken
        for name, column in self.values.items():
            count = int((~np.isnan(column)).sum())
            if FEWEST <= count < read:
                reason = reasons_text(self.reasons[name]) if name in self.reasons else "no value"
                found[name] = f"{name} is not defined for {read - count} of {plural(read, 'image')}: {reason}"
        return found


def values_of(
    opinions: Sequence[Opinion],
    spec: MetricSpec,
    *,
    jobs: int | None = None,
    step: Callable[[bool], object] | None = None,
    keep: Path | None = None,
) -> Measured:
    """Every pair metric on every image; one that cannot be read is named, and the others are computed.

    Args:
        opinions: of the images.
        spec: of the metrics.
        jobs: worker processes at most; None for one a core.
        step: called after each image with whether an earlier call scored it.
        keep: folder of kept values; None keeps none.

    Raises:
        StoreError: values cannot be written there.
    """
    metrics = spec.make()
    signatures = {m.name: signature_of(m) for m in metrics if isinstance(m, PairMetric)}
    values = {name: np.full(len(opinions), math.nan) for name in signatures}
    shown: dict[str, str] = {}
    reasons: dict[str, Counter[str]] = {}
    problems: dict[str, None] = {}
    noted: set[tuple[Path, str]] = set()
    broken = 0
    pairs = [(opinion.reference, opinion.distorted) for opinion in opinions]
    store = None if keep is None else KeptValues(keep, signatures)
    with closing(_scored(pairs, spec, spec.spellings(metrics), jobs, store)) as work:
        for place, scored in enumerate(work):
            if scored.problem is not None:
                problems[scored.problem] = None
                broken += 1
            for path, own in zip(pairs[place], scored.notes, strict=True):
                noted.update((path, note) for note in own)
            for name, column in values.items():
                score = scored.scores.get(name)
                column[place] = math.nan if score is None else score.value
                if score is not None and not math.isnan(score.value):
                    shown[name] = score.signature
                elif score is not None and "undefined" in score.details:
                    reasons.setdefault(name, Counter())[str(score.details["undefined"])] += 1
            if step is not None:
                step(scored.kept)
    counts = Counter(note for _, note in sorted(noted))
    return Measured(values, shown, list(problems), broken, counts, reasons)


def check_asked(folder: Path, data: OpinionSet, spec: MetricSpec) -> list[Metric]:
    """The metrics, where an agreement can be known; before any image is read.

    Raises:
        InputError: too few opinions or equal ones; or metrics that are asked for by name and compare sets.
        WeightsError, MissingDependencyError, UnknownNameError: one that is asked for by name cannot be had here.
    """
    qualities = [opinion.quality for opinion in data.opinions]
    if len(qualities) < FEWEST:
        rest = "".join(f"; {problem}" for problem in data.problems[:3])
        raise InputError(
            f"{folder}: {plural(len(qualities), 'rated image')} given, {FEWEST} expected for a correlation{rest}"
        )
    if min(qualities) == max(qualities):
        raise InputError(
            f"{folder}: all {len(qualities)} opinions are {abs(qualities[0]):g}, ones that differ expected; nothing "
            "agrees or disagrees with equal opinions"
        )
    if not data.with_images:
        return spec.make()
    faults = Faults()
    metrics = check_metrics(spec, faults)
    sets = [m.name for m in metrics if not isinstance(m, PairMetric) and named_in(spec.names, m.name)]
    if sets:
        compare = "compares" if len(sets) == 1 else "compare"
        faults.found.append(
            InputError(f"{', '.join(sets)} {compare} sets of images, which have no opinion; name metrics of pairs")
        )
    faults.refuse()
    return metrics


def compared(data: OpinionSet, metrics: Sequence[Metric]) -> list[str]:
    """Names of all that has values on a data set: pair metrics where its images are here, and what it publishes."""
    own = [metric.name for metric in metrics if isinstance(metric, PairMetric)] if data.with_images else []
    return [*own, *published_values(data.opinions)]


def sets_left_out(data: OpinionSet, metrics: Sequence[Metric]) -> list[str]:
    """Metrics of a group that compare sets of images, which no opinion is of; none where no image is read at all."""
    return [metric.name for metric in metrics if not isinstance(metric, PairMetric)] if data.with_images else []


def published_values(opinions: Sequence[Opinion]) -> dict[str, Float[np.ndarray, " n"]]:
    """What a data set publishes of metrics, each under "published:" and its key."""
    names = dict.fromkeys(name for opinion in opinions for name in opinion.published)
    return {
        f"{PUBLISHED}{name}": np.array([opinion.published.get(name, math.nan) for opinion in opinions])
        for name in names
    }


def _scored(
    pairs: Sequence[Pair], spec: MetricSpec, spellings: Mapping[str, str], jobs: int | None, store: KeptValues | None
) -> Generator[Scored]:
    """Every pair in order: as it was kept, or else scored now, with the metrics that any of the pairs misses."""
    if store is None:
        yield from score_pairs(pairs, spec, jobs=jobs, sets=False)
        return
    signatures = store.signatures
    known = store.read()
    keys = [key_of(pair) for pair in pairs]
    missing = {name for key in keys for name in signatures if name not in known.get(key, {})}
    names = [spellings[name] for name in signatures if name in missing]
    todo = [pair for pair, key in zip(pairs, keys, strict=True) if missing - set(known.get(key, {}))]
    asked = set(todo)
    work = score_pairs(todo, replace(spec, names=",".join(names)), jobs=jobs, sets=False)
    with store.kept_when_stopped(), closing(work):
        for pair, key in zip(pairs, keys, strict=True):
            old = known.get(key, {})
            if pair not in asked:
                yield Scored(*pair, scores=dict(old), kept=True)
                continue
            scored = next(work)
            if scored.problem is None:
                store.add(key, scored)
            yield replace(scored, scores={**old, **scored.scores})
    store.flush()
