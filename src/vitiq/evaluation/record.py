"""One result: one image, one codec with its settings, one rate; what the file weighs and how it scores.

A record is what reports, curves and tables read. It never holds pixels; `vitiq.evaluation.store.Store` says where the
files that belong to it lie.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from vitiq.types import RateKind, Score


@dataclass(frozen=True, slots=True)
class Record:
    """One image × codec × rate.

    Attributes:
        key: of the encode, a sha256 in hexadecimal: the same pixels, codec identity and rate have the same key.
        image: name of the image, unique in its study; bytes that are not UTF-8 stand as backslash escapes.
        image_sha256: of the original's pixels as read.
        codec: registered name.
        label: the codec's title with the options that differ from its defaults, for curves and tables.
        settings: the codec's `identity()`: everything that changes what it writes.
        rate_kind: what was asked for: a quality, bytes, or bits per pixel.
        rate_value: the number that was asked for, in the unit of `rate_kind`.
        quality: quality setting of the file that was written; None where the codec has none, or the task failed.
        reached: False where the file could not be kept within what was asked for.
        width, height: of the image in pixels.
        bytes: size of the whole compressed file; 0 where the task failed.
        bpp: bytes × 8 / pixels; NaN where the task failed.
        encode_seconds, decode_seconds: wall time; NaN where not measured.
        scores: metric key -> score.
        notes: what a reader of the numbers should know.
        error: why there is no file, in one line; None where there is one.
        unscored: why some of its scores could not be made; None where none failed. Those that were made count.
        details: JSON-serialisable: title, group, extension, original_bytes, sections, shared_bytes, versions,
            optimised_against, device, seed, …
    """

    key: str
    image: str
    image_sha256: str
    codec: str
    label: str
    settings: Mapping[str, object]
    rate_kind: RateKind
    rate_value: float
    quality: float | None
    reached: bool
    width: int
    height: int
    bytes: int
    bpp: float
    encode_seconds: float
    decode_seconds: float
    scores: Mapping[str, Score] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    error: str | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    unscored: str | None = None

    @property
    def failure(self) -> str | None:
        """What went wrong with the task, be it its file or one of its scores."""
        return self.error or self.unscored

    @property
    def nearest(self) -> bool:
        """Whether the file is the closest to a number of bytes, and may be larger, not the best of at most so many."""
        return self.rate_kind == "bytes" and self.details.get("group") == "equal-bytes"

    def value(self, metric: str) -> float:
        """A metric's value; NaN where it was not asked for or is not defined."""
        score = self.scores.get(metric)
        return math.nan if score is None else score.value
