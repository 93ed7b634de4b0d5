"""What metrics that are a function of two images' planes have in common: sizes, equal images, conditions, torch."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from jaxtyping import Float, Float64, UInt16

from vitiq.errors import InputError, UndefinedError
from vitiq.image.colour import luma709, yuv709_10bit_plane
from vitiq.image.shared import shared
from vitiq.metrics.base import PairMetric
from vitiq.types import ImageU8, Score

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

CTTC = "jpeg-ai-cttc"
"""JPEG AI's common training and test conditions: luma of BT.709, full range, rounded to 10 bits."""


class OfConditions(PairMetric):
    """A metric that JPEG AI's common test conditions compute in another way.

    Args:
        conditions: `jpeg-ai-cttc` for JPEG AI's, of a luma of BT.709 and 10 bits; nothing for the metric's own.

    Raises:
        InputError: any other conditions.
    """

    parameter = "conditions"

    def __init__(self, conditions: str = "") -> None:
        name = type(self).name
        if conditions not in ("", CTTC):
            raise InputError(f"{name}@{conditions} given, {name} or {name}@{CTTC} expected")
        self.ten_bits = bool(conditions)
        if conditions:
            self.name = f"{name}@{conditions}"


class MeasuredMetric(PairMetric):
    """A metric that `measure` gives as one number; equal images have the best value without a measurement."""

    kind = "full-reference"
    smallest: ClassVar[int] = 1
    settings: ClassVar[str]
    version: ClassVar[int] = 1
    """Of the values: the signature ends with it."""

    unmeasurable: ClassVar[str] = "an image without any detail has no value"
    """Why `measure` may give no number, for the reader."""

    def signature(self) -> str:
        """The settings of the class."""
        return f"{self.name}|{self.settings}|v{self.version}"

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """The value; InputError for sides below the smallest, NaN with the reason where it is not defined."""
        self.check_size(reference)
        best = self.range[self.higher_is_better] if self.identical is None else self.identical
        if not math.isnan(best) and np.array_equal(reference, distorted):
            return Score(best, self.signature())
        value = self.measure(reference, distorted)
        if math.isnan(value):
            raise UndefinedError(f"{self.title}: {self.unmeasurable}")
        return Score(value, self.signature())

    def check_size(self, image: ImageU8) -> None:
        """Raises InputError for an image that is too small."""
        height, width, _ = image.shape
        if min(height, width) < self.smallest:
            raise InputError(
                f"an image of {width}×{height} pixels given, {self.title} needs sides of at least {self.smallest}"
            )

    @abstractmethod
    def measure(self, reference: ImageU8, distorted: ImageU8) -> float:
        """The value of two different images of one size; NaN where there is none."""


class LumaMetric(OfConditions, MeasuredMetric):
    """A metric of the luma: BT.709, full range; rounded to 10 bits under JPEG AI's conditions."""

    def signature(self) -> str:
        """The settings of the class, and the luma."""
        return f"{self.name}|{self.settings}|luma:bt709-full{'-10bit' if self.ten_bits else ''}|v{self.version}"

    def plane(self, image: ImageU8) -> Float64[np.ndarray, "h w"]:
        """The luma, 0 … 255."""
        return luma_10bit(image) if self.ten_bits else luma709_plane(image)


@shared
def luma709_plane(image: ImageU8) -> Float64[np.ndarray, "h w"]:
    """BT.709 luma, 0 … 255."""
    return luma709(image)


@shared
def ten_bit_plane(image: ImageU8, plane: int) -> UInt16[np.ndarray, "h w"]:
    """Y, U or V (0, 1, 2) of BT.709, full range, 0 … 1023."""
    return yuv709_10bit_plane(image, plane)


@shared
def luma_10bit(image: ImageU8) -> Float64[np.ndarray, "h w"]:
    """BT.709 luma rounded to 10 bits, on the scale of 0 … 255."""
    return np.asarray(ten_bit_plane(image, 0) * (255 / 1023))


def on_tensors(function: Callable[..., Tensor], *arrays: Float[np.ndarray, ...]) -> float:
    """A function of tensors on arrays, without gradients."""
    import torch  # noqa: PLC0415 - imported where used

    with torch.no_grad():
        return float(function(*(torch.from_numpy(array) for array in arrays)))


def colour_planes(image: ImageU8, kind: type[np.floating] = np.float64) -> Float[np.ndarray, "3 h w"]:
    """R, G and B as planes of floats, 0 … 255."""
    return np.ascontiguousarray(image.transpose(2, 0, 1), dtype=kind)
