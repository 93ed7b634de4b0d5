"""What a reader needs to know of a metric, from the class that computes it: name, direction, range, definition."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from vitiq import registry
from vitiq.errors import VitiqError
from vitiq.metrics.questions import QUESTIONS, question_of


@dataclass(frozen=True, slots=True)
class MetricInfo:
    """Metadata of one metric key.

    Attributes:
        key: as in records (`psnr-rgb`, `vit-topk@10`).
        title: full name.
        short: name for a column.
        unit: "dB", or "".
        low, high: range; infinite where unbounded.
        direction: 1 where higher is better, -1 where lower is, 0 where not known.
        kind: as `Metric.kind`, or "" where not known.
        formula, reference: definition and source.
        question: what it asks, in words (`vitiq.metrics.questions`).
    """

    key: str
    title: str
    short: str
    unit: str = ""
    low: float = -math.inf
    high: float = math.inf
    direction: int = 0
    kind: str = ""
    formula: str = ""
    reference: str = ""
    question: str = QUESTIONS["other"]

    @property
    def direction_text(self) -> str:
        """Direction in words."""
        return {1: "higher is better", -1: "lower is better", 0: ""}[self.direction]

    @property
    def arrow(self) -> str:
        """Direction as a sign."""
        return {1: "↑", -1: "↓", 0: ""}[self.direction]

    @property
    def range_text(self) -> str:
        """Range as text, infinity as ∞."""
        return " … ".join(f"{end:g}".replace("inf", "∞").replace("-", "−") for end in (self.low, self.high))


def metric_info(key: str) -> MetricInfo:
    """Metadata of a metric key; a key that no installed metric has keeps its key as its name."""
    name, _, setting = key.partition("@")
    try:
        found = registry.load("metrics", name)
    except VitiqError:
        return MetricInfo(key, key, key)
    title = f"{found.title} @{setting}" if setting else str(found.title)
    return MetricInfo(
        key,
        title,
        _short(str(found.title)) + (f" @{setting}" if setting else ""),
        found.unit,
        float(found.range[0]),
        float(found.range[1]),
        1 if found.higher_is_better else -1,
        found.kind,
        found.formula,
        found.reference,
        QUESTIONS[question_of(found)],
    )


def metric_infos(keys: Sequence[str]) -> list[MetricInfo]:
    """Metadata of several keys, with short names that differ from each other."""
    found = [metric_info(key) for key in keys]
    shorts = [info.short for info in found]
    return [
        info if shorts.count(info.short) == 1 else replace(info, short=info.title if len(info.title) < 24 else info.key)
        for info in found
    ]


def _short(title: str) -> str:
    return title.split(" (", maxsplit=1)[0] if " (" in title and ")" in title else title


def digits(values: Iterable[float]) -> int:
    """Digits after the point that the values of one column deserve, 0 to 4; values may be NaN or infinite.

    Whole multiples of 0.01 (shares of a hundred labels) have two.
    """
    finite = [abs(value) for value in values if math.isfinite(value)]
    if not finite:
        return 2
    largest = max(finite)
    if largest >= 1000:
        return 0
    if largest > 1.5:
        return 1 if largest >= 100 else 2
    if all(abs(value * 100 - round(value * 100)) < 1e-9 for value in finite):
        return 2
    return 3 if largest > 0.01 else 4


def number_text(value: float, places: int) -> str:
    """A number for people: thousands apart, a true minus, a dash where undefined."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    # Means that are equal but for the last bit must print alike.
    return f"{round(value, 10):,.{places}f}".replace("-", "−")
