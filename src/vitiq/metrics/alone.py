"""Metrics of images by themselves, without a reference: each image stands on both sides of its pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vitiq import registry
from vitiq.errors import InputError, VitiqError
from vitiq.metrics.base import Metric, PairMetric
from vitiq.metrics.scoring import resolve_metrics
from vitiq.metrics.spec import GROUPS, split_names
from vitiq.types import ImageU8, Score

REASONS = ("undefined", "unavailable", "failed")
"""Details that an image by itself has too."""


def names_alone(names: str) -> str:
    """The metrics among `names` that need no reference; "default" and "all" are all such that are registered.

    Raises:
        UnknownNameError: no such metric.
        InputError: one that needs a reference.

    Example:
        >>> names_alone("default")
        'brisque'
    """
    found = asked_alone(split_names(names))
    check_alone(resolve_metrics(found))
    return ",".join(str(name) for name in found)


def asked_alone(asked: Sequence[str | Metric]) -> list[str | Metric]:
    """What is asked for, each once, where "default" and "all" stand for the metrics that need no reference."""
    known = _registered()
    each = [one for given in asked for one in (known if isinstance(given, str) and given in GROUPS else [given])]
    return list(dict.fromkeys(each))


def check_alone(metrics: Sequence[Metric]) -> None:
    """Refuse metrics that compare images, where images without references are given.

    Raises:
        InputError: one of them does.
    """
    wrong = [metric.name for metric in metrics if not _needs_no_reference(metric)]
    if wrong:
        verb = "compares" if len(wrong) == 1 else "compare"
        raise InputError(
            f"one side given, but {', '.join(wrong)} {verb} two; give reference and distorted images, or a metric that "
            f"needs no reference ({', '.join(_registered())})"
        )


def batch_alone(metric: PairMetric, images: Sequence[ImageU8]) -> list[Score]:
    """A metric's score of each image.

    Raises:
        InputError: no images, or what the metric refuses.
    """
    return [score_alone(score) for score in metric.batch(images, images)]


def score_alone(score: Score) -> Score:
    """A score without what compares the image with itself."""
    return replace(score, details={name: score.details[name] for name in REASONS if name in score.details})


def _needs_no_reference(metric: Metric | type[Metric]) -> bool:
    made = metric if isinstance(metric, type) else type(metric)
    return issubclass(made, PairMetric) and metric.kind == "no-reference"


def _registered() -> list[str]:
    found = []
    for name in registry.names("metrics"):
        try:
            if _needs_no_reference(registry.load("metrics", name)):
                found.append(name)
        except VitiqError:
            continue  # a plug-in that cannot be loaded is named where it is asked for
    return found
