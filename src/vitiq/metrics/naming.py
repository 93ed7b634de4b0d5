"""Metrics that are asked for together: scores are kept by a metric's own name, so that each name has one metric."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from vitiq import registry
from vitiq.errors import InputError, SettingError, UnknownNameError, VitiqError
from vitiq.metrics.base import Metric
from vitiq.metrics.spec import MetricName, is_group, parse_name, parse_names


def make_metric(name: MetricName, **shared: Any) -> Metric:
    """The metric of a name.

    Args:
        shared: what its constructor is given of it, as far as it takes it (`backbone`, `panel`).

    Raises:
        UnknownNameError: no such metric.
        InputError: a setting that it does not take.
    """
    factory: type[Metric] = registry.load("metrics", name.base)
    takes = inspect.signature(factory).parameters
    given: dict[str, Any] = {key: value for key, value in shared.items() if key in takes}
    if name.setting is not None:
        if not factory.parameter:
            raise InputError(
                f"metric {str(name)!r} given, but {name.base} takes no setting after an @; write {name.base}"
            )
        given[factory.parameter] = name.setting
    made: Metric = registry.make("metrics", name.base, **given)
    return made


def distinct_names(given: Sequence[str], signature: Callable[[Metric], str]) -> list[MetricName]:
    """What names stand for, each metric once.

    One that is asked for by itself stands for that of a group, whatever its setting: `all,lpips@FOLDER`.

    Args:
        given: names and groups.
        signature: that of a metric, by which two spellings of one are found (`vit-topk`, `vit-topk@100`).

    Raises:
        SettingError: two metrics of one name are asked for, such as lpips with two folders.
        UnknownNameError: an unknown name behind a folder, whose name may have a comma.
    """
    check_commas(given)
    asked = {parse_name(name) for name in given if not is_group(name)}
    names = parse_names(given)
    count = Counter(name.base for name in names)
    kept: dict[tuple[str, str], MetricName] = {}
    for name in names:
        own = make_metric(name).name if count[name.base] > 1 else name.base
        other = kept.setdefault((name.base, own), name)
        if other != name and name in asked:
            if other in asked and _what(other, signature) != _what(name, signature):
                raise SettingError(
                    f"metrics {other} and {name} given, both are called {own} and scores are kept by name: "
                    "give one of them, and the other in a call of its own"
                )
            kept[name.base, own] = other if other in asked else name
    return [name for name in names if name in kept.values()]


def _what(name: MetricName, signature: Callable[[Metric], str]) -> Path | str:
    """What two spellings of one metric have in common."""
    return Path(name.setting).resolve() if name.setting and is_path(name) else signature(make_metric(name))


def check_commas(given: Sequence[str]) -> None:
    """Say how a folder with a comma in its name is written, where what follows the comma is no metric.

    Raises:
        UnknownNameError: so it is.
    """
    known = registry.names("metrics")
    for before, name in pairwise(given):
        folder = parse_name(before)
        if is_group(name) or parse_name(name).base in known or folder.setting is None or not is_path(folder):
            continue
        raise UnknownNameError(
            f"unknown metric {name!r} after {before!r}: a comma separates metrics; a folder with a comma in its name "
            f"stands between quotation marks: '{folder.base}@\"{folder.setting},{name}\"'"
        )


def is_path(name: MetricName) -> bool:
    """Whether the setting of a metric names a file or folder."""
    try:
        factory: type[Metric] = registry.load("metrics", name.base)
    except VitiqError:
        return False
    return name.setting is not None and factory.is_path(name.setting)
