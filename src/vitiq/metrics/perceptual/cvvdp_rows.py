"""ColorVideoVDP of large images, some rows at a time, by the functions of its package.

The package holds every band of both images at once, some 450 bytes a pixel. Its pyramid and its masking reach few rows
and its pooling is a sum over all pixels, so that parts with enough rows around them give the same sum.
"""

from __future__ import annotations

import math
from copy import copy
from typing import Any, Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from vitiq.types import ImageU8

LARGE = 2**20
"""Pixels of an image that goes through the package in one piece."""

PYRAMID_REACH = 10
"""Rows that halving and doubling reach, rounded up."""

EPSILON = 1e-5
"""Is added by the package's powers, which are differentiable at 0."""

BASE_FREQUENCY = 0.1
"""Cycles per degree at which the package takes the sensitivity of its last band."""

Channels = Float[Tensor, "1 6 1 h w"]
"""Achromatic, red-green and yellow-violet, of the test and of the reference image each."""


class Level(Protocol):
    """One level of a pyramid.

    Attributes:
        height, width: in pixels.
    """

    height: int
    width: int

    def rows(self, top: int, bottom: int) -> Channels:
        """Some of its rows."""
        ...


class ImageLevel:
    """The light that a display makes of two images, made for the rows that are asked for."""

    def __init__(self, model: Any, reference: ImageU8, distorted: ImageU8) -> None:
        self.height, self.width, _ = reference.shape
        self._model, self._images = model, (distorted, reference)
        self._space = "logLMS_DKLd65" if model.contrast == "log" else "DKLd65"

    def rows(self, top: int, bottom: int) -> Channels:
        """The rows in the package's colour space."""
        from pycvvdp.video_source import video_source_array  # noqa: PLC0415 - an extra

        parts = [image[top:bottom] for image in self._images]
        source = video_source_array(*parts, 0, dim_order="HWC", display_photometry=self._model.display_photometry)
        found: Channels = self._model.read_block_of_frames(source, 3, None, 1, self._space, 0, 1)
        return found


class TensorLevel:
    """A level that is held whole."""

    def __init__(self, values: Channels) -> None:
        self.height, self.width = values.shape[-2:]
        self._values = values

    def rows(self, top: int, bottom: int) -> Channels:
        """A view."""
        return self._values[..., top:bottom, :]


def can_go_by_rows(model: Any) -> bool:
    """Whether the package's model has the masking that this module knows the reach of."""
    return model.masking_model.endswith("mutual") and isinstance(model.beta, Tensor)


def jod_by_rows(model: Any, reference: ImageU8, distorted: ImageU8, pixels: int = LARGE) -> float:
    """What the package's `predict` gives for two images, to 1e-5.

    Args:
        model: a `pycvvdp.cvvdp`.
        pixels: of each level at a time.
    """
    level: Level = ImageLevel(model, reference, distorted)
    pyramid = _pyramid(model, level)
    last = pyramid.get_band_count() - 1
    found = []
    for band, frequency in enumerate(pyramid.get_freqs()[:last]):
        scale = 1.0 if band == 0 else 2.0
        found.append(_pooled_band(model, pyramid, level, frequency=frequency, scale=scale, pixels=pixels))
        level = TensorLevel(_halved(pyramid, level, pixels))
    layer, background = _contrast(pyramid, level.rows(0, level.height), 0)
    base = (layer[:, 0::2] - layer[:, 1::2]).abs() * _sensitivity(model, background, BASE_FREQUENCY)
    found.append(model.lp_norm(base, model.beta, dim=(-2, -1), normalize=True, keepdim=False))
    return float(model.do_pooling_and_jods(torch.stack(found, dim=-1)))


def _pyramid(model: Any, level: Level) -> Any:
    from pycvvdp import lpyr_dec  # noqa: PLC0415 - an extra

    kind = lpyr_dec.log_contrast_pyr if model.contrast.startswith("log") else lpyr_dec.weber_contrast_pyr
    return kind(level.width, level.height, model.pix_per_deg, model.device, contrast=model.contrast)


def _contrast(pyramid: Any, rows: Channels, bands: int) -> tuple[Tensor, Tensor]:
    """The first band of a pyramid of so many bands and a rest, and the logarithm of its background."""
    short = copy(pyramid)
    short.height = bands
    layers, backgrounds = short.decompose(rows)
    return layers[0], backgrounds[0]


def _sensitivity(model: Any, background: Tensor, frequency: float) -> Tensor:
    """Of the three channels, for the reference's background."""
    found = [
        model.csf.sensitivity(frequency, model.omega[0], background[..., 1:2, :, :, :], channel, model.csf_sigma)
        for channel in range(3)
    ]
    gain = math.pow(10.0, float(model.sensitivity_correction) / 20.0)
    return torch.cat(found, dim=1) * gain


def _part(level: Level, top: int, bottom: int, reach: int) -> tuple[int, int]:
    """First and last row to read for some rows.

    The package mirrors columns by whether the number of rows is odd, so that a part's is as the level's.
    """
    first, end = max(0, top - reach), min(level.height, bottom + reach)
    return first, end + (end < level.height and (end - first) % 2 != level.height % 2)


def _pooled_band(
    model: Any, pyramid: Any, level: Level, *, frequency: float, scale: float, pixels: int
) -> Float[Tensor, "1 3 1"]:
    """The norm over the pixels of one band's visible differences."""
    reach = 2 * (int(2 * model.pu_dilate) // 2 + 1) + PYRAMID_REACH
    step = max(2, pixels // level.width // 2 * 2)
    power = float(model.beta)
    total = torch.zeros(1, 3, 1, dtype=torch.float64)
    for top in range(0, level.height, step):
        bottom = min(level.height, top + step)
        first, end = _part(level, top, bottom, reach)
        layer, background = _contrast(pyramid, level.rows(first, end), 1)
        layer = layer * scale
        sensitivity = _sensitivity(model, background, frequency)
        seen = model.apply_masking_model(layer[:, 0::2], layer[:, 1::2], sensitivity)[
            ..., top - first : bottom - first, :
        ]
        total += ((seen + EPSILON) ** power - EPSILON**power).sum(dim=(-2, -1), dtype=torch.float64)
    mean: Tensor = total / (level.height * level.width)
    norm: Tensor = (mean + EPSILON) ** (1 / power) - EPSILON ** (1 / power)
    return norm.float()


def _halved(pyramid: Any, level: Level, pixels: int) -> Channels:
    """The next level."""
    step = max(2, pixels // level.width // 2 * 2)
    parts = []
    for top in range(0, level.height, step):
        bottom = min(level.height, top + step)
        first, end = _part(level, top, bottom, PYRAMID_REACH)
        smaller = pyramid.gausspyr_reduce(level.rows(first, end).contiguous())
        parts.append(smaller[..., (top - first) // 2 : (bottom - first + 1) // 2, :])
    return torch.cat(parts, dim=-2)
