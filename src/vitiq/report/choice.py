"""Which metrics stand on the first screen, and all of them by the question they ask. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import zip_longest

from vitiq.metrics.questions import QUESTIONS
from vitiq.report.model import Column, Model

MOST = 8
"""Metrics that fit into a table as columns; with more, a metric is a row."""


def first_columns(model: Model) -> list[Column]:
    """Up to `MOST` metrics, in the order of the study: all of few; of many the study's own, one of pixels, and then
    one of each question in turn, those without any value (of images that are too small for them) last."""
    if len(model.columns) <= MOST:
        return list(model.columns)
    own = [column for column in (model.primary, model.pixel_metric) if column is not None]
    turns = zip_longest(*(group for _, group in by_question([c for c in model.columns if c.info.direction])))
    chosen = dict.fromkeys(column.info.key for column in [*own, *(c for turn in turns for c in turn if c is not None)])
    kept = sorted(chosen, key=lambda key: all(math.isnan(record.value(key)) for record in model.records))[:MOST]
    return [column for column in model.columns if column.info.key in kept]


def by_question(columns: Sequence[Column]) -> list[tuple[str, list[Column]]]:
    """Columns under the question they ask, questions in the order of `QUESTIONS`, as the commands list metrics."""
    groups = [(name, [column for column in columns if column.info.question == name]) for name in QUESTIONS.values()]
    return [(name, group) for name, group in groups if group]
