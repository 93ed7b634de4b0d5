"""Rate-distortion points as rows, and gathered into a table a codec.

A row is one image, coded by one codec at one setting. Mean curves are means of the rows of one setting over the same
images at every setting, so that no setting's mean is of other images than its neighbour's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from jaxtyping import Float

from vitiq.errors import InputError
from vitiq.types import Score


@dataclass(frozen=True, slots=True)
class RdPoint:
    """One file.

    Attributes:
        image: name, unique in its study; of a published mean, the name of the image set.
        codec: label of the codec, with the options that differ from its defaults.
        setting: what the codec was asked for, such as "quality=30" or "bpp=0.25"; equal for all images of one point.
        bpp: bits of the whole file a pixel.
        values: metric -> value, as `Metric` defines it; may be infinite or NaN.
        bytes: of the whole file; NaN where only a mean is known.
        encode_seconds, decode_seconds: NaN where unknown.
        aggregate: whether this is a published mean over images, not one image.
    """

    image: str
    codec: str
    setting: str
    bpp: float
    values: Mapping[str, float] = field(default_factory=dict)
    bytes: float = float("nan")
    encode_seconds: float = float("nan")
    decode_seconds: float = float("nan")
    aggregate: bool = False


class RecordLike(Protocol):
    """What a record of a study must have to become a point."""

    @property
    def image(self) -> str: ...  # noqa: D102
    @property
    def label(self) -> str: ...  # noqa: D102
    @property
    def rate_kind(self) -> str: ...  # noqa: D102
    @property
    def rate_value(self) -> float: ...  # noqa: D102
    @property
    def bytes(self) -> int: ...  # noqa: D102
    @property
    def bpp(self) -> float: ...  # noqa: D102
    @property
    def encode_seconds(self) -> float: ...  # noqa: D102
    @property
    def decode_seconds(self) -> float: ...  # noqa: D102
    @property
    def scores(self) -> Mapping[str, Score]: ...  # noqa: D102
    @property
    def error(self) -> str | None: ...  # noqa: D102


def points_of(records: Iterable[RecordLike]) -> list[RdPoint]:
    """Points of a study's records; failed tasks have none."""
    return [
        RdPoint(
            image=r.image,
            codec=r.label,
            setting=f"{r.rate_kind}={r.rate_value:g}",
            bpp=float(r.bpp),
            values={name: score.value for name, score in r.scores.items()},
            bytes=float(r.bytes),
            encode_seconds=float(r.encode_seconds),
            decode_seconds=float(r.decode_seconds),
        )
        for r in records
        if r.error is None
    ]


@dataclass(frozen=True, slots=True)
class CodecTable:
    """One codec's points of one metric as images × settings, without holes.

    Attributes:
        codec: label.
        images, settings: names of the rows and columns.
        rate: bits per pixel.
        value: of the metric, in its own direction; may be infinite or NaN.
        aggregate: whether the one row is a published mean.
        notes: images that were left out.
        scattered: no row is whole, as each image has one point, at a setting of its own.
        unscored: number of those that were left out as a file of theirs has no value of the metric.
    """

    codec: str
    images: tuple[str, ...]
    settings: tuple[str, ...]
    rate: Float[np.ndarray, "images settings"]
    value: Float[np.ndarray, "images settings"]
    aggregate: bool
    notes: tuple[str, ...] = ()
    scattered: bool = False
    unscored: int = 0

    def of_images(self, images: Sequence[str]) -> CodecTable:
        """The rows of some images, in their order."""
        places = {name: row for row, name in enumerate(self.images)}
        rows = [places[name] for name in images]
        return replace(self, images=tuple(images), rate=self.rate[rows], value=self.value[rows])


def no_curve(tables: Sequence[CodecTable]) -> str | None:
    """Why codecs without one point a setting have no curve, and what gives them one; None where there are none."""
    names = [table.codec for table in tables if table.scattered]
    if not names:
        return None
    return (
        f"{', '.join(names)}: one file an image, each of a size of its own, as `vitiq run` makes them at equal bytes, "
        "so there is no curve; run `vitiq bench` with several qualities"
    )


def codecs_of(points: Sequence[RdPoint]) -> list[str]:
    """Labels of the codecs, in order of appearance."""
    return list(dict.fromkeys(p.codec for p in points))


def metrics_of(points: Sequence[RdPoint]) -> list[str]:
    """Names of the metrics, in order of appearance."""
    return list(dict.fromkeys(name for p in points for name in p.values))


def gather(points: Sequence[RdPoint], codec: str, metric: str) -> CodecTable:
    """A codec's points of a metric; images that lack a setting are left out, with a note.

    Raises:
        InputError: no such codec, no value of the metric, or an image twice at one setting.
    """
    own = [p for p in points if p.codec == codec]
    if not own:
        raise InputError(f"codec {codec!r} given, expected one of {', '.join(codecs_of(points)) or 'none: no points'}")
    coded = {(p.image, p.setting) for p in own}
    own = [p for p in own if metric in p.values]
    if not own:
        known = metrics_of([p for p in points if p.codec == codec]) or ["none"]
        raise InputError(f"metric {metric!r} given, of which {codec} has no value; it has {', '.join(known)}")
    cells: dict[tuple[str, str], RdPoint] = {}
    for p in own:
        if cells.setdefault((p.image, p.setting), p) is not p:
            raise InputError(f"{codec}: {p.image} appears twice at {p.setting}; give each image and setting once")
    settings = list(dict.fromkeys(p.setting for p in own))
    images = list(dict.fromkeys(p.image for p in own))
    whole = [i for i in images if all((i, s) in cells for s in settings)]
    unscored = sum(all((i, s) in coded for s in settings) for i in images) - len(whole)
    uncoded = len(images) - len(whole) - unscored
    reasons = {"not coded at every setting": uncoded, f"no {metric} at every setting": unscored}
    notes = tuple(f"{codec}: {n} of {len(images)} images left out: {why}" for why, n in reasons.items() if n)
    shape = len(whole), len(settings)
    rate = np.array([cells[i, s].bpp for i in whole for s in settings], dtype=np.float64).reshape(shape)
    value = np.array([cells[i, s].values[metric] for i in whole for s in settings], dtype=np.float64).reshape(shape)
    scattered = not whole and not unscored and len(own) == len(images)
    return CodecTable(
        codec,
        tuple(whole),
        tuple(settings),
        rate,
        value,
        own[0].aggregate,
        notes,
        scattered=scattered,
        unscored=unscored,
    )
