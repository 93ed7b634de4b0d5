"""What the two inversion codecs share and what needs no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitiq.bitstream import container as viq
from vitiq.codecs.viq_codec import check_weights
from vitiq.optimise.settings import READS_VIT

if TYPE_CHECKING:
    from vitiq.codecs.inversion.generators import Generator

UNIT = 64
"""Pixels that a canvas's sides are multiples of: the stride of the coarsest latents."""

MOST_UNITS = 64
"""Largest canvas: the area of 512×512 pixels, at which the generator was trained."""

LONGEST = 16
"""Longest side in units."""


def networks_against(generator: Generator, loss: str) -> tuple[str, ...]:
    """Networks that looked on when the generator was trained or latents were searched."""
    names = ("generator-embedded",) if generator.name == "embedded" else ()
    return names + (("vit-embedded",) if loss in READS_VIT else ())


def check_generator(file: viq.Container, generator: Generator) -> None:
    """Raises WeightsError where the file was made with other weights than the generator's."""
    check_weights(file, generator.weights_sha256, "generator", "give the right ones with --generator PATH")
