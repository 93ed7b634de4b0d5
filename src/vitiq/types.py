"""Small types that every package shares."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from jaxtyping import UInt8

from vitiq.errors import InputError, SettingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

if TYPE_CHECKING:
    # Type checkers read jaxtyping's arrays as arrays of anything.
    ImageU8: TypeAlias = NDArray[np.uint8]
else:
    ImageU8 = UInt8[np.ndarray, "_ _ 3"]
"""numpy uint8, H×W×3, sRGB, C-contiguous: the only image type between packages."""


def check_image(image: object) -> None:
    """Refuse what is not an `ImageU8`.

    Raises:
        InputError: not a NumPy array H×W×3 of uint8 with at least one pixel; says what was given.
    """
    given = type(image).__name__
    if isinstance(image, np.ndarray):
        if image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and image.size:
            return
        given = f"an array of shape {image.shape} and {image.dtype}"
    raise InputError(
        f"{given} given as an image, a NumPy array H×W×3 of uint8 expected (sRGB, at least 1×1 pixel); "
        "vitiq.load_image makes one of files and other arrays"
    )


def read_only(image: ImageU8) -> ImageU8:
    """The image as code of plug-ins gets it: what is written there would change what others read. No copy is made."""
    if not image.flags.writeable:
        return image
    view = image.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True, slots=True)
class Quality:
    """A rate given as a codec's own quality setting.

    Raises:
        SettingError: not a finite number.
    """

    value: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise SettingError(f"quality {self.value} given, a finite number expected")


@dataclass(frozen=True, slots=True)
class Bytes:
    """A rate given as the most bytes that the whole file may have.

    Raises:
        SettingError: not a whole number from 1.
    """

    count: int

    def __post_init__(self) -> None:
        whole = isinstance(self.count, int) or (math.isfinite(self.count) and self.count == int(self.count))
        if not whole or self.count < 1:
            raise SettingError(f"{self.count} bytes given for a file, a whole number from 1 expected")
        object.__setattr__(self, "count", int(self.count))

    @classmethod
    def per_pixel(cls, bpp: float, width: int, height: int) -> Bytes:
        """The most bytes that are no more than `bpp` bits per pixel of a width×height image, at least 1.

        Raises:
            SettingError: bpp is not a finite number above 0.
        """
        if not (math.isfinite(bpp) and bpp > 0):
            raise SettingError(f"{bpp:g} bits per pixel given, a finite number above 0 expected")
        wanted, pixels = float(bpp), width * height
        count = math.floor(min(wanted * pixels / 8, 2.0**62))
        # The product is rounded: 0.3 of 80 pixels must give the 3 bytes whose 8 · 3 / 80 is the same number as 0.3.
        count += 8 * (count + 1) / pixels <= wanted
        count -= 8 * count / pixels > wanted
        return cls(max(1, count))


RateKind: TypeAlias = Literal["quality", "bytes", "bpp"]
"""How a rate is written: a quality, at most so many bytes, or bits per pixel."""

Rate: TypeAlias = Quality | Bytes
"""How large a file may be, or how good: what `Codec.encode` is asked for."""


@dataclass(frozen=True, slots=True)
class Score:
    """One value of one metric.

    Attributes:
        value: the number, in the metric's unit; NaN if the metric is undefined.
        signature: names everything that affects the value (weights hash, resize, K, data range, …).
        details: what helps to interpret the number (chance level, p-value, label table, …);
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
