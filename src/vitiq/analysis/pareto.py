"""Which settings of which codecs are not beaten in everything at once: rate, distortion, encode and decode time.

Pareto efficiency: a point is beaten by another that is nowhere worse and somewhere better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float

from vitiq.analysis.mean_curve import images_with_curves
from vitiq.analysis.points import RdPoint, codecs_of, gather, no_curve
from vitiq.errors import InputError

Axis = Literal["bpp", "metric", "encode_seconds", "decode_seconds"]
AXES: tuple[Axis, ...] = get_args(Axis)


@dataclass(frozen=True, slots=True)
class Candidate:
    """Means of a codec at one setting over the images that all codecs coded.

    Attributes:
        codec, setting: labels.
        images: number averaged.
        bpp, value: mean rate and mean of the metric.
        encode_seconds, decode_seconds: mean wall time; NaN where not measured.
        efficient: whether no other candidate beats it on the axes compared.
    """

    codec: str
    setting: str
    images: int
    bpp: float
    value: float
    encode_seconds: float
    decode_seconds: float
    efficient: bool


def efficient(costs: Float[np.ndarray, "n k"]) -> Bool[np.ndarray, " n"]:
    """Rows that no other row beats; smaller is better in every column; a row with a NaN is never efficient.

    Example:
        >>> efficient(np.array([[1.0, 3], [2, 2], [2, 3], [3, 1]]))
        array([ True,  True, False,  True])
    """
    keep = ~np.isnan(costs).any(1)
    for i in np.flatnonzero(keep):
        others = costs[keep]
        beaten = (others <= costs[i]).all(1) & (others < costs[i]).any(1)
        keep[i] = not beaten.any()
    return np.asarray(keep, dtype=np.bool_)


def candidates(
    points: Sequence[RdPoint], metric: str, *, higher_is_better: bool = True, axes: Sequence[Axis] = AXES
) -> list[Candidate]:
    """Every codec at every setting, with what is efficient among them, over `images_with_curves`.

    Args:
        points: of a study.
        metric: the distortion.
        higher_is_better: its direction.
        axes: what is compared; times say something only where all were measured alike on one machine.

    Raises:
        InputError: as `gather`, no axes, or no image that all codecs have.
    """
    if not axes or not set(axes) <= set(AXES):
        raise InputError(f"axes {', '.join(axes) or 'none'} given, expected some of {', '.join(AXES)}")
    codecs = codecs_of([p for p in points if metric in p.values])
    tables = [gather(points, codec, metric) for codec in codecs]
    images = set(images_with_curves(tables)[0])
    if not images:
        fault = f"{', '.join(codecs) or 'no codecs'}: no image is coded at every setting of all of them"
        raise InputError(no_curve(tables) or fault)
    rows = []
    for table in tables:
        own = [p for p in points if p.codec == table.codec and p.image in images and metric in p.values]
        for setting in table.settings:
            some = [p for p in own if p.setting == setting]
            numbers = [(p.bpp, p.values[metric], p.encode_seconds, p.decode_seconds) for p in some]
            rows.append((table.codec, setting, np.mean(numbers, axis=0)))
    costs = np.array([means for _, _, means in rows])
    if higher_is_better:
        costs[:, 1] *= -1
    chosen = efficient(costs[:, [AXES.index(axis) for axis in axes]])
    found = []
    for (codec, setting, means), best in zip(rows, chosen, strict=True):
        bpp, value, encode, decode = (float(v) for v in means)
        found.append(Candidate(codec, setting, len(images), bpp, value, encode, decode, bool(best)))
    return found
