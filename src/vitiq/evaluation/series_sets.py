"""Metrics of whole sets (FID, KID, …) for the series of a study: originals against what each series made of them.

The rows of each image are gathered by the workers, those of an original once for all series. A series' scores are kept
beside the study, keyed by the files that they come from, so that they are not computed twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypedDict

import msgspec

from vitiq.errors import PluginError
from vitiq.evaluation.executors import Workers
from vitiq.evaluation.image_files import ImageFiles
from vitiq.evaluation.metric_spec import MetricSpec
from vitiq.evaluation.store import Store
from vitiq.evaluation.study import Study, sha256_of
from vitiq.evaluation.worker import metrics_of, spec_of
from vitiq.image.io import read_image
from vitiq.metrics.base import SetMetric
from vitiq.metrics.guards import UNDEFINED, undefined
from vitiq.metrics.scoring import from_json, read_whole_sets, score_whole_sets, signature_of, to_json
from vitiq.metrics.sets.rows import RowGatherer, RowMetric, RowsByKey, rows_of
from vitiq.text import parse_json
from vitiq.types import Score
from vitiq.workers import ordered, parts_of

FILES_A_BATCH = 8
Sides = tuple[Sequence[Path], Sequence[Path]]
"""Originals, and what was made of them."""
ROWS_SECONDS = 0.2
"""About what the rows of an image take."""


def set_scores(
    study: Study, store: Store, workers: Workers, step: Callable[[str], object] | None = None
) -> dict[str, dict[str, Score]]:
    """Scores of sets by name of the set: the label of a series, with its rate where the series has several.

    Rate ladders of a run have none: a set is what a reader would compare. Images that failed are left out.
    """
    names = [name for name in study.metrics if name not in study.signatures]
    spec = spec_of(study, names)
    if not names:
        return {}
    metrics = [metric for metric in metrics_of(spec) if isinstance(metric, SetMetric)]
    if not metrics:
        return {}
    path = store.out / "studies" / f"{study.name}.sets.json"
    known = _known(path)
    originals: dict[str, RowsByKey] = {}
    lost: list[Path] = []
    signatures = [signature_of(metric) for metric in metrics]
    sets = _sets(study, store)
    keys = {name: sha256_of([signatures, [rebuilt.stem for _, rebuilt in files]]) for name, files in sets.items()}
    found = {name: known[name] for name, key in keys.items() if name in known and known[name]["key"] == key}
    for name, files in sets.items():
        if name in found:
            continue
        if step is not None:
            step(name)
        gatherer = RowGatherer(metrics)
        new = [original for original, _ in files if original.stem not in originals]
        for original, rows in zip(new, _rows(new, spec, workers, lost), strict=True):
            originals[original.stem] = rows
        rebuilt = _rows([item for _, item in files], spec, workers, lost)
        for (original, _), rows in zip(files, rebuilt, strict=True):
            gatherer.add(originals[original.stem], rows)
        found_scores = gatherer.scores() | _whole_scores(files, spec, metrics, workers, lost)
        scores = {m.name: to_json(found_scores[m.name]) for m in metrics if m.name in found_scores}
        # What a killed worker left out is tried again by the next command.
        found[name] = {"key": "" if lost else keys[name], "scores": scores}
        found = {name: found[name] for name in sets if name in found}
        store.write_json(path, found)
    return _scores(found)


def kept_scores(study: Study, store: Store) -> dict[str, dict[str, Score]]:
    """What `set_scores` kept beside a study."""
    return _scores(_known(store.out / "studies" / f"{study.name}.sets.json"))


def _scores(found: Mapping[str, _Kept]) -> dict[str, dict[str, Score]]:
    return {name: {key: from_json(score) for key, score in kept["scores"].items()} for name, kept in found.items()}


def read_set_scores(study: Study, store: Store) -> dict[str, dict[str, Any]]:
    """As `kept_scores`, as JSON values."""
    return {name: value["scores"] for name, value in _known(store.out / "studies" / f"{study.name}.sets.json").items()}


class _Kept(TypedDict):
    """What is kept of a set: the key that it was scored under, and score by metric."""

    key: str
    scores: dict[str, dict[str, Any]]


def _known(path: Path) -> Mapping[str, _Kept]:
    try:
        found = msgspec.convert(parse_json(path.read_text(encoding="utf-8")), dict[str, _Kept])
        _scores(found)
    except (OSError, ValueError, KeyError, TypeError, msgspec.ValidationError):
        return {}  # damaged: scored again
    return found


def _sets(study: Study, store: Store) -> dict[str, list[tuple[Path, Path]]]:
    """Original and reconstruction of every image, by name of the set."""
    found: dict[str, list[tuple[Path, Path]]] = defaultdict(list)
    for task in study.tasks():
        series, image = study.series[task.series], study.images[task.image]
        original, rebuilt = store.path("originals", image.sha256), store.path("reconstructions", task.key)
        if series.group == "ladder" or not (original.exists() and rebuilt.exists()):
            continue
        several = len(series.rates) > 1 or series.ready is not None
        name = f"{series.label} @{task.kind}={task.value:g}" if several else series.label
        found[name].append((original, rebuilt))
    return found


def _rows(paths: Sequence[Path], spec: MetricSpec, workers: Workers, lost: list[Path]) -> Iterator[RowsByKey]:
    """Rows of images in order; of one whose worker was killed, the reason, and its path in `lost`."""

    def without(path: Path, said: str) -> RowsByKey:
        lost.append(path)
        found: RowsByKey = {}
        for metric in metrics_of(spec):
            with suppress(*UNDEFINED):
                found |= {metric.rows_key(): f"{path}: {said}"} if isinstance(metric, RowMetric) else {}
        return found

    workers = workers.suited(len(paths) * ROWS_SECONDS)
    return ordered(workers, partial(rows_of_files, spec), parts_of(paths, FILES_A_BATCH), without)


def _whole_scores(
    files: Sequence[tuple[Path, Path]],
    spec: MetricSpec,
    metrics: Sequence[SetMetric],
    workers: Workers,
    lost: list[Path],
) -> dict[str, Score]:
    """Scores of the metrics that are given all images of a set, by a worker; where it was killed, the reason."""
    whole = read_whole_sets(metrics)
    if not whole:
        return {}

    def without(sides: Sides, said: str) -> dict[str, Score]:
        lost.extend(sides[1])
        return {metric.name: undefined(metric, PluginError(said)) for metric in whole}

    sides = [original for original, _ in files], [rebuilt for _, rebuilt in files]
    workers = workers.suited(len(files) * ROWS_SECONDS)
    (scores,) = ordered(workers, partial(whole_scores_of_files, spec), [[sides]], without)
    return scores


def whole_scores_of_files(spec: MetricSpec, sets: Sequence[Sides]) -> list[dict[str, Score]]:
    """Scores of sets by the metrics that are given all images, for a worker."""
    metrics = metrics_of(spec)
    return [score_whole_sets(ImageFiles(left), ImageFiles(right), metrics) for left, right in sets]


def rows_of_files(spec: MetricSpec, paths: Sequence[Path]) -> list[RowsByKey]:
    """Rows of images, for a worker."""
    metrics = metrics_of(spec)
    return [rows_of(read_image(path), metrics) for path in paths]
