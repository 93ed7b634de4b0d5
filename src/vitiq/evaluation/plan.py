"""From what a person asks for to a study: every fault is found before work starts, and all are named at once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from vitiq.codecs.identity import identity_of
from vitiq.codecs.spec import CodecSpec
from vitiq.errors import (
    InputError,
    MissingDependencyError,
    PluginError,
    SettingError,
    UnknownNameError,
    VitiqError,
    WeightsError,
)
from vitiq.evaluation.executors import Workers
from vitiq.evaluation.inputs import find_inputs, read_inputs
from vitiq.evaluation.metric_spec import MetricSpec
from vitiq.evaluation.study import Series, Study, StudyImage, readable
from vitiq.metrics.base import Metric, PairMetric
from vitiq.metrics.guards import checked_signature
from vitiq.metrics.naming import check_commas
from vitiq.metrics.scoring import resolve_metrics, signature_of
from vitiq.metrics.spec import named_in, split_names
from vitiq.types import RateKind
from vitiq.workers import ordered, parts_of

IMAGES_A_BATCH = 8
READ_SECONDS = 0.1
"""About what reading an image takes."""
KEEP = ("bitstreams", "images")


class Faults:
    """Faults of a study, gathered so that all are named at once."""

    def __init__(self) -> None:
        self.found: list[VitiqError] = []

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """A fault inside is kept, and what follows the block is run."""
        try:
            yield
        except VitiqError as error:
            self.found.append(error)

    def refuse(self) -> None:
        """Raise what was found.

        Raises:
            VitiqError: the fault, if there is one; an InputError that numbers them, if there are more.
        """
        if len(self.found) == 1:
            raise self.found[0]
        if self.found:
            lines = " ".join(f"({number}) {error}" for number, error in enumerate(self.found, 1))
            usage = all(isinstance(error, SettingError | UnknownNameError) for error in self.found)
            kind = SettingError if usage else InputError
            raise kind(f"{len(self.found)} problems, nothing was started: {lines}")


def series_of(
    spec: CodecSpec,
    *,
    rates: Sequence[tuple[RateKind, float]] | None = None,
    group: str = "series",
    nearest: bool = False,
    own_targets: bool = False,
) -> Series:
    """The series of a codec as it is written.

    Args:
        rates: None for those of the spec, or where it has none, for the codec's own ladder.
        own_targets: each image has a number of bytes of its own, which are known later.

    Raises:
        UnknownNameError, InputError, WeightsError: no such codec, option, quality or weights.
        MissingDependencyError: a program or package that the codec needs is not found.
    """
    codec = spec.make()
    codec.check_ready([rate.value for rate in spec.rates if rate.kind == "quality"])
    if rates is None:
        rates = [(rate.kind, rate.value) for rate in spec.rates] or [("quality", float(q)) for q in codec.qualities]
    fields = asdict(spec) | {"rates": ()}
    return Series(
        codec=codec.name,
        spec=json.dumps(fields, sort_keys=True, default=str),
        label=codec.label(),
        title=codec.title,
        extension=codec.extension,
        optimises=codec.optimises,
        identity=json.loads(json.dumps(identity_of(codec), default=str)),
        rates=() if own_targets else tuple((kind, float(value)) for kind, value in rates),
        group=group,
        nearest=nearest,
        targets={} if own_targets else None,
    )


def check_keep(text: str) -> tuple[str, ...]:
    """The kinds of files that `--keep` names.

    Raises:
        InputError: another word.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    if words == ["none"]:
        return ()
    if not words or set(words) - set(KEEP):
        raise InputError(f"--keep {text!r} given; expected {', '.join(KEEP)} (or both with a comma), or none")
    return tuple(word for word in KEEP if word in words)


def check_metrics(spec: MetricSpec, faults: Faults) -> list[Metric]:
    """The metrics; those asked for by name must be at hand, others that cannot be had here are left undefined.

    Faults are unknown names, and metrics whose weights or packages are not found.
    """
    metrics: list[Metric] = []
    count = len(faults.found)
    with faults.gathered():
        check_commas(split_names(spec.names))
    for name in split_names(spec.names) if len(faults.found) == count else ():
        with faults.gathered():
            resolve_metrics([name])
    for path in (spec.weights, *spec.panel):
        with faults.gathered():
            MetricSpec(weights=path, device=spec.device).backbone()
    if len(faults.found) == count:
        with faults.gathered():
            metrics = spec.make()
    for metric in metrics:
        if named_in(spec.names, metric.name):
            with faults.gathered():
                _check_at_hand(metric)
    return metrics


def _check_at_hand(metric: Metric) -> None:
    """Try a metric; of sets, no more than what it reads images with.

    Raises:
        WeightsError, MissingDependencyError, PluginError: it cannot be had here, or fails on whatever it is given.
    """
    blank = np.full((96, 96, 3), 128, np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, blank.shape, np.uint8)
    try:
        if isinstance(metric, PairMetric):
            metric(blank, blank)
        else:
            checked_signature(metric)
    except (WeightsError, MissingDependencyError):
        raise
    except PluginError:
        if not isinstance(metric, PairMetric):
            raise
        try:  # a flat image may be the reason
            metric(noise, 255 - noise)
        except PluginError:
            raise
        except VitiqError:
            return
    except VitiqError:
        return  # the grey image's own fault


def read_images(
    paths: Sequence[Path], workers: Workers, out: Path | None = None, others: Sequence[Path] = ()
) -> tuple[list[StudyImage], list[str]]:
    """Every image of files and folders, read once for its pixels' sha256, and one line for each that cannot be read.

    Args:
        out: folder of results, which is never read.
        others: as for `find_inputs`.
    """
    found = find_inputs(paths, out, others)
    workers = workers.suited(len(found.files) * READ_SECONDS)
    parts = parts_of(found.files, max(1, min(IMAGES_A_BATCH, len(found.files) // (2 * workers.count))))
    images: list[StudyImage] = []
    problems = list(found.problems)
    read = ordered(workers, read_inputs, parts, lambda file, said: f"{readable(file[0])}: {said}")
    for image in read:
        if isinstance(image, StudyImage):
            images.append(image)
        else:
            problems.append(image)
    return images, problems


def distinct(series: Iterable[Series]) -> Iterator[Series]:
    """Each codec once, with all its rates: one that is asked for twice would count its images twice in every mean."""
    found: dict[tuple[object, ...], Series] = {}
    for one in series:
        plain = one.targets is None and one.ready is None
        key = (one.digest, one.group, one.nearest, one.label, () if plain else one.rates)
        rates = (*found[key].rates, *one.rates) if plain and key in found else one.rates
        found[key] = replace(one, rates=tuple(dict.fromkeys(rates)))
    yield from found.values()


def make_study(
    images: Sequence[StudyImage],
    series: Iterable[Series],
    metrics: Sequence[Metric],
    spec: MetricSpec,
    *,
    keep: tuple[str, ...] = KEEP,
    preset: str = "bench",
    maps: bool = False,
    problems: Sequence[str] = (),
) -> Study:
    """A study of what was read and checked; a series or a rate that is given twice counts once.

    Args:
        metrics: what `spec` makes.
    """
    spellings = spec.spellings(metrics)
    return Study(
        images=tuple(images),
        series=tuple(distinct(series)),
        metrics=tuple(metric.name for metric in metrics),
        signatures={metric.name: signature_of(metric) for metric in metrics if isinstance(metric, PairMetric)},
        spellings={name: asked for name, asked in spellings.items() if asked != name},
        required=tuple(dict.fromkeys(metric.name for metric in metrics if named_in(spec.names, metric.name))),
        weights=None if spec.weights is None else str(spec.weights),
        panel=tuple(map(str, spec.panel)),
        keep=keep,
        preset=preset,
        maps=maps and any(metric.kind == "semantic" for metric in metrics),
        problems=tuple(problems),
        device=spec.device,
    )
