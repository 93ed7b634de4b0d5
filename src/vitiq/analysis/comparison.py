"""A codec against an anchor over the images of a study: deltas of the mean curve and of each image, with intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from vitiq.analysis.batched import growing, mean_difference
from vitiq.analysis.bd_rate import LEAST_SHARED, BdMetric, BdRate, bd_metric, bd_rate
from vitiq.analysis.bootstrap import FEWEST_IMAGES, RESAMPLES, Estimate, draws, interval
from vitiq.analysis.curve import Method
from vitiq.analysis.mean_curve import Pool, common_images, pooled
from vitiq.analysis.points import CodecTable, RdPoint, gather
from vitiq.errors import InputError

Values = Float[np.ndarray, " n"]
Others = Float[np.ndarray, " m"]

FEW_IMAGES = 6
"""Images below which an interval carries a note: six can be drawn in 462 ways, five in 126."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One codec against one anchor in one metric.

    Attributes:
        codec, anchor, metric: labels.
        images: number compared; 1 for published means.
        rate: BD-rate in per cent of the mean curves; NaN where refused.
        quality: BD-metric of the mean curves, in the metric's unit; NaN where refused.
        mean_rate, mean_quality: mean over the images of each image's own delta, of those that have one.
        image_rate: image -> its own BD-rate in per cent; NaN where refused.
        overlap: share of the qualities of both mean curves that both reach, 0 … 1; NaN where refused.
        low, high: the qualities that the BD-rate is a mean over.
        notes: what was left out, replaced or refused, with the figure.
        refused: why the mean curves' delta is not given; None where it is.
    """

    codec: str
    anchor: str
    metric: str
    images: int
    rate: Estimate
    quality: Estimate
    mean_rate: Estimate
    mean_quality: Estimate
    image_rate: Mapping[str, float]
    overlap: float
    low: float
    high: float
    notes: tuple[str, ...]
    refused: str | None = None

    @property
    def extremes(self) -> tuple[tuple[str, float], tuple[str, float]] | None:
        """The image on which the codec saves most, and the one on which it saves least; None without images."""
        known = sorted((v, k) for k, v in self.image_rate.items() if np.isfinite(v))
        return ((known[0][1], known[0][0]), (known[-1][1], known[-1][0])) if known else None


@dataclass(frozen=True, slots=True)
class _Settings:
    method: Method
    higher_is_better: bool
    pool: Pool
    least_shared: float

    @property
    def sign(self) -> float:
        """1, or -1 where smaller is better."""
        return 1.0 if self.higher_is_better else -1.0


@dataclass(frozen=True, slots=True)
class _Deltas:
    """Both deltas of two curves, or why one is refused."""

    rate: BdRate | None
    quality: BdMetric | None
    refused: tuple[str, ...]

    @property
    def pair(self) -> tuple[float, float]:
        """Both numbers, NaN where refused."""
        return self.rate.percent if self.rate else np.nan, self.quality.delta if self.quality else np.nan


def compare(
    points: Sequence[RdPoint],
    codec: str,
    anchor: str,
    metric: str,
    *,
    higher_is_better: bool = True,
    method: Method = "akima",
    pool: Pool = "metric",
    least_shared: float = LEAST_SHARED,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """Deltas of a codec against an anchor over the images that both coded at all their settings.

    Intervals are percentiles over resampled images; every resample takes the same images for both codecs.

    Args:
        points: of a study; published means stand for all their images at once and have no interval.
        codec, anchor: labels.
        metric: its name.
        higher_is_better: direction of the metric.
        method: interpolation.
        pool: how the metric is averaged for the mean curve.
        least_shared: share of the narrower curve that both must reach.
        resamples, seed: of the bootstrap.

    Raises:
        InputError: an unknown codec or metric, or no image in common. Curves that cannot be compared are refused in
            the result, so that other codecs and images of a study still are.
    """
    a, b, notes = _paired(gather(points, anchor, metric), gather(points, codec, metric))
    how = _Settings(method, higher_is_better, pool, least_shared)
    whole = _deltas(_means(a, None, pool), _means(b, None, pool), how)
    own = {} if a.aggregate or b.aggregate else _of_images(a, b, how)
    if missing := sum(not np.isfinite(rate) for rate, _ in own.values()):
        notes.append(f"{missing} of {len(own)} images have no delta of their own: their curves share too little")
    spread = _resampled(a, b, how, resamples, seed)
    rate = whole.rate
    if rate is not None:
        notes += [*rate.notes, *whole.refused]
    if FEWEST_IMAGES <= len(own) < FEW_IMAGES:
        notes.append(f"{len(own)} images only: the interval of so few is a rough guess")
    return Comparison(
        codec=codec,
        anchor=anchor,
        metric=metric,
        images=max(len(a.images), len(b.images)),
        rate=Estimate(whole.pair[0], *(spread[0] if rate is not None else ())),
        quality=Estimate(whole.pair[1], *(spread[1] if whole.quality is not None else ())),
        mean_rate=_mean([pair[0] for pair in own.values()], resamples, seed),
        mean_quality=_mean([pair[1] for pair in own.values()], resamples, seed),
        image_rate={image: pair[0] for image, pair in own.items()},
        overlap=rate.overlap if rate is not None else np.nan,
        low=rate.low if rate is not None else np.nan,
        high=rate.high if rate is not None else np.nan,
        notes=tuple(dict.fromkeys(notes)),
        refused=None if rate is not None else whole.refused[0],
    )


def average_over_metrics(comparisons: Iterable[Comparison]) -> float:
    """Mean over several metrics of a codec's BD-rate, in per cent; NaN where one of them is refused.

    Each metric's BD-rate is the mean over the images of their own, as JPEG AI defines its one figure (ISO/IEC JTC 1/SC
    29/WG 1 N100106, JPEG AI Common Training and Test Conditions; Ascenso, Alshina & Ebrahimi 2023, DOI
    10.1109/MMUL.2023.3245919: seven metrics, each counting alike). Where there are no images of their own (published
    means), the mean curve's stands in.

    Raises:
        InputError: comparisons of more than one codec or anchor, a metric twice, or none.
    """
    given = list(comparisons)
    if len({(c.codec, c.anchor) for c in given}) != 1 or len({c.metric for c in given}) < len(given):
        raise InputError("comparisons of different codecs or of one metric twice given; average one codec's metrics")
    return float(np.mean([(c.mean_rate if c.image_rate else c.rate).value for c in given]))


def _paired(a: CodecTable, b: CodecTable) -> tuple[CodecTable, CodecTable, list[str]]:
    """Both tables on the images that both have; published means as they are."""
    images = common_images([a, b])
    if not images and not (a.aggregate and b.aggregate):
        raise InputError(f"{b.codec} and {a.codec}: no image is coded at every setting of both; give one set of images")
    notes = [note for t in (a, b) for note in t.notes]
    for t in (a, b):
        if not t.aggregate and len(images) < len(t.images):
            notes.append(f"{t.codec}: {len(t.images) - len(images)} of {len(t.images)} images left out: no partner")
    a, b = (t if t.aggregate else t.of_images(images) for t in (a, b))
    return a, b, notes


def _means(table: CodecTable, weights: Float[np.ndarray, " images"] | None, pool: Pool) -> tuple[Values, Values]:
    count = len(table.images)
    if weights is None or table.aggregate:
        weights = np.full(count, 1 / count)
    return weights @ table.rate, pooled(table.value, weights[None], pool)[0]


def _deltas(a: tuple[Values, Values], b: tuple[Others, Others], how: _Settings) -> _Deltas:
    rate = quality = None
    refused = []
    try:
        rate = bd_rate(*a, *b, method=how.method, higher_is_better=how.higher_is_better, least_shared=how.least_shared)
    except InputError as error:
        refused.append(f"BD-rate refused: {error}")
    try:
        quality = bd_metric(
            *a, *b, method=how.method, higher_is_better=how.higher_is_better, least_shared=how.least_shared
        )
    except InputError as error:
        refused.append(f"BD-metric refused: {error}")
    return _Deltas(rate, quality, tuple(refused))


def _of_images(a: CodecTable, b: CodecTable, how: _Settings) -> dict[str, tuple[float, float]]:
    rows = zip(a.images, a.rate, a.value, b.rate, b.value, strict=True)
    return {image: _deltas((ra, qa), (rb, qb), how).pair for image, ra, qa, rb, qb in rows}


def _resampled(
    a: CodecTable, b: CodecTable, how: _Settings, resamples: int, seed: int
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Intervals of both deltas of the mean curves, the same images drawn for both codecs."""
    count = max(len(t.images) for t in (a, b))
    if count < FEWEST_IMAGES or resamples == 0:
        return (np.nan, np.nan), (np.nan, np.nan)
    rows_a, rows_b = (_rows(t, draws(count, resamples, seed), how) for t in (a, b))
    easy = growing(*rows_a) & growing(*rows_b) if how.method != "cubic" else np.zeros(resamples, dtype=np.bool_)
    found = np.full((2, resamples), np.nan)
    if how.method != "cubic" and easy.any():
        (xa, ya), (xb, yb) = ((np.log(x[easy]), y[easy]) for x, y in (rows_a, rows_b))
        found[0, easy] = 100 * np.expm1(mean_difference((ya, xa), (yb, xb), how.method, how.least_shared))
        found[1, easy] = how.sign * mean_difference((xa, ya), (xb, yb), how.method, how.least_shared)
    for i in np.flatnonzero(~easy):
        one, other = ((x[i], how.sign * y[i]) for x, y in (rows_a, rows_b))
        found[:, i] = _deltas(one, other, how).pair
    return interval(found[0]), interval(found[1])


def _rows(
    table: CodecTable, weights: Float[np.ndarray, "b images"], how: _Settings
) -> tuple[Float[np.ndarray, "b n"], Float[np.ndarray, "b n"]]:
    """Mean rate and mean quality, larger is better, of every resample, where they are finite, by growing rate."""
    if table.aggregate:
        weights = np.ones((len(weights), 1))
    rate, quality = weights @ table.rate, how.sign * pooled(table.value, weights, how.pool)
    order = np.argsort(table.rate.mean(0), kind="stable")
    order = order[np.isfinite(quality[:, order]).all(axis=0)]
    return rate[:, order], quality[:, order]


def _mean(values: Sequence[float], resamples: int, seed: int) -> Estimate:
    """Mean over the images that have a delta, with the interval of that mean."""
    known = np.array([v for v in values if np.isfinite(v)])
    if known.size < FEWEST_IMAGES or resamples == 0:
        return Estimate(float(known.mean()) if known.size else float("nan"))
    return Estimate(float(known.mean()), *interval(draws(known.size, resamples, seed) @ known))
