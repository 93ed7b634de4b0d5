"""The size at which a convolutional generator paints an image: as large as the budget of bytes can feed.

Latents of a large canvas cost bytes even where they say little. Below some rate a smaller canvas, enlarged by the
decoder, is closer to the image: at 700 bytes a quarter of the pixels wins by many decibels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from vitiq.codecs.inversion.common import LONGEST, UNIT
from vitiq.codecs.inversion.prior_integer import step_size
from vitiq.image.geometry import resize
from vitiq.types import ImageU8

if TYPE_CHECKING:
    from vitiq.codecs.inversion.generators.embedded import EmbeddedGenerator

AREAS = (64, 49, 36, 25, 16, 9, 4, 1)
"""Areas tried, in units, from the largest allowed."""

GUESS_ABOVE = 1.0
"""A canvas is taken if the encoder's guess costs at most this share of the budget."""


def canvases(width: int, height: int) -> list[tuple[int, int]]:
    """Canvases (width, height, in units) near an image's shape and no larger than it, largest first."""
    found: list[tuple[int, int]] = []
    most_wide, most_high = (min(LONGEST, -(-side // UNIT)) for side in (width, height))
    for area in AREAS:
        wide = max(1, min(most_wide, round((area * width / height) ** 0.5)))
        high = max(1, min(most_high, round((area * height / width) ** 0.5)))
        while wide * high > area:
            wide, high = (wide - 1, high) if wide > high else (wide, high - 1)
        if (wide, high) not in found:
            found.append((wide, high))
    return found


@torch.no_grad()
def choose(generator: EmbeddedGenerator, image: ImageU8, bits: float, step: int) -> tuple[int, int]:
    """The largest canvas (width, height, in units) whose latents the budget of `bits` can hold, else the smallest.

    Args:
        step: number of the quantisation step at which the encoder's guess is priced.
    """
    low, high = generator.output_range
    size = step_size(step)
    log_step = torch.full((1, 1, 1, 1), float(torch.tensor(size).log()))
    options = canvases(image.shape[1], image.shape[0])
    for wide, tall in options:
        pixels = torch.from_numpy(resize(image, wide * UNIT, tall * UNIT).copy()).permute(2, 0, 1)[None].float() / 255
        guess = generator.encode(pixels * (high - low) + low)
        cost = sum(float(b.sum()) for b in generator.prior.bits([torch.round(v / size) for v in guess], log_step))
        if cost <= GUESS_ABOVE * bits:
            return wide, tall
    return options[-1]
