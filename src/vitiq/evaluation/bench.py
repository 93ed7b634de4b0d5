"""`vitiq bench`: a rate-distortion study of any codecs, from options or from a study file (TOML).

images = ["photos"]                          # files and folders, relative to this file
codecs = ["jpeg@10:90:10", "avif[speed=6]@30,50"]
metrics = ["psnr-rgb", "ms-ssim"]
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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vitiq.analysis.anchors import read_anchor, read_anchors
from vitiq.analysis.points import codecs_of
from vitiq.codecs.spec import CodecSpec, RateSpec, parse_codecs
from vitiq.errors import InputError, VitiqError, near_names
from vitiq.evaluation.engine import run_study
from vitiq.evaluation.executors import Workers
from vitiq.evaluation.inputs import find_inputs
from vitiq.evaluation.metric_spec import MetricSpec
from vitiq.evaluation.plan import KEEP, Faults, check_keep, check_metrics, distinct, make_study, read_images, series_of
from vitiq.evaluation.points import choose_label
from vitiq.evaluation.precomputed import precomputed_series, read_precomputed
from vitiq.evaluation.presets import Finished, carry_on, finish
from vitiq.evaluation.progress import Step
from vitiq.evaluation.store import Store
from vitiq.evaluation.study import Series, Study
from vitiq.image.folders import not_there
from vitiq.metrics.base import Metric
from vitiq.metrics.scoring import DEFAULT
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
        anchors: published tables that are compared with.
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


@dataclass(frozen=True)
class Estimate:
    """What a study would do.

    Attributes:
        images, tasks: their numbers.
        seconds: that the tasks would take with the workers; None where nothing was tried.
        files: what would be written: folder -> number of files.
        problems: one line for each input that is not part of it.
    """

    images: int
    tasks: int
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
    if not faults.found:
        with faults.gathered():
            _check_anchor(config, series, others)
    if not config.codecs and not config.precomputed and not faults.found:
        faults.found.append(InputError("nothing to compare; name codecs, as -c jpeg@10:90:10"))
    names = ",".join(",".join(DEFAULT) if n.strip() == "default" else n for n in config.metrics.names.split(","))
    spec = replace(config.metrics, names=names)
    metrics = check_metrics(spec, faults)
    faults.refuse()
    return Checked(tuple(series), tuple(metrics), spec)


def _check_anchor(config: BenchConfig, series: Sequence[Series], others: Sequence[str]) -> None:
    """Refuse an anchor that no curve will be.

    Args:
        others: labels of reconstructions made elsewhere.
    """
    if config.anchor is None:
        return
    own: dict[str, list[str]] = {}
    for one in series:
        own.setdefault(one.codec, []).append(one.label)
    known = list(dict.fromkeys([*(one.label for one in series), *others]))
    known += [f"{label} [published]" if label in known else label for label in codecs_of(read_anchors(config.anchors))]
    choose_label(config.anchor, known, own)


def plan_bench(config: BenchConfig, out: Path, workers: Workers) -> Study:
    """The study of a request; reads every image once.

    Raises:
        InputError: `out` holds files of somebody else's that would be replaced.
        VitiqError: faults of the request, all at once; or no image can be read.
    """
    Store(out).check_free()
    checked = check(config)
    images, problems = read_images(config.images, workers, out)
    if not images:
        raise InputError("no image to run on: " + ("; ".join(problems) or "none was named"))
    series = list(checked.series)
    for text in config.precomputed:
        made, missing = precomputed_series(text, images)
        series.append(made)
        problems += missing
    return make_study(
        images, series, checked.metrics, checked.spec, keep=config.keep, preset="bench", problems=problems
    )


def run_bench(
    study: Study,
    out: Path,
    workers: Workers,
    report: Callable[[Step], None] | None = None,
    *,
    max_failures: int | None = None,
) -> Finished:
    """Do what is missing of a study, and write its tables.

    Raises:
        StoreError: results cannot be written.
        TaskError: too many tasks failed.
        KeyboardInterrupt: stopped, what is done is kept.
    """
    store = Store(out)
    store.begin(study)
    carry_on(run_study(study, store, workers, report, max_failures=max_failures))
    return finish(study, store, workers)


def estimate(config: BenchConfig, out: Path, workers: Workers) -> Estimate:
    """What a study would do, without doing it: its images are counted, one of them is tried.

    Raises:
        VitiqError: faults of the request, all at once; or no image is found.
    """
    Store(out).check_free()
    checked = check(config)
    found = find_inputs(config.images, out)
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
    seconds = _tried(checked, found.files[0][0])
    return Estimate(count, tasks, None if seconds is None else seconds * count / workers.count, files, found.problems)


def _tried(checked: Checked, path: Path) -> float | None:
    """Seconds of all tasks of one image, estimated from one task of each codec; None where none could be tried."""
    from vitiq.evaluation.trial import trial_seconds  # noqa: PLC0415 - only for estimates

    total, tried = 0.0, False
    start = time.monotonic()
    for one in distinct(checked.series):
        if time.monotonic() - start > TRIAL_SECONDS:
            break
        try:
            total += len(one.rates) * trial_seconds(one, path, checked.metrics)
            tried = True
        except VitiqError:
            continue
    return total if tried else None


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
            ",".join(lists["metrics"]) or "default",
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
    return replace(spec, options={**spec.options, **options}, rates=tuple(rates))


def _check_keys(settings: Mapping[str, Any], known: Sequence[str], place: str, faults: Faults) -> None:
    for key in settings:
        if key not in known:
            near = near_names(key, known, most=1)
            hint = f"did you mean {near[0]}?" if near else f"expected {', '.join(known)}"
            faults.found.append(InputError(f"{place}: unknown key {key!r}: {hint}"))


def _checkpoint(text: str, here: Path) -> Path:
    """`PATH`, or `NAME:PATH` of a registered backbone, below a folder."""
    from vitiq.models.backbones import split_name  # noqa: PLC0415 - torch

    name, path = split_name(text)
    return Path(f"{name}:{here / path}") if name else here / path


def _relative(text: str, here: Path) -> str:
    """`LABEL=FOLDER[,SIZES]` with paths below a folder."""
    label, equals, rest = text.partition("=")
    return f"{label}{equals}{','.join(str(here / part) for part in rest.split(','))}" if equals else text
