"""The resolution at which a convolutional generator works: as large as the budget of bytes can feed.

Latents of a large image cost bytes even where they say little. Below some rate a smaller image, enlarged by the
decoder, is closer: at 700 bytes a quarter of the pixels wins by many decibels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from vitiq.codecs.inversion.common import LONGEST_SIDE, STRIDE
from vitiq.codecs.inversion.prior_integer import step_size
from vitiq.image.geometry import resize
from vitiq.models.tensors import to_tensor
from vitiq.types import ImageU8

if TYPE_CHECKING:
    from vitiq.codecs.inversion.generators import Generator

AREAS = (64, 49, 36, 25, 16, 9, 4, 1)
"""Areas tried, in squares of the stride, from the largest allowed."""

LARGEST_SHARE = 1.0
"""A resolution is taken if the encoder's latents cost at most this share of the budget."""


def resolutions(width: int, height: int) -> list[tuple[int, int]]:
    """Resolutions (width, height, in strides) near an image's shape and no larger than it, largest first."""
    found: list[tuple[int, int]] = []
    most_wide, most_high = (min(LONGEST_SIDE, -(-side // STRIDE)) for side in (width, height))
    for area in AREAS:
        wide = max(1, min(most_wide, round((area * width / height) ** 0.5)))
        high = max(1, min(most_high, round((area * height / width) ** 0.5)))
        while wide * high > area:
            wide, high = (wide - 1, high) if wide > high else (wide, high - 1)
        if (wide, high) not in found:
            found.append((wide, high))
    return found


@torch.no_grad()
def choose(generator: Generator, image: ImageU8, bits: float, step: int) -> tuple[int, int]:
    """The largest resolution (width, height, in strides) whose latents fit in `bits`, else the smallest.

    Args:
        generator: with an encoder and a prior; one of a fixed size leaves no choice.
        step: number of the quantisation step at which the encoder's latents are counted.
    """
    if generator.stride is None or generator.prior is None:
        return generator.resolution // STRIDE, generator.resolution // STRIDE
    low, high = generator.output_range
    size = step_size(step)
    log = float(torch.tensor(size, dtype=torch.float32).log())
    log_step = torch.full((1, 1, 1, 1), log, dtype=torch.float32, device=generator.device)
    options = resolutions(image.shape[1], image.shape[0])
    for wide, tall in options:
        pixels = to_tensor(resize(image, wide * STRIDE, tall * STRIDE), generator.device)
        latents = generator.encode(pixels * (high - low) + low) or []
        cost = sum(float(b.sum()) for b in generator.prior.bits([torch.round(v / size) for v in latents], log_step))
        if cost <= LARGEST_SHARE * bits:
            return wide, tall
    return options[-1]
