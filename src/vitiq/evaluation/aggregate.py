"""What many scored pairs add up to: a summary a metric, and the metrics of both sets."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from vitiq.analysis.summary import Summary, summarise
from vitiq.evaluation.image_files import ImageFiles
from vitiq.evaluation.scoring import Scored
from vitiq.metrics.base import Metric, PairMetric
from vitiq.metrics.scoring import score_whole_sets
from vitiq.metrics.sets.rows import RowGatherer
from vitiq.types import Score


class Aggregate:
    """Takes scored pairs one at a time; keeps a number a metric and the rows that metrics of sets need.

    Args:
        metrics: those that the pairs are scored with.

    Attributes:
        pairs: files of the pairs that have scores.
        names: of the metrics of pairs, in order.
        undefined: metric -> why it is not defined -> for how many pairs.
    """

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self.pairs: list[tuple[Path, Path]] = []
        self.names = [metric.name for metric in metrics if isinstance(metric, PairMetric)]
        self.undefined: dict[str, Counter[str]] = {}
        self._metrics = metrics
        self._values = {name: array("d") for name in self.names}
        self._rows = RowGatherer(metrics)

    def add(self, scored: Scored) -> None:
        """Take one pair."""
        self.pairs.append((scored.reference, scored.distorted))
        self._rows.add(*scored.rows)
        for name, score in scored.scores.items():
            self._values[name].append(score.value)
            if math.isnan(score.value):
                reason = str(score.details.get("undefined", "not a number"))
                self.undefined.setdefault(name, Counter())[reason] += 1

    def summaries(self) -> dict[str, Summary]:
        """A summary of every metric of pairs."""
        bounds = {metric.name: metric.range for metric in self._metrics}
        return {name: summarise(values, bounds[name]) for name, values in self._values.items()}

    def sets(self) -> dict[str, Score]:
        """Every metric of sets: from the rows, or for those that read the images themselves, from the files."""
        left, right = (ImageFiles([pair[side] for pair in self.pairs]) for side in (0, 1))
        scores = self._rows.scores() | score_whole_sets(left, right, self._metrics)
        return {metric.name: scores[metric.name] for metric in self._metrics if metric.name in scores}
