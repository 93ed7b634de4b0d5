"""A codec against an anchor over the images of a study: deltas of the mean curve and of each image, with intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from vitiq.analysis.batched import mean_difference, ordered, points_used
from vitiq.analysis.bd_rate import LEAST_SHARED, BdMetric, BdRate, bd_metric, bd_rate, per_cent
from vitiq.analysis.bootstrap import FEW_IMAGES, FEWEST_IMAGES, RESAMPLES, Estimate, draws, interval
from vitiq.analysis.curve import LEAST_POINTS, Method, Others, Values
from vitiq.analysis.mean_curve import Pool, common_images, images_with_curves, nothing_shared, pooled
from vitiq.analysis.points import CodecTable, RdPoint, gather, no_curve
from vitiq.errors import InputError

Rows = tuple[Float[np.ndarray, "b n"], Float[np.ndarray, "b n"]]
"""Rates and qualities, larger is better, of a curve a row."""
OtherRows = tuple[Float[np.ndarray, "b m"], Float[np.ndarray, "b m"]]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One codec against one anchor in one metric.

    Attributes:
        codec, anchor, metric: labels.
        images: number compared; 0 where a published mean is one of both, whose images are not known to be the same.
        rate: BD-rate in per cent of the mean curves; NaN where refused.
        quality: BD-metric of the mean curves, in the metric's unit; NaN where refused.
        mean_rate, mean_quality: mean over the images of each image's own delta, of those that have one.
        image_rate: image -> its own BD-rate in per cent; NaN where refused.
        overlap: share of the qualities of both mean curves that both reach, 0 … 1; NaN where refused.
        low, high: the qualities that the BD-rate is a mean over.
        notes: what was left out, replaced or refused, with the figure.
        refused: why the mean curves' delta is not given; None where it is.
        independent: whether neither codec was optimised against the network that gives the scores, for all that is
            known of the points' codecs.
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
    independent: bool = True

    @classmethod
    def without(cls, codec: str, anchor: str, metric: str, why: str) -> Comparison:
        """What is given where two curves cannot be compared at all."""
        none, nan = Estimate(np.nan), np.nan
        return cls(codec, anchor, metric, 0, none, none, none, none, {}, nan, nan, nan, (), why)

    @property
    def images_of_mean(self) -> int:
        """Images in the mean of the images' own: those that have a BD-rate of their own."""
        return int(np.isfinite([*self.image_rate.values()]).sum())

    @property
    def extremes(self) -> tuple[tuple[str, float], tuple[str, float]] | None:
        """The image on which the codec saves most, and the one on which it saves least; None without images."""
        known = sorted((v, k) for k, v in self.image_rate.items() if np.isfinite(v))
        return ((known[0][1], known[0][0]), (known[-1][1], known[-1][0])) if known else None


@dataclass(frozen=True, slots=True)
class Settings:
    """How two codecs are compared.

    Attributes:
        higher_is_better: direction of the metric.
        method: interpolation.
        pool: how the metric is averaged for the mean curve.
        least_shared: share of the narrower curve that both must reach.
        resamples, seed: of the bootstrap.
    """

    higher_is_better: bool = True
    method: Method = "akima"
    pool: Pool = "metric"
    least_shared: float = LEAST_SHARED
    resamples: int = RESAMPLES
    seed: int = 0

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
    how = Settings(higher_is_better, method, pool, least_shared, resamples, seed)
    return compare_tables(gather(points, anchor, metric), gather(points, codec, metric), metric, how)


def compare_tables(anchor: CodecTable, tested: CodecTable, metric: str, how: Settings | None = None) -> Comparison:
    """What `compare` gives, of tables that were gathered before; for many comparisons of few codecs.

    Raises:
        InputError: no image in common.
    """
    how = how or Settings()
    a, b, notes = _paired(anchor, tested)
    whole = _deltas(_means(a, how.pool), _means(b, how.pool), how)
    own = {} if a.aggregate or b.aggregate else _of_images(a, b, how)
    if missing := [image for image, (rate, _) in own.items() if not np.isfinite(rate)]:
        first, other = (_means(t.of_images(missing[:1]), how.pool) for t in (a, b))
        refused = _deltas(first, other, how).refused[:1]
        why = ", for the same reason" if refused == whole.refused[:1] else f"; {missing[0]}: {'; '.join(refused)}"
        notes.append(f"{len(missing)} of {len(own)} images have no delta of their own{why}")
    spread = _resampled(a, b, how)
    rate = whole.rate
    if rate is not None:
        notes += [*rate.notes, *whole.refused]
    count = max(len(a.images), len(b.images))
    if FEWEST_IMAGES <= count < FEW_IMAGES and np.isfinite(spread[0]).all():
        notes.append(f"{count} images only: the interval is only rough, and too narrow")
    return Comparison(
        codec=b.codec,
        anchor=a.codec,
        metric=metric,
        images=0 if a.aggregate or b.aggregate else count,
        rate=Estimate(whole.pair[0], *(spread[0] if rate is not None else ())),
        quality=Estimate(whole.pair[1], *(spread[1] if whole.quality is not None else ())),
        mean_rate=_mean([pair[0] for pair in own.values()], how),
        mean_quality=_mean([pair[1] for pair in own.values()], how),
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
    if not given:
        raise InputError("no comparisons given; average those of one codec in one metric or more")
    if len({(c.codec, c.anchor) for c in given}) != 1 or len({c.metric for c in given}) < len(given):
        raise InputError("comparisons of different codecs or of one metric twice given; average one codec's metrics")
    if any(c.refused for c in given):
        return float("nan")
    return float(np.mean([(c.mean_rate if c.image_rate else c.rate).value for c in given]))


def _paired(a: CodecTable, b: CodecTable) -> tuple[CodecTable, CodecTable, list[str]]:
    """Both tables on the images that both have; published means as they are."""
    common, (images, infinite) = common_images([a, b]), images_with_curves([a, b])
    if not images and not (a.aggregate and b.aggregate):
        fault = f"{b.codec} and {a.codec}: {nothing_shared([a, b], 'both; give one set of images')}"
        raise InputError(no_curve([b, a]) or fault)
    notes = [note for t in (a, b) for note in t.notes]
    for t in (a, b):
        if not t.aggregate and len(common) < len(t.images):
            notes.append(f"{t.codec}: {len(t.images) - len(common)} of {len(t.images)} images left out: no partner")
    notes += [*infinite, *of_other_images(a, b)]
    a, b = (t if t.aggregate else t.of_images(images) for t in (a, b))
    return a, b, notes


def of_other_images(a: CodecTable, b: CodecTable) -> list[str]:
    """What is said where a published mean is not known to be of the images that it is compared with."""
    published = [t for t in (a, b) if t.aggregate]
    if not published or (len(published) == 2 and a.images == b.images):
        return []
    said = [f"{t.codec} is a published mean{f' of {t.images[0]!r}' if t.images[0] else ''}" for t in published]
    return [f"{' and '.join(said)}: of other images, as far as is known"]


def _means(table: CodecTable, pool: Pool) -> tuple[Values, Values]:
    weights = np.full((1, len(table.images)), 1 / len(table.images))
    return (weights @ table.rate)[0], pooled(table.value, weights, pool)[0]


def _deltas(a: tuple[Values, Values], b: tuple[Others, Others], how: Settings) -> _Deltas:
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


def _of_images(a: CodecTable, b: CodecTable, how: Settings) -> dict[str, tuple[float, float]]:
    """Both deltas of each image, NaN where refused."""
    rates, qualities = _many(_each(a, how), _each(b, how), how)
    rows = zip(a.images, rates, qualities, strict=True)
    return {image: (float(rate), float(quality)) for image, rate, quality in rows}


def _each(table: CodecTable, how: Settings) -> Rows:
    """Rates and qualities, larger is better, of every image, by growing rate."""
    order = np.argsort(table.rate, axis=1, kind="stable")
    return np.take_along_axis(table.rate, order, 1), np.take_along_axis(how.sign * table.value, order, 1)


def _resampled(a: CodecTable, b: CodecTable, how: Settings) -> tuple[tuple[float, float], tuple[float, float]]:
    """Intervals of both deltas of the mean curves, the same images drawn for both codecs."""
    count = max(len(t.images) for t in (a, b))
    if count < FEWEST_IMAGES or how.resamples == 0:
        return (np.nan, np.nan), (np.nan, np.nan)
    weights = draws(count, how.resamples, how.seed)
    found = _many(_rows(a, weights, how), _rows(b, weights, how), how)
    return interval(found[0]), interval(found[1])


def _many(a: Rows, b: OtherRows, how: Settings) -> Float[np.ndarray, "2 b"]:
    """Both deltas of many pairs of curves, NaN where refused.

    Rows whose curves are made of the same points are computed at once, the odd ones one by one.
    """
    found = np.full((2, len(a[0])), np.nan)
    easy = ordered(*a) & ordered(*b) & (how.method != "cubic")
    places = np.flatnonzero(easy)
    used_a, used_b = (points_used(x[easy], y[easy]) for x, y in (a, b))
    kinds, kind = np.unique(np.concatenate([used_a, used_b], axis=1), axis=0, return_inverse=True)
    for n in range(len(kinds)):
        keep_a, keep_b = np.split(kinds[n], [used_a.shape[1]])
        if how.method == "cubic" or min(keep_a.sum(), keep_b.sum()) < LEAST_POINTS:
            continue
        some = places[kind.ravel() == n]
        xa, ya = np.log(a[0][some][:, keep_a]), a[1][some][:, keep_a]
        xb, yb = np.log(b[0][some][:, keep_b]), b[1][some][:, keep_b]
        found[0, some] = per_cent(mean_difference((ya, xa), (yb, xb), how.method, how.least_shared))
        found[1, some] = how.sign * mean_difference((xa, ya), (xb, yb), how.method, how.least_shared)
    for i in np.flatnonzero(~easy):
        one, other = ((x[i], how.sign * y[i]) for x, y in (a, b))
        found[:, i] = _deltas(one, other, how).pair
    return found


def _rows(table: CodecTable, weights: Float[np.ndarray, "b images"], how: Settings) -> Rows:
    """Mean rate and mean quality, larger is better, of every resample, where they are finite, by growing rate."""
    if table.aggregate:
        weights = np.ones((len(weights), 1))
    rate, quality = weights @ table.rate, how.sign * pooled(table.value, weights, how.pool)
    order = np.argsort(table.rate.mean(0), kind="stable")
    order = order[np.isfinite(quality[:, order]).all(axis=0)]
    return rate[:, order], quality[:, order]


def _mean(values: Sequence[float], how: Settings) -> Estimate:
    """Mean over the images that have a delta, with the interval of that mean."""
    known = np.array([v for v in values if np.isfinite(v)])
    if known.size < FEWEST_IMAGES or how.resamples == 0:
        return Estimate(float(known.mean()) if known.size else float("nan"))
    return Estimate(float(known.mean()), *interval(draws(known.size, how.resamples, how.seed) @ known))
