"""`vitiq bench`: a rate-distortion study of any codecs, from options or from a study file (TOML).

images = ["photos"]                          # files and folders, relative to this file
codecs = ["jpeg@10:90:10", "avif[speed=6]@30,50"]
metrics = ["psnr-rgb", "lpips@weights"]      # the folder is relative to this file
keep = ["bitstreams"]
precomputed = ["VTM=vtm,sizes.csv"]          # reconstructions that were made elsewhere
anchors = ["bpg.json"]                       # published tables to compare with
anchor = "jpeg"                              # curve that BD-rates are relative to

[[codec]]                                    # the same as an entry of `codecs`, in parts
name = "jpeg"
options = { progressive = true }
rates = [10, 20, 30]                         # or bytes = […], or bpp = […]
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from vitiq import registry
from vitiq.analysis.anchors import read_anchor, read_anchors
from vitiq.analysis.labels import beside
from vitiq.analysis.points import RdPoint, codecs_of
from vitiq.codecs.spec import CodecSpec, RateSpec, parse_codecs
from vitiq.errors import InputError, VitiqError, near_names
from vitiq.evaluation.engine import run_study
from vitiq.evaluation.executors import Workers
from vitiq.evaluation.inputs import find_inputs
from vitiq.evaluation.metric_spec import MetricSpec
from vitiq.evaluation.plan import KEEP, Faults, check_keep, check_metrics, distinct, make_study, read_images, series_of
from vitiq.evaluation.points import choose_label
from vitiq.evaluation.precomputed import folder_of, precomputed_series, read_precomputed
from vitiq.evaluation.presets import Finished, carry_on, finish
from vitiq.evaluation.progress import Step
from vitiq.evaluation.published import PublishedPoint, kept_points
from vitiq.evaluation.rows import read_done
from vitiq.evaluation.store import Store
from vitiq.evaluation.study import Series, Study
from vitiq.evaluation.worker import spec_of
from vitiq.image.folders import not_there
from vitiq.metrics.base import Metric
from vitiq.metrics.naming import is_path
from vitiq.metrics.spec import DEFAULT, parse_name, split_names
from vitiq.text import parse_toml, read_text

LISTS = ("images", "codecs", "metrics", "keep", "panel", "precomputed", "anchors")
TEXTS = ("weights", "anchor")
TOML_KEYS = (*LISTS, *TEXTS, "codec")
CODEC_KEYS = ("name", "options", "rates", "bytes", "bpp")
TRIAL_SECONDS = 20.0
"""About how long the trials behind a time estimate may take."""


@dataclass(frozen=True)
class BenchConfig:
    """What is compared.

    Attributes:
        images: files and folders.
        codecs: with their rates.
        precomputed: reconstructions made elsewhere, as `LABEL=FOLDER[,SIZES.csv]`.
        metrics: what scores are made with; "default" stands for the default metrics of pairs.
        keep: files that are kept.
        anchors: published tables that are compared with; the study keeps their points.
        anchor: curve that BD-rates are relative to; None for the first.
    """

    images: tuple[Path, ...]
    codecs: tuple[CodecSpec, ...] = ()
    precomputed: tuple[str, ...] = ()
    metrics: MetricSpec = field(default_factory=MetricSpec)
    keep: tuple[str, ...] = KEEP
    anchors: tuple[Path, ...] = ()
    anchor: str | None = None


@dataclass(frozen=True)
class Checked:
    """A request without faults."""

    series: tuple[Series, ...]
    metrics: tuple[Metric, ...]
    spec: MetricSpec
    anchor: str | None
    published: tuple[PublishedPoint, ...]


@dataclass(frozen=True)
class Estimate:
    """What a study would do.

    Attributes:
        images: their number.
        tasks: that the folder of results does not have yet.
        kept: tasks that it has.
        seconds: that the tasks would take with the workers, encodes counted where only scores are missing; None where
            nothing was tried.
        files: what would be written: folder -> number of files.
        problems: one line for each input that is not part of it.
    """

    images: int
    tasks: int
    kept: int
    seconds: float | None
    files: Mapping[str, int]
    problems: Sequence[str]


def check(config: BenchConfig) -> Checked:
    """Everything that can be wrong with a request, but for the images.

    Raises:
        VitiqError: every fault at once.
    """
    faults = Faults()
    series: list[Series] = []
    for path in config.images:
        if not path.exists():
            faults.found.append(InputError(not_there(path)))
    for codec in config.codecs:
        with faults.gathered():
            series.append(series_of(codec))
    others = []
    for text in config.precomputed:
        with faults.gathered():
            others.append(read_precomputed(text).label)
    for path in config.anchors:
        with faults.gathered():
            read_anchor(path)
    anchor = None
    published: list[RdPoint] = []
    if not faults.found:
        with faults.gathered():
            published = read_anchors(config.anchors)
            taken = [*(one.label for one in series), *others]
            marked = beside(codecs_of(published), taken)
            published = [replace(point, codec=marked[point.codec]) for point in published]
            anchor = _anchor(config.anchor, series, [*others, *marked.values()])
    if not config.codecs and not config.precomputed and not faults.found:
        faults.found.append(InputError("nothing to compare; name codecs, as -c jpeg@10:90:10"))
    names = [name for word in split_names(config.metrics.names) for name in (DEFAULT if word == "default" else (word,))]
    spec = replace(config.metrics, names=",".join(names))
    metrics = check_metrics(spec, faults)
    faults.refuse()
    return Checked(tuple(series), tuple(metrics), spec, anchor, kept_points(published))


def _anchor(asked: str | None, series: Sequence[Series], others: Sequence[str]) -> str | None:
    """Label of the curve that BD-rates are relative to; None where none is asked for.

    Args:
        asked: its label, or the name of its codec.
        others: labels of reconstructions made elsewhere and of published curves.

    Raises:
        InputError: no curve will be the one that is asked for.
    """
    if asked is None:
        return None
    own: dict[str, list[str]] = {}
    for one in series:
        own.setdefault(one.codec, []).append(one.label)
    known = list(dict.fromkeys([*(one.label for one in series), *others]))
    return choose_label(asked, known, own)


def plan_bench(config: BenchConfig, out: Path, workers: Workers) -> Study:
    """The study of a request; reads every image once.

    Raises:
        InputError: `out` holds files of somebody else's that would be replaced.
        VitiqError: faults of the request, all at once; or no image can be read.
    """
    Store(out).check_free()
    checked = check(config)
    images, problems = read_images(config.images, workers, out, [folder_of(text) for text in config.precomputed])
    if not images:
        raise InputError("no image to run on: " + ("; ".join(problems) or "none was named"))
    series = list(checked.series)
    for text in config.precomputed:
        made, missing = precomputed_series(text, images)
        series.append(made)
        problems += missing
    study = make_study(
        images, series, checked.metrics, checked.spec, keep=config.keep, preset="bench", problems=problems
    )
    return replace(study, anchor=checked.anchor, published=checked.published)


def run_bench(
    study: Study,
    out: Path,
    workers: Workers,
    report: Callable[[Step], None] | None = None,
    *,
    max_failures: int | None = None,
    details: bool = True,
) -> Finished:
    """Do what is missing of a study, and write its tables.

    Args:
        details: of the records, as `Store.records` takes it.

    Raises:
        StoreError: results cannot be written.
        TaskError: too many tasks failed.
        KeyboardInterrupt: stopped, what is done is kept.
    """
    store = Store(out)
    store.begin(study)
    carry_on(run_study(study, store, workers, report, max_failures=max_failures))
    return finish(study, store, workers, details=details)


def estimate(config: BenchConfig, out: Path, workers: Workers) -> Estimate:
    """What a study would do, without doing it: its images are counted, or read where there are results; one is tried.

    Raises:
        VitiqError: faults of the request, all at once; or no image is found.
    """
    store = Store(out)
    store.check_free()
    if store.study_names():
        return _rest(plan_bench(config, out, workers), store, workers)
    checked = check(config)
    found = find_inputs(config.images, out, [folder_of(text) for text in config.precomputed])
    if not found.files:
        raise InputError("no image to run on: " + ("; ".join(found.problems) or "none was named"))
    count = len(found.files)
    encodes = count * sum(len(one.rates) for one in distinct(checked.series))
    tasks = encodes + count * len(config.precomputed)
    files = {"records.parquet, records.csv": 2}
    if "bitstreams" in config.keep:
        files["bitstreams"] = encodes
    if "images" in config.keep:
        files |= {"reconstructions": tasks, "originals": count}
    counts = [(one, count * len(one.rates)) for one in distinct(checked.series)]
    seconds = _tried(counts, checked.metrics, found.files[0][0], workers)
    return Estimate(count, tasks, 0, seconds, files, found.problems)


def _rest(study: Study, store: Store, workers: Workers) -> Estimate:
    """What is missing of a study."""
    done = read_done(store.parts, study.signatures)
    left = [task for task in study.tasks() if bytes.fromhex(task.key) not in done.complete]
    new = [task for task in left if bytes.fromhex(task.key) not in done.encoded]
    files = {"records.parquet, records.csv": 2}
    if "bitstreams" in study.keep:
        files["bitstreams"] = sum(study.series[task.series].ready is None for task in new)
    if "images" in study.keep:
        originals = {study.images[task.image].sha256 for task in new}
        files["reconstructions"] = len(new)
        files["originals"] = sum(not store.path("originals", sha256).exists() for sha256 in originals)
    by_series = Counter(task.series for task in left)
    metrics = spec_of(study, study.metrics).make()
    counts = [(one, by_series[place]) for place, one in enumerate(study.series) if one.ready is None]
    seconds = _tried(counts, metrics, Path(study.images[0].path), workers) if left else 0.0
    return Estimate(len(study.images), len(left), len(study) - len(left), seconds, files, study.problems)


def _tried(
    counts: Sequence[tuple[Series, int]], metrics: Sequence[Metric], path: Path, workers: Workers
) -> float | None:
    """Seconds of so many tasks of each codec, estimated from one task of each; None where none could be tried."""
    from vitiq.evaluation.trial import trial_seconds  # noqa: PLC0415 - only for estimates

    total, tried = 0.0, False
    start = time.monotonic()
    for one, count in counts:
        if time.monotonic() - start > TRIAL_SECONDS:
            break
        if not count:
            continue
        try:
            total += count * trial_seconds(one, path, metrics)
            tried = True
        except VitiqError:
            continue
    return total / workers.count if tried else None


def read_study_file(path: Path) -> BenchConfig:
    """A request from a study file; paths in it are relative to it.

    Raises:
        InputError: it cannot be read, or holds what is not expected; every fault at once.
    """
    try:
        settings = parse_toml(read_text(path))
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: no study file that can be read ({said}); TOML is expected") from error
    faults = Faults()
    _check_keys(settings, TOML_KEYS, str(path), faults)
    lists = {}
    for key in TEXTS:
        if not isinstance(settings.get(key, ""), str):
            faults.found.append(InputError(f"{path}: {key} = {settings[key]!r} given, a text expected"))
    for key in LISTS:
        value = settings.get(key, [])
        if not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
            faults.found.append(InputError(f"{path}: {key} = {value!r} given, a list of texts expected"))
            value = []
        lists[key] = value
    codecs: list[CodecSpec] = []
    for text in lists["codecs"]:
        with faults.gathered():
            codecs += parse_codecs(text)
    tables = settings.get("codec", [])
    for table in tables if isinstance(tables, list) else [tables]:
        with faults.gathered():
            codecs.append(_codec(table, path, faults))
    weights = settings.get("weights")
    faults.refuse()
    here = path.parent
    return BenchConfig(
        images=tuple(here / item for item in lists["images"]),
        codecs=tuple(codecs),
        precomputed=tuple(_relative(item, here) for item in lists["precomputed"]),
        metrics=MetricSpec(
            ",".join(_metric(name, here) for text in lists["metrics"] for name in split_names(text)) or "default",
            None if weights is None else _checkpoint(str(weights), here),
            tuple(_checkpoint(item, here) for item in lists["panel"]),
        ),
        keep=check_keep(",".join(lists["keep"]) or "none") if "keep" in settings else KEEP,
        anchors=tuple(here / item for item in lists["anchors"]),
        anchor=settings.get("anchor"),
    )


def _codec(table: Any, path: Path, faults: Faults) -> CodecSpec:
    if not isinstance(table, dict) or not isinstance(table.get("name"), str):
        raise InputError(f"{path}: [[codec]] {table!r} given, a table with a name expected")
    _check_keys(table, CODEC_KEYS, f"{path}: [[codec]] {table['name']}", faults)
    specs = parse_codecs(table["name"])
    if len(specs) != 1:
        raise InputError(
            f"{path}: [[codec]] name = {table['name']!r} names {len(specs)} codecs, one expected; "
            "give each a table of its own"
        )
    spec = specs[0]
    rates = list(spec.rates)
    for key, kind in (("rates", "quality"), ("bytes", "bytes"), ("bpp", "bpp")):
        values = table.get(key, [])
        if not isinstance(values, list) or any(isinstance(v, bool) or not isinstance(v, int | float) for v in values):
            raise InputError(f"{path}: [[codec]] {table['name']}: {key} = {values!r} given, a list of numbers expected")
        rates += [RateSpec(kind, float(value)) for value in values]  # type: ignore[arg-type]
    options = table.get("options", {})
    if not isinstance(options, dict):
        raise InputError(f"{path}: [[codec]] {table['name']}: options = {options!r} given, a table expected")
    own = {field.name for field in fields(registry.load("codecs", spec.name).Options)}
    if spec.filters and (others := [key for key in options if key not in own]):
        key = others[0]
        raise InputError(
            f"{path}: [[codec]] {table['name']}: option {key} given, which codec {spec.name} does not take; options of "
            f'a filter stand in the name: "{spec.name}+{spec.filters[0].name}[{key}={options[key]}]"'
        )
    return replace(spec, options={**spec.options, **options}, rates=tuple(rates))


def _check_keys(settings: Mapping[str, Any], known: Sequence[str], place: str, faults: Faults) -> None:
    for key in settings:
        if key not in known:
            near = near_names(key, known, most=1)
            hint = f"did you mean {near[0]}?" if near else f"expected {', '.join(known)}"
            faults.found.append(InputError(f"{place}: unknown key {key!r}: {hint}"))


def _metric(text: str, here: Path) -> str:
    """A metric; the folder that it names is below another."""
    name = parse_name(text)
    return str(replace(name, setting=str(here / name.setting))) if name.setting and is_path(name) else text


def _checkpoint(text: str, here: Path) -> Path:
    """`PATH`, or `NAME:PATH` of a registered backbone, below a folder; the name of one stays as it is."""
    from vitiq.models.backbones import is_name, split_name  # noqa: PLC0415 - torch

    if is_name(text) and not (here / text).is_file():
        return Path(text)
    name, path = split_name(text)
    return Path(f"{name}:{here / path}") if name else here / path


def _relative(text: str, here: Path) -> str:
    """`LABEL=FOLDER[,SIZES]` with paths below a folder."""
    label, equals, rest = text.partition("=")
    return f"{label}{equals}{','.join(str(here / part) for part in rest.split(','))}" if equals else text
