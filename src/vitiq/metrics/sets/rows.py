"""Metrics of sets that need only some numbers of each image: rows, gathered one image at a time.

An image gives an array of rows (a feature vector of the whole image, or one of each patch). Metrics with the same
`rows_key` share them, so a network runs once an image, and no image is held longer than its rows take.
"""

from __future__ import annotations

import tempfile
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import ClassVar, TypeAlias

import numpy as np
from jaxtyping import Float32

from vitiq.errors import InputError, UndefinedError
from vitiq.metrics.base import Metric, SetMetric
from vitiq.metrics.guards import UNDEFINED, undefined, with_reason
from vitiq.temporary import space_for_temporary
from vitiq.types import ImageU8, Score, check_image, read_only

RowsByKey: TypeAlias = "dict[str, Float32[np.ndarray, 'n d'] | str]"
"""Rows of one image by `RowMetric.rows_key`, or why there are none."""


class Rows:
    """Rows of a set of images in a temporary file, so that memory does not grow with the set.

    Attributes:
        count: rows so far.
        width: numbers a row; 0 before the first row.

    Raises:
        InputError: the disk of temporary files is full.
    """

    def __init__(self, parts: Iterable[Float32[np.ndarray, "n d"]] = ()) -> None:
        self.count, self.width = 0, 0
        with space_for_temporary():
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the rows
        for part in parts:
            self.add(part)

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            with suppress(OSError):  # rows that a full disk did not take
                self._file.close()

    def add(self, rows: Float32[np.ndarray, "n d"]) -> None:
        """Append the rows of one image.

        Raises:
            InputError: rows of another width, or the disk of temporary files is full.
            UndefinedError: numbers that are not finite.
        """
        if not len(rows):
            return
        if not np.isfinite(rows).all():
            raise UndefinedError(f"a row of {rows.shape[1]} numbers holds some that are not finite")
        if self.width and rows.shape[1] != self.width:
            raise InputError(f"rows of {rows.shape[1]} numbers given after rows of {self.width}")
        self.width = rows.shape[1]
        self.count += len(rows)
        with space_for_temporary():
            self._file.write(np.ascontiguousarray(rows, np.float32).data)
            self._file.flush()  # a full disk shows here, not where the rows are read

    @property
    def array(self) -> Float32[np.ndarray, "n d"]:
        """All rows, in order, read from the file as they are used."""
        if not self.count:
            return np.zeros((0, 0), np.float32)
        return np.memmap(self._file, np.float32, "r", shape=(self.count, self.width))


class RowMetric(SetMetric):
    """A metric of two sets through the rows of each image.

    Attributes:
        paired: the n-th image of one set belongs to the n-th of the other.
    """

    paired: ClassVar[bool] = False

    @abstractmethod
    def rows_key(self) -> str:
        """Names what a row is; metrics with equal keys share their rows."""

    @abstractmethod
    def rows(self, image: ImageU8) -> Float32[np.ndarray, "n d"]:
        """Rows of one image; none where it is too small."""

    @abstractmethod
    def of_rows(self, reference: Rows, distorted: Rows) -> Score:
        """Score from the rows of all images, in the order of the images.

        Raises:
            InputError: too few rows for the estimate.
        """

    def __call__(self, reference: Sequence[ImageU8], distorted: Sequence[ImageU8]) -> Score:
        """Score the set `distorted` against the set `reference`.

        Raises:
            InputError: too few rows for the estimate.
        """
        return self.of_rows(*(Rows(self.rows(image) for image in images) for images in (reference, distorted)))


class RowGatherer:
    """Rows of two sets for all metrics that read them, one pair of images at a time.

    Args:
        metrics: those that are no RowMetric are passed over: `score_whole_sets` scores them.
    """

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = [metric for metric in metrics if isinstance(metric, RowMetric)]
        self._sides: tuple[dict[str, Rows], dict[str, Rows]] = ({}, {})
        self._undefined: dict[str, str] = {}

    def add(self, reference: RowsByKey, distorted: RowsByKey) -> None:
        """Take the rows of one pair, as `rows_of` gives them.

        Raises:
            InputError: the disk of temporary files is full.
        """
        for side, found in zip(self._sides, (reference, distorted), strict=True):
            for key, rows in found.items():
                if isinstance(rows, str):
                    self._undefined.setdefault(key, rows)
                    continue
                try:
                    if key not in side:
                        side[key] = Rows()
                    side[key].add(rows)
                except UndefinedError as error:
                    self._undefined.setdefault(key, str(error))

    def scores(self) -> dict[str, Score]:
        """Every row metric's score of the sets, NaN with the reason where it is not defined."""
        scores = {}
        for metric in self._metrics:
            try:
                key = metric.rows_key()
                if key in self._undefined:
                    raise InputError(self._undefined[key])
                found = metric.of_rows(*(side.get(key) or Rows() for side in self._sides))
                scores[metric.name] = with_reason(found)
            except UNDEFINED as error:
                scores[metric.name] = undefined(metric, error)
        return scores


def rows_of(image: ImageU8, metrics: Sequence[Metric]) -> RowsByKey:
    """Rows of an image by key, each computed once; the reason in their place where they are not defined."""
    check_image(image)
    image = read_only(image)
    found: RowsByKey = {}
    for metric in metrics:
        if isinstance(metric, RowMetric):
            try:
                key = metric.rows_key()
            except UNDEFINED:
                continue  # reported by `RowGatherer.scores`
            if key not in found:
                try:
                    found[key] = metric.rows(image)
                except UNDEFINED as error:
                    found[key] = str(error)
    return found
