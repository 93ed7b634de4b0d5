"""Which question a metric answers, so that lists of many stay quick to read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from vitiq import registry
from vitiq.errors import VitiqError
from vitiq.metrics.base import Metric, SetMetric
from vitiq.metrics.spec import base_of

T = TypeVar("T")

QUESTIONS = {
    "meaning": "Does it show the same?",
    "looks": "Does it look the same?",
    "pixels": "How far off are the pixels?",
    "alone": "Does it look natural by itself?",
    "sets": "Are the two sets of images alike?",
    "other": "Other metrics",
}
"""Question by key, in the order of lists."""

PIXELS = "vitiq.metrics.fidelity.pixel"
"""Whose metrics are errors of pixels and nothing else."""

OF_KIND = {"semantic": "meaning", "no-reference": "alone", "distribution": "sets", "full-reference": "looks"}


def question_of(metric: Metric | type[Metric]) -> str:
    """Key of the question: from the metric's kind, and of pixels from where it is defined.

    Example:
        >>> question_of(registry.load("metrics", "psnr-rgb")), question_of(registry.load("metrics", "ssim"))
        ('pixels', 'looks')
    """
    made = metric if isinstance(metric, type) else type(metric)
    if issubclass(made, SetMetric):
        return "sets"
    if metric.kind == "full-reference" and any(base.__module__ == PIXELS for base in made.__mro__):
        return "pixels"
    return OF_KIND.get(metric.kind, "other")


def arrow_of(metric: Metric | type[Metric]) -> str:
    """The direction: ↑ where higher is better, ↓ where lower is."""
    return "↑" if metric.higher_is_better else "↓"


def described(name: str) -> tuple[str, str]:
    """Question and arrow of a metric by its key, its setting after an @ left aside; "other" and "" if it is not known.

    Example:
        >>> described("vit-topk@10")
        ('meaning', '↑')
    """
    try:
        metric = registry.load("metrics", base_of(name))
    except VitiqError:
        return "other", ""
    return question_of(metric), arrow_of(metric)


def grouped(items: Mapping[str, T] | Iterable[tuple[str, T]]) -> dict[str, dict[str, T]]:
    """What is known of metrics, by question: question's key -> metric's key -> item; empty questions left out.

    Example:
        >>> list(grouped({"ssim": 1, "vit-topk": 2}))
        ['meaning', 'looks']
    """
    found: dict[str, dict[str, T]] = {question: {} for question in QUESTIONS}
    for name, item in items.items() if isinstance(items, Mapping) else items:
        found[described(name)[0]][name] = item
    return {question: own for question, own in found.items() if own}
