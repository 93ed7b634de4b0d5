"""Rate-distortion points from what people have: folders of studies, and published tables beside them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from vitiq import registry
from vitiq.analysis.anchors import aligned, read_anchors
from vitiq.analysis.comparison import Comparison, Settings, compare_tables
from vitiq.analysis.labels import beside, distinct_labels
from vitiq.analysis.points import RdPoint, codecs_of, gather, metrics_of, points_of
from vitiq.codecs.spec import parse_codec
from vitiq.errors import InputError, UnknownNameError, VitiqError
from vitiq.evaluation.independence import dependent_scores
from vitiq.evaluation.record import Record
from vitiq.evaluation.store import Store
from vitiq.metrics.spec import base_of, parse_name, split_names


@dataclass(frozen=True, slots=True)
class Gathered:
    """Points of several sources.

    Attributes:
        points: all of them.
        labels: registered name of a codec -> labels of its curves.
        problems: one line for each source whose tasks failed in part.
        dependent: label -> metrics scored by a network that the codec was optimised against, or a relative of it.
    """

    points: tuple[RdPoint, ...]
    labels: Mapping[str, tuple[str, ...]]
    problems: tuple[str, ...] = ()
    dependent: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def is_independent(self, metric: str, *labels: str) -> bool:
        """Whether no curve was optimised against the network that gives a metric's scores, or a relative of it."""
        return not any(metric in self.dependent.get(label, ()) for label in labels)

    def label(self, name: str) -> str:
        """The curve that a person means: its label, whatever the case, or the name of its codec where it has one curve.

        Raises:
            InputError: no such curve, or several.
        """
        return choose_label(name, codecs_of(self.points), self.labels)

    def metrics(self, names: str | None) -> dict[str, bool]:
        """Name of each metric asked for -> whether higher is better.

        Args:
            names: with commas; None for those of `COMPARED` that the points have, or else all that have a direction.

        Raises:
            InputError: no point has one of them.
            UnknownNameError: a metric whose direction is not known.
        """
        present = metrics_of(self.points)
        if names is None:
            chosen = [name for name in COMPARED if name in present] or list(filter(_has_direction, present))
        else:
            given = split_names(names)
            chosen = list(dict.fromkeys(name if name in present else str(parse_name(name)) for name in given))
        missing = [name for name in chosen if name not in present]
        if missing or not chosen:
            raise InputError(
                f"metric {', '.join(missing) or 'none'} given; the points have {', '.join(present) or 'none'}"
            )
        return {name: higher_is_better(name) for name in chosen}

    def compared(
        self, anchor: str, metrics: Mapping[str, bool], codecs: Sequence[str] = (), how: Settings | None = None
    ) -> list[Comparison]:
        """Every curve against one, metric by metric: BD-rates of the mean curves and of the images, with intervals.

        Args:
            anchor: label.
            metrics: name -> whether higher is better.
            codecs: labels; () for all others.
            how: settings; the direction is the metric's own, and `mse` pools those that are a PSNR only.

        """
        how = how or Settings()
        found = []
        for metric, better in metrics.items():
            there = codecs_of([p for p in self.points if metric in p.values])
            if anchor not in there:
                continue
            own = replace(how, higher_is_better=better, pool=how.pool if metric.startswith("psnr") else "metric")
            for codec in codecs or [c for c in codecs_of(self.points) if c != anchor]:
                if codec not in there:
                    continue
                try:
                    tables = gather(self.points, anchor, metric), gather(self.points, codec, metric)
                    found.append(compare_tables(*tables, metric, own))
                except InputError as error:
                    found.append(Comparison.without(codec, anchor, metric, str(error)))
        return [replace(c, independent=self.is_independent(c.metric, c.codec, c.anchor)) for c in found]


COMPARED = ("psnr-rgb", "psnr-y", "ms-ssim", "ssimulacra2")
"""Metrics that codecs are compared in where none are named, as far as the points have them."""


def choose_label(name: str, known: Sequence[str], of_codecs: Mapping[str, Sequence[str]]) -> str:
    """The curve that a person means: its label, whatever the case, its codec as it is written after -c, or the name of
    its codec where it has one curve.

    Args:
        known: labels.
        of_codecs: registered name of a codec -> its labels.

    Raises:
        InputError: no such curve, or several.

    Example:
        >>> choose_label("avif", ["JPEG", "AVIF"], {})
        'AVIF'
        >>> choose_label("avif[speed=8,tune=psnr]", ["AVIF", "AVIF [tune=psnr, speed=8]"], {})
        'AVIF [tune=psnr, speed=8]'
    """
    found = [label for label in known if label == name] or [k for k in known if k.casefold() == name.casefold()]
    label = "" if found else _label_of(name)
    found = found or [k for k in known if k == label] or list(dict.fromkeys(of_codecs.get(name, ())))
    # Where two sources have the curve, the place of each stands after its label.
    found = found or [k for k in known if label and k.startswith(f"{label} [")]
    if len(found) != 1:
        fault = f"stands for {len(found)} curves" if found else "is no curve here"
        raise InputError(f"{name!r} {fault}; choose from {', '.join(repr(label) for label in found or known)}")
    return found[0]


def _label_of(text: str) -> str:
    """Label of a codec as it is written; "" for what is none, or is not found here."""
    try:
        return parse_codec(text).make().label()
    except VitiqError:
        return ""


def _has_direction(metric: str) -> bool:
    try:
        higher_is_better(metric)
    except UnknownNameError:
        return False
    return True


def higher_is_better(metric: str) -> bool:
    """Direction of a registered metric, settings after an @ included.

    Raises:
        UnknownNameError: no such metric.
    """
    return bool(registry.load("metrics", base_of(metric)).higher_is_better)


def gather_points(sources: Sequence[Path], study: str | None = None) -> Gathered:
    """Points of folders of studies and of published tables.

    A label that two folders have gets as much of the folder's path added as tells them apart; images of published
    tables take the name of the study's image of the same stem.

    Args:
        sources: folders (`-o` of `vitiq run` or `vitiq bench`) and files.
        study: of a folder that holds several; None for the last one.

    Raises:
        InputError: a folder without a study, a file that is no table, or nothing at all.
    """
    sources = list({os.path.abspath(path): path for path in reversed(sources)}.values())[::-1]  # noqa: PTH100
    folders = {path: Store(path).records(study, details=False) for path in sources if path.is_dir()}
    return points_beside(folders, read_anchors([path for path in sources if not path.is_dir()]))


def points_beside(folders: Mapping[Path, Sequence[Record]], published: Sequence[RdPoint] = ()) -> Gathered:
    """`gather_points` of records and tables that were read already.

    Args:
        folders: the records of each.
        published: points of published tables.

    Raises:
        InputError: nothing at all.
    """
    own: list[tuple[Path, str, RdPoint]] = []
    problems = []
    for folder, records in folders.items():
        done = [r for r in records if r.error is None]
        own += [(folder, r.codec, p) for r, p in zip(done, points_of(done), strict=True)]
        if len(done) < len(records):
            problems.append(f"{folder}: {len(records) - len(done)} of {len(records)} tasks failed and have no point")
    curves: dict[Path, list[str]] = {}
    for folder, _, p in own:
        curves.setdefault(folder, []).append(p.codec)
    named_as = distinct_labels(curves)
    named = [(codec, replace(p, codec=named_as[folder, p.codec])) for folder, codec, p in own]
    points = [p for _, p in named]
    marked = beside(codecs_of(published), codecs_of(points))
    published = [replace(p, codec=marked[p.codec]) for p in published]
    labels: dict[str, dict[str, None]] = {}
    for codec, p in named:
        labels.setdefault(codec, {})[p.codec] = None
    dependent: dict[str, frozenset[str]] = {}
    for folder, records in folders.items():
        for r in records:
            if r.error is None and (of := dependent_scores(r)):
                label = named_as[folder, r.label]
                dependent[label] = dependent.get(label, frozenset()) | frozenset(of)
    if not points and not published:
        given = ", ".join(map(str, folders))
        raise InputError(f"{given}: no points; give a folder with finished tasks, or a table")
    every = (*points, *aligned(points, published))
    return Gathered(every, {k: tuple(v) for k, v in labels.items()}, tuple(problems), dependent)
