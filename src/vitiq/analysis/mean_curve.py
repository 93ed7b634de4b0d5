"""The mean curve of a codec over images, with intervals.

Two means are in use, and they differ: the mean of the points at one setting (rate and metric each averaged over the
images; CompressAI, Cool-Chic), which weighs images by their bits, and the mean over images of each image's own delta
(JPEG AI, JVET), which weighs images alike. This module makes the first; `comparison` gives both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from vitiq.analysis.bootstrap import FEWEST_IMAGES, RESAMPLES, draws, interval
from vitiq.analysis.curve import Values
from vitiq.analysis.left_out import left_out, not_common
from vitiq.analysis.points import CodecTable, RdPoint, codecs_of, gather, no_curve
from vitiq.errors import InputError

Pool = Literal["metric", "mse"]


@dataclass(frozen=True, slots=True)
class MeanCurve:
    """Mean points of a codec over images.

    Attributes:
        codec, metric: labels.
        images: number averaged.
        settings: of the points, by growing rate.
        rate, value: mean bits per pixel and mean metric at each setting.
        value_low, value_high: 95 % interval of the mean metric at each setting.
        left_out: images and settings that are not in it, and why.
    """

    codec: str
    metric: str
    images: int
    settings: tuple[str, ...]
    rate: Values
    value: Values
    value_low: Values
    value_high: Values
    left_out: tuple[str, ...]


def pooled(
    values: Float[np.ndarray, "images n"], weights: Float[np.ndarray, "b images"], pool: Pool
) -> Float[np.ndarray, "b n"]:
    """Means of a metric under weights of the images.

    `mse` averages the squared error behind a PSNR and takes the logarithm last, as JVET and Cool-Chic do for a data
    set; `metric` averages the metric itself. A setting with an infinite or undefined value stays so whatever the
    weights, so that every resample leaves out the same settings.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        if pool == "metric":
            return np.asarray(weights @ values, dtype=np.float64)
        return np.asarray(-10 * np.log10(weights @ 10 ** (-values / 10)), dtype=np.float64)


def common_images(tables: Sequence[CodecTable]) -> list[str]:
    """Images that every table of images has, in the first one's order; published means stand aside."""
    own = [t for t in tables if not t.aggregate]
    shared = set.intersection(*(set(t.images) for t in own)) if own else set()
    return [i for i in own[0].images if i in shared] if own else []


def nothing_shared(tables: Sequence[CodecTable], of: str) -> str:
    """Why tables have no image in common; `of` says of what, and what helps where scores are not what is missing."""
    if any(t.unscored for t in tables):
        return "no image has a score at every setting yet; run the study's command again, it makes what is missing"
    return f"no image is coded at every setting of {of}"


def said_of_common(points: Sequence[RdPoint]) -> list[str]:
    """A line that names the images which `common_images` lacks; none where every codec has all."""
    own = [p for p in points if not p.aggregate]
    lacking = not_common((p.codec, p.image, p.setting) for p in own)
    return lacking.summary(len({p.image for p in own}))


def images_with_curves(tables: Sequence[CodecTable]) -> tuple[list[str], list[str]]:
    """Common images that have a curve in every table, and what is said of the others.

    An image that a codec reproduces exactly has an infinite PSNR, and no mean with it is finite. Where that is so at
    over half of a codec's settings the image is left out, of all codecs alike (`left_out`); else the settings are.
    """
    images = common_images(tables)
    own = [t.of_images(images) for t in tables if not t.aggregate]
    rows = ((t.codec, image, row) for t in own for image, row in zip(images, t.value, strict=True))
    without = left_out((codec, image, value) for codec, image, row in rows for value in row)
    return [image for image in images if image not in without.images], without.lines()


def mean_curves(
    points: Sequence[RdPoint],
    metric: str,
    *,
    resamples: int = RESAMPLES,
) -> list[MeanCurve]:
    """Mean curve of each codec over the images that all of them coded at all their settings.

    Args:
        points: of a study, published means among them if wanted.
        metric: its name.
        resamples: bootstrap samples behind the intervals, the same images for every codec.

    Raises:
        InputError: as `gather`, or no image that all have.
    """
    scored = [p for p in points if metric in p.values]
    names = codecs_of(scored)
    tables = [gather(points, name, metric) for name in names]
    images, infinite = images_with_curves(tables)
    notes = [*said_of_common(scored), *infinite]
    if not images and any(not t.aggregate for t in tables):
        fault = f"{', '.join(names)}: {nothing_shared(tables, 'all of them; compare fewer codecs')}"
        raise InputError(no_curve(tables) or fault)
    some = [t if t.aggregate else t.of_images(images) for t in tables]
    weights = draws(len(images), resamples, 0) if len(images) >= FEWEST_IMAGES else np.empty((0, len(images)))
    none = np.empty((0, 1))
    return [_mean_curve(t, metric, none if t.aggregate else weights, [] if t.aggregate else notes) for t in some]


def _mean_curve(
    table: CodecTable, metric: str, weights: Float[np.ndarray, "b images"], notes: Sequence[str]
) -> MeanCurve:
    count = len(table.images)
    even = np.full((1, count), 1 / count)
    rate, value = pooled(table.rate, even, "metric")[0], pooled(table.value, even, "metric")[0]
    order = np.argsort(rate, kind="stable")
    finite = np.isfinite(value)
    left_out = [*notes]
    if not finite.all():
        left_out.append(f"{(~finite).sum()} of {len(finite)} settings left out: an image has no finite {metric} there")
    order = order[finite[order]]
    values = pooled(table.value[:, order], weights, "metric")
    spread = np.array([interval(column) for column in values.T]).reshape(-1, 2)
    return MeanCurve(
        codec=table.codec,
        metric=metric,
        images=count,
        settings=tuple(table.settings[i] for i in order),
        rate=rate[order],
        value=value[order],
        value_low=spread[:, 0],
        value_high=spread[:, 1],
        left_out=tuple(left_out),
    )
