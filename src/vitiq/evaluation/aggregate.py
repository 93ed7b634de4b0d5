"""What many scored pairs add up to: a summary a metric, and the metrics of both sets."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import overload

from vitiq.analysis.summary import Summary, summarise
from vitiq.evaluation.inputs import read_any
from vitiq.evaluation.scoring import Scored
from vitiq.metrics.base import Metric, PairMetric, SetMetric
from vitiq.metrics.scoring import score_sets
from vitiq.metrics.sets.rows import RowGatherer
from vitiq.types import ImageU8, Score


class ImageFiles(Sequence[ImageU8]):
    """Images of files, each read when it is asked for."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths

    def __len__(self) -> int:
        return len(self._paths)

    @overload
    def __getitem__(self, index: int) -> ImageU8: ...
    @overload
    def __getitem__(self, index: slice) -> ImageFiles: ...
    def __getitem__(self, index: int | slice) -> ImageU8 | ImageFiles:
        """An image, or a part of them."""
        return ImageFiles(self._paths[index]) if isinstance(index, slice) else read_any(self._paths[index])


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
        scores = self._rows.scores()
        others = [m for m in self._metrics if isinstance(m, SetMetric) and m.name not in scores]
        if others:
            left, right = (ImageFiles([pair[side] for pair in self.pairs]) for side in (0, 1))
            scores |= score_sets(left, right, others)
        return {metric.name: scores[metric.name] for metric in self._metrics if metric.name in scores}
