"""Small types that every room shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from jaxtyping import UInt8

ImageU8: TypeAlias = UInt8[np.ndarray, "h w 3"]
"""numpy uint8, H×W×3, sRGB, C-contiguous: the only image type between rooms."""


@dataclass(frozen=True, slots=True)
class Score:
    """One value of one metric.

    Attributes:
        value: the number, in the metric's unit; NaN where the metric is undefined.
        signature: names everything that changes the value (weights hash, resize, K, data range, …).
        details: what a reader needs to judge the number (chance level, p-value, label table, …);
            JSON-serialisable values only.
    """

    value: float
    signature: str
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Progress:
    """State of a codec that optimises, handed to its progress callback.

    Attributes:
        iteration: iterations done so far, 0 … total.
        total: iterations planned.
        loss: current value of the loss that is minimised.
        preview: the reconstruction at this iteration, every `preview_every` iterations; else None.
    """

    iteration: int
    total: int
    loss: float
    preview: ImageU8 | None = None


ProgressCallback: TypeAlias = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the results: one image × codec × quality.

    Attributes:
        image: name of the image (relative stem with suffix).
        codec: codec name.
        quality: the codec's quality setting.
        width, height: pixels of the original.
        bytes: size of the whole compressed file.
        bpp: bytes × 8 / pixels.
        encode_seconds, decode_seconds: wall time.
        scores: metric key -> value.
        details: versions, weights hashes, settings, seed, device, signatures, notes (JSON-serialisable).
    """

    image: str
    codec: str
    quality: float
    width: int
    height: int
    bytes: int
    bpp: float
    encode_seconds: float
    decode_seconds: float
    scores: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, object] = field(default_factory=dict)
