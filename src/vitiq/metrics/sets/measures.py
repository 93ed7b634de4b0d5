"""What can be asked of two sets of samples: FID, KID, Inception Score, precision, recall, whatever a sample is.

A metric is one of these measures of samples from one `Source`: whole images or patches, as InceptionV3
(`sets.inception`), a Vision Transformer (`sets.vit`) or nothing at all (`sets.pixel`) reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
from jaxtyping import Float32

from vitiq.errors import InputError
from vitiq.metrics.sets.frechet import frechet_of_moments
from vitiq.metrics.sets.inception_score import inception_score
from vitiq.metrics.sets.kernel_distance import kernel_distance
from vitiq.metrics.sets.moments import Moments, RunningMoments
from vitiq.metrics.sets.precision_recall import NEIGHBOUR, share_within
from vitiq.metrics.sets.rows import RowMetric, Rows
from vitiq.types import ImageU8, Score

What = Literal["features", "probabilities"]


class Source(Protocol):
    """Where samples come from."""

    @property
    def samples(self) -> str:
        """What a sample is, in the plural, for messages."""

    @property
    def dimensions(self) -> int:
        """Numbers of a sample's features; known without a sample, which small images have none of."""

    def signature(self) -> str:
        """Names everything that changes the samples."""

    def rows(self, image: ImageU8, what: What) -> Float32[np.ndarray, "n d"]:
        """Features or label probabilities of the samples in an image; none where it is too small."""


class Measure(RowMetric):
    """A measure of samples from a source."""

    kind = "distribution"
    what: What = "features"
    source: Source

    def signature(self) -> str:
        """Measure, source and version."""
        return f"{self.name}|{self.source.signature()}|v1"

    def rows_key(self) -> str:
        """Kind of row and source."""
        return f"{self.what}|{self.source.signature()}"

    def rows(self, image: ImageU8) -> Float32[np.ndarray, "n d"]:
        """Samples of an image."""
        return self.source.rows(image, self.what)

    def _check_counts(self, reference: Rows, distorted: Rows, fewest: int) -> None:
        """Raises InputError where a set has fewer samples than its estimate needs."""
        if min(reference.count, distorted.count) < fewest:
            raise InputError(
                f"{reference.count} and {distorted.count} {self.source.samples} given, at least {fewest} expected; "
                f"give more or larger images"
            )


class Fid(Measure):
    """Fréchet distance of Gaussians fitted to the features of two sets."""

    range = (0.0, np.inf)
    higher_is_better = False
    reference = "Heusel et al. 2017, arXiv 1706.08500"
    formula = "|μ - μ'|² + tr(Σ + Σ' - 2 (Σ Σ')^½) of features"

    def of_rows(self, reference: Rows, distorted: Rows) -> Score:
        """Distance of two sets.

        Raises:
            InputError: no more samples than dimensions; their covariance would be singular and the distance too large.
        """
        dimensions = reference.width or distorted.width or self.source.dimensions
        self._check_moments([reference.count, distorted.count], dimensions)
        return self.of_moments(*(RunningMoments([rows.array]).result() for rows in (reference, distorted)))

    def of_moments(self, reference: Moments, distorted: Moments) -> Score:
        """Distance of two Gaussians, from statistics that may come from files.

        Raises:
            InputError: as `of_rows`, or the dimensions differ.
        """
        counts = [reference.count, distorted.count]
        self._check_moments(counts, reference.dimensions)
        details: dict[str, object] = {"samples": counts, "dimensions": reference.dimensions}
        if None in counts:
            details["note"] = "a statistics file does not state its number of samples"
        return Score(frechet_of_moments(reference, distorted), self.signature(), details)

    def _check_moments(self, counts: Sequence[int | None], dimensions: int) -> None:
        """Raises InputError where a set, reference first, is known to have too few samples for a covariance."""
        if any(count is not None and count <= dimensions for count in counts):
            left, right = ("an unknown number of" if count is None else count for count in counts)
            kid = self.name.replace("fid", "kid")
            raise InputError(
                f"{left} and {right} {self.source.samples} given, more than {dimensions} expected (the dimensions); "
                f"give more or larger images, or use {kid}, which is unbiased, or the metrics of single images (ssim, "
                f"vit-tiles)"
            )


class Kid(Measure):
    """Squared kernel distance of the features of two sets; unbiased, so fit for few samples."""

    range = (-np.inf, np.inf)
    higher_is_better = False
    reference = "Bińkowski et al. 2018, arXiv 1801.01401"
    formula = "unbiased MMD² with kernel (x·y/d + 1)³ of features; sets above 4096 in parts"

    def of_rows(self, reference: Rows, distorted: Rows) -> Score:
        """Distance of two sets.

        Raises:
            InputError: fewer than two samples.
        """
        self._check_counts(reference, distorted, 2)
        value = kernel_distance(reference.array, distorted.array)
        return Score(value, self.signature(), {"samples": [reference.count, distorted.count]})


class InceptionScore(Measure):
    """Inception Score of the distorted set; details hold the reference set's."""

    what: What = "probabilities"
    range = (1.0, np.inf)
    higher_is_better = True
    reference = "Salimans et al. 2016, arXiv 1606.03498"
    formula = "exp E[KL(p(y|x) ‖ p(y))]"
    parts = 1

    def signature(self) -> str:
        """Measure, source, parts and version."""
        parts = f"parts:{self.parts}|" if self.parts > 1 else ""
        return f"{self.name}|{parts}{self.source.signature()}|v1"

    def of_rows(self, reference: Rows, distorted: Rows) -> Score:
        """Score of `distorted`.

        Raises:
            InputError: fewer samples than parts.
        """
        self._check_counts(reference, distorted, self.parts)
        original, generated = (inception_score(rows.array, self.parts) for rows in (reference, distorted))
        details = {"original": original, "generated": generated, "samples": [reference.count, distorted.count]}
        return Score(generated, self.signature(), details)


class Precision(Measure):
    """Share of the distorted set within the manifold of the reference set: is what it shows real?"""

    range = (0.0, 1.0)
    higher_is_better = True
    reference = "Kynkäänniemi et al. 2019, arXiv 1904.06991"
    formula = "share of distorted samples within the 3rd-neighbour balls of the reference samples"

    def of_rows(self, reference: Rows, distorted: Rows) -> Score:
        """Share of `distorted`.

        Raises:
            InputError: fewer than four samples.
        """
        self._check_counts(reference, distorted, NEIGHBOUR + 1)
        return self._score(share_within(distorted.array, reference.array), reference, distorted)

    def _score(self, share: float, reference: Rows, distorted: Rows) -> Score:
        return Score(share, self.signature(), {"samples": [reference.count, distorted.count]})


class Recall(Precision):
    """Share of the reference set within the manifold of the distorted set: is all of it there?"""

    formula = "share of reference samples within the 3rd-neighbour balls of the distorted samples"

    def of_rows(self, reference: Rows, distorted: Rows) -> Score:
        """Share of `reference`.

        Raises:
            InputError: fewer than four samples.
        """
        self._check_counts(reference, distorted, NEIGHBOUR + 1)
        return self._score(share_within(reference.array, distorted.array), reference, distorted)
