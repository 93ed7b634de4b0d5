"""`vitiq run`: a codec against others at the bytes of its own file, as a study in two passes.

The first pass makes the main codec's files; they set the sizes that the second pass compares the others at. Where a
number of bytes is given, there is one pass. The "thesis" preset is the published experiment: a search for a latent
vector, and a ladder of JPEG qualities beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vitiq.codecs.defaults import COMPARATORS, LADDER, LADDER_QUALITIES
from vitiq.codecs.spec import CodecSpec, RateSpec, on_device, parse_codec, parse_codecs, with_options
from vitiq.errors import InputError, SettingError
from vitiq.evaluation.engine import Outcome, run_study
from vitiq.evaluation.executors import Workers
from vitiq.evaluation.metric_spec import MetricSpec
from vitiq.evaluation.plan import KEEP, Faults, check_metrics, make_study, read_images, series_of
from vitiq.evaluation.progress import GUESS, Step
from vitiq.evaluation.record import Record
from vitiq.evaluation.rows import write_tables
from vitiq.evaluation.schema import MAIN, MAIN_APART
from vitiq.evaluation.series_sets import set_scores
from vitiq.evaluation.store import Store
from vitiq.evaluation.study import Series, Study, readable
from vitiq.text import plural
from vitiq.types import RateKind, Score


@dataclass(frozen=True)
class RunConfig:
    """What `vitiq run` compares.

    Attributes:
        codec: the codec that sets the size, as it is written.
        options: further options of it.
        rate: of it; None for its default.
        comparators: codecs compared at equal bytes, as they are written; the main codec itself is one of them where
            `at_bytes` is given, else it is left out.
        at_bytes: bytes to compare at; None for the size of the main codec's file.
        ladder: codecs at qualities of their own besides.
        metrics: what scores are made with.
        preset: "run" or "thesis".
        keep: files that are kept.
        device: where networks of codecs run.
    """

    codec: str
    options: dict[str, Any] = field(default_factory=dict)
    rate: RateSpec | None = None
    comparators: str = ",".join(COMPARATORS)
    at_bytes: int | None = None
    ladder: tuple[tuple[str, tuple[float, ...]], ...] = ()
    metrics: MetricSpec = field(default_factory=MetricSpec)
    preset: str = "run"
    keep: tuple[str, ...] = KEEP
    device: str = "cpu"


THESIS_LADDER = ((LADDER, tuple(map(float, LADDER_QUALITIES))),)
"""The ladder of the thesis."""


@dataclass(frozen=True)
class Finished:
    """A study that was run: records in order, scores of sets by series and metric, a line for each thing gone wrong."""

    study: Study
    records: list[Record]
    sets: dict[str, dict[str, Score]]
    problems: list[str]

    def __repr__(self) -> str:
        failed = sum(record.error is not None for record in self.records)
        counts = [
            plural(len(self.records), "record") + (f" ({failed} failed)" if failed else ""),
            plural(len({record.image for record in self.records}), "image"),
            plural(len({record.label for record in self.records}), "codec"),
            plural(len(self.problems), "problem"),
        ]
        return f"<vitiq study: {', '.join(counts)}>"


def run_preset(
    config: RunConfig,
    paths: Sequence[Path],
    out: Path,
    workers: Workers,
    report: Callable[[Step], None] | None = None,
    *,
    details: bool = True,
) -> Finished:
    """Compress, rebuild and score images; what `out` has already is not done again.

    Args:
        details: as `finish` takes it.

    Raises:
        VitiqError: faults of the request, before any work; or no image could be compressed.
        KeyboardInterrupt: stopped, what is done is kept.
    """
    store = Store(out)
    store.check_free()
    faults = Faults()
    main: Series | None = None
    again: list[Series] = []
    with faults.gathered():
        spec = on_device(with_options(parse_codec(config.codec), config.options), config.device)
        group = MAIN if config.at_bytes is None else MAIN_APART
        main = series_of(spec, rates=[_main_rate(spec, config.rate)], group=group)
        again = [] if config.at_bytes is None else [_equal_bytes(spec)]
    others = list(again)
    with faults.gathered():
        compared = parse_codecs(config.comparators) if config.comparators.strip(", ") else []
        for other in compared:
            with faults.gathered():
                placed = on_device(other, config.device)
                series = _equal_bytes(placed)
                if main is None or series.digest != main.digest:
                    others.append(series)
    waiting = len(others) if config.at_bytes is None else 0
    for text, qualities in config.ladder:
        with faults.gathered():
            others.append(series_of(parse_codec(text), rates=[("quality", q) for q in qualities], group="ladder"))
    metrics = check_metrics(config.metrics, faults)
    faults.refuse()
    images, problems = read_images(paths, workers, out)
    if not images or main is None:
        raise InputError("no image to run on: " + ("; ".join(problems) or "none was named"))
    study = make_study(
        images,
        [main, *others],
        metrics,
        config.metrics,
        keep=config.keep,
        preset=config.preset,
        maps=True,
        problems=problems,
    )
    if config.at_bytes is not None:
        study = _at(study, dict.fromkeys((image.name for image in images), config.at_bytes))
    store.begin(study)
    shown = _Shown(report, waiting * len(images))
    carry_on(run_study(study, store, workers, shown.first))
    if config.at_bytes is None:
        made = [record for record in store.records(study, details=False) if record.details["group"] == MAIN]
        study = _at(study, {record.image: record.bytes for record in made if record.error is None})
        store.save(study)
        carry_on(run_study(study, store, workers, shown.second))
    finished = finish(study, store, workers, details=details)
    if not any(record.details["group"] in {MAIN, MAIN_APART} and record.error is None for record in finished.records):
        raise InputError(f"no image could be compressed with {config.codec}: " + "; ".join(finished.problems))
    return finished


def finish(
    study: Study,
    store: Store,
    workers: Workers,
    step: Callable[[str], object] | None = None,
    *,
    details: bool = True,
) -> Finished:
    """Tables for people, scores of sets, and what went wrong.

    Args:
        details: of the records, as `Store.records` takes it.

    Raises:
        StoreError: they cannot be written.
    """
    sets = set_scores(study, store, workers, step)
    write_as_last(study, store)
    records = store.records(study, details=details)
    paths = {image.name: readable(image.path) for image in study.images}
    failed = dict.fromkeys(f"{paths[r.image]}: {r.codec}: {r.failure}" for r in records if r.failure is not None)
    return Finished(study, records, sets, [*study.problems, *failed])


def write_as_last(study: Study, store: Store) -> None:
    """Tables for people, of a study that is the last one from now on: another that began after it in the same folder
    may have ended before. In a folder that takes no files, what is there stays.

    Raises:
        StoreError: they cannot be written.
    """
    if store.is_writable():
        store.note_last(study)
        write_tables(store.parts, study, store.out)


def carry_on(outcome: Outcome) -> None:
    """Nothing, or the end of a command whose study was stopped.

    Raises:
        KeyboardInterrupt: it was.
    """
    if outcome.stopped is not None:
        raise KeyboardInterrupt(outcome.stopped)


def _main_rate(spec: CodecSpec, rate: RateSpec | None) -> tuple[RateKind, float]:
    """The rate of the main codec: what is asked for, else the spec's one, else its default quality.

    Raises:
        InputError: a quality that the codec does not take, or more than one rate.
    """
    if len(spec.rates) > 1 or (spec.rates and rate is not None):
        raise SettingError(f"{spec.name}: one rate expected; compare several with `vitiq bench`")
    chosen = rate or next(iter(spec.rates), None)
    codec = replace(spec, rates=() if chosen is None else (chosen,)).make()
    return ("quality", float(codec.default_quality)) if chosen is None else (chosen.kind, chosen.value)


def _equal_bytes(spec: CodecSpec) -> Series:
    """A codec at sizes that are set later."""
    return series_of(spec, group="equal-bytes", nearest=True, own_targets=True)


def _at(study: Study, targets: dict[str, int]) -> Study:
    """The study with sizes for the series that wait for them."""
    series = tuple(one if one.targets is None else replace(one, targets=targets) for one in study.series)
    return replace(study, series=series)


@dataclass
class _Shown:
    """Progress of both passes as of one: the second does what waits for the sizes that the first finds.

    Args:
        report: called at each step, if at all.
        more: tasks of the second pass.
    """

    report: Callable[[Step], None] | None
    more: int
    spent: float = 0.0

    def first(self, step: Step) -> None:
        """Counts the tasks of the second pass, which search nothing, to those of the first."""
        self.spent = step.spent
        if self.report is not None:
            self.report(replace(step, total=step.total + self.more, rest=step.rest + self.more * GUESS))

    def second(self, step: Step) -> None:
        """Counts the work of the first pass to that of the second."""
        if self.report is not None:
            self.report(replace(step, spent=self.spent + step.spent))
