"""Two sets of images that need no partners, as generative models are compared; either may be a statistics file."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vitiq.errors import InputError
from vitiq.evaluation.image_files import ImageFiles
from vitiq.evaluation.inputs import read_noted
from vitiq.evaluation.metric_spec import MetricSpec
from vitiq.evaluation.pairs import coded as coded_kind
from vitiq.evaluation.pairs import without_copies
from vitiq.evaluation.scoring import in_order
from vitiq.files import same_file
from vitiq.image.folders import find_images
from vitiq.metrics.base import Metric, SetMetric
from vitiq.metrics.guards import UNDEFINED, undefined
from vitiq.metrics.scoring import score_whole_sets
from vitiq.metrics.sets.measures import Fid
from vitiq.metrics.sets.moments import Moments, RunningMoments, Statistics, load_statistics, save_statistics
from vitiq.metrics.sets.rows import RowGatherer, RowMetric, RowsByKey, rows_of
from vitiq.text import plural
from vitiq.types import ImageU8, Score

log = logging.getLogger("vitiq")
log.addHandler(logging.NullHandler())
"""Says once what was passed over; the program shows it on standard error."""

STATISTICS = ".npz"
Side = Path | Sequence[ImageU8]
"""A set: a folder or a statistics file, or images."""
DEFAULT = "fid"
"""Metric where none is named, of statistics files that name none."""


def unheard(count: int) -> None:
    """What is called where nobody follows the work."""


@dataclass(frozen=True, slots=True)
class SetScores:
    """Scores of two sets, and one line for each thing that went wrong."""

    scores: dict[str, Score]
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Read:
    """Rows of one image, or why there are none; notes of what reading it changed."""

    rows: RowsByKey
    problem: str | None = None
    notes: tuple[str, ...] = ()


def read_rows(paths: Sequence[Path], metrics: Sequence[Metric]) -> list[Read]:
    """Rows of image files."""
    results = []
    for path in paths:
        try:
            image, notes = read_noted(path)
            results.append(Read(rows_of(image, metrics), notes=notes))
        except InputError as error:
            results.append(Read({}, str(error)))
    return results


def lost_rows(path: Path, said: str) -> Read:
    """What is known of an image whose worker was killed."""
    return Read({}, f"{path}: {said}")


def need_no_pairs(metrics: Sequence[Metric]) -> bool:
    """True where every metric compares whole sets, whatever the order of their images."""
    return bool(metrics) and all(
        isinstance(metric, SetMetric) and not (isinstance(metric, RowMetric) and metric.paired) for metric in metrics
    )


def images_of(folder: Path, problems: list[str], other: Path | None = None) -> list[Path]:
    """Image files and compressed files (.viq, and those of plug-ins) below a folder, sorted; without the `other` in it.

    Copies are passed over, as in `without_copies`: an image would count twice.

    Raises:
        InputError: no such folder, or a file.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "no such folder"
        raise InputError(f"{folder}: {what}; expected a folder of images or a statistics file ({STATISTICS})")
    kind = coded_kind()
    found = find_images([folder], also=kind, leave_out=lambda inner: other is not None and same_file(inner, other))
    for line in found.skipped:
        log.warning("%s", line)
    problems += found.problems
    return [image.path for image in without_copies(found.images, folder, kind)]


def score_sets_of(
    reference: Side,
    distorted: Side,
    spec: MetricSpec,
    *,
    jobs: int | None = None,
    step: Callable[[int], object] = unheard,
) -> SetScores:
    """Every metric of `spec` on two sets.

    Args:
        reference, distorted: a folder, all images below it; a statistics file; or images.
        step: called with the number of images in all, before the first and after each.

    Raises:
        InputError: a folder that does not exist, or a statistics file with a metric that cannot use it.
    """
    sides = (reference, distorted)
    if any(_is_statistics(side) for side in sides):
        return _with_statistics(sides, spec, jobs, step)
    metrics = spec.make()
    _check_weights(metrics)
    problems: list[str] = []
    others = [side if isinstance(side, Path) else None for side in reversed(sides)]
    folders = [
        images_of(side, problems, other) if isinstance(side, Path) else []
        for side, other in zip(sides, others, strict=True)
    ]
    gatherer = RowGatherer(metrics)
    for number, side in enumerate(sides):
        for image in () if isinstance(side, Path) else side:
            gatherer.add(*_on_side(number, rows_of(image, metrics)))
    both = [*folders[0], *folders[1]]
    noted: list[Counter[str]] = [Counter(), Counter()]
    readable: tuple[list[Path], list[Path]] = ([], [])
    step(len(both))
    for index, read in enumerate(in_order(read_rows, both, spec, lost_rows, jobs)):
        step(len(both))
        number = int(index >= len(folders[0]))
        noted[number].update(read.notes)
        if read.problem is not None:
            problems.append(read.problem)
            continue
        readable[number].append(both[index])
        gatherer.add(*_on_side(number, read.rows))
    left, right = (
        ImageFiles(paths) if isinstance(side, Path) else side for side, paths in zip(sides, readable, strict=True)
    )
    scores = gatherer.scores() | score_whole_sets(left, right, metrics)
    for side, counts in zip(sides, noted, strict=True):
        if isinstance(side, Path):
            _say_notes(side, counts)
    return SetScores({metric.name: scores[metric.name] for metric in metrics if metric.name in scores}, problems)


def _say_notes(folder: Path, noted: Counter[str]) -> None:
    """A line a change that reading a folder's images made, not one an image: sets have thousands."""
    for note, count in noted.items():
        log.warning("%s: %s: %s", folder, plural(count, "image"), note)


def statistics_of(
    folder: Path, spec: MetricSpec, *, jobs: int | None = None, step: Callable[[int], object] = unheard
) -> tuple[Statistics, list[str]]:
    """Mean and covariance of the features of all images below a folder, in constant memory, and what went wrong.

    Args:
        spec: names one metric with a Fréchet distance, whose features are taken.
        step: called with the number of images in all, before the first and after each.

    Raises:
        InputError: another metric, no such folder, or fewer than two images.
        WeightsError: the network's weights are not found.
    """
    metric = _frechet(spec)
    key, problems = metric.rows_key(), list[str]()
    paths = images_of(folder, problems)
    running, noted = RunningMoments(), Counter[str]()
    step(len(paths))
    for read in in_order(read_rows, paths, spec, lost_rows, jobs):
        step(len(paths))
        noted.update(read.notes)
        rows = read.problem if read.problem is not None else read.rows[key]
        if isinstance(rows, str):
            problems.append(rows)
        else:
            running.add(rows)
    _say_notes(folder, noted)
    try:
        return Statistics(running.result(), key, metric.name), problems
    except InputError as error:
        raise InputError("; ".join([f"{folder}: {error}", *problems])) from error


def _on_side(number: int, rows: RowsByKey) -> tuple[RowsByKey, RowsByKey]:
    """Rows of an image of the first set (0) or the second (1), and none of the other."""
    return (rows, {}) if number == 0 else ({}, rows)


def write_statistics(
    folder: Path, out: Path, spec: MetricSpec, *, jobs: int | None = None, step: Callable[[int], object] = unheard
) -> tuple[Statistics, list[str]]:
    """Write the statistics of a folder to a file that scoring takes in its place; as `statistics_of`."""
    statistics, problems = statistics_of(folder, spec, jobs=jobs, step=step)
    save_statistics(out, statistics)
    return statistics, problems


def _is_statistics(side: Side) -> bool:
    return isinstance(side, Path) and side.suffix == STATISTICS


def _with_statistics(
    sides: tuple[Side, Side], spec: MetricSpec, jobs: int | None, step: Callable[[int], object]
) -> SetScores:
    files = [side for side in sides if isinstance(side, Path) and _is_statistics(side)]
    loaded = {file: load_statistics(file) for file in files}
    metric = _frechet(spec)
    for file, statistics in loaded.items():
        if statistics.key and statistics.key != metric.rows_key():
            raise InputError(
                f"{file}: holds statistics of {statistics.key} (made for {statistics.metric}), {metric.name} needs "
                f"{metric.rows_key()}; score with -m {statistics.metric}, or make the file again"
            )
    moments: list[Moments] = []
    problems: list[str] = []
    for side in sides:
        if not isinstance(side, Path):
            moments.append(RunningMoments(metric.rows(image) for image in side).result())
        elif side in loaded:
            moments.append(loaded[side].moments)
        else:
            statistics, wrong = statistics_of(side, spec, jobs=jobs, step=step)
            moments.append(statistics.moments)
            problems += wrong
    try:
        score = metric.of_moments(*moments)
    except UNDEFINED as error:
        score = undefined(metric, error)
    return SetScores({metric.name: score}, problems)


def metric_of_statistics(sides: Sequence[Path]) -> str:
    """The metric that statistics files among `sides` were made for, else `DEFAULT`."""
    made_for = [load_statistics(side).metric for side in sides if side.suffix == STATISTICS]
    return next((name for name in made_for if name), DEFAULT)


def _check_weights(metrics: Sequence[Metric]) -> None:
    """Raises at once where no metric at all can read an image because its weights are missing."""
    errors = []
    for metric in metrics:
        try:
            metric.signature()
        except UNDEFINED as error:
            errors.append(error)
    if len(errors) == len(metrics):
        raise errors[0]


def _frechet(spec: MetricSpec) -> Fid:
    metrics = spec.make()
    if len(metrics) != 1 or not isinstance(metrics[0], Fid):
        raise InputError(
            f"metrics {spec.names!r} given, statistics serve one Fréchet distance: fid, fid-vit, patch-fid-vit, …"
        )
    return metrics[0]
