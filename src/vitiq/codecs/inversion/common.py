"""What the two inversion codecs share and what needs no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitiq.bitstream import container as viq
from vitiq.codecs.viq_codec import check_weights, made_with, named_weights
from vitiq.optimise.settings import networks_of

if TYPE_CHECKING:
    from vitiq.codecs.inversion.generators import Generator

EMBEDDED = "embedded"
"""The generator where none is given."""

STRIDE = 64
"""Pixels that the sides of the working resolution are multiples of: the stride of the coarsest latents."""

LARGEST_AREA = 64
"""Largest working resolution in squares of the stride: the area of 512×512 pixels, of the generator's training."""

LONGEST_SIDE = 16
"""Longest side in strides."""


def networks_against(generator: Generator, loss: str) -> tuple[str, ...]:
    """Networks whose losses the generator was trained with or latents were searched by: they favour the result."""
    return generator.optimised_against + networks_of(loss)


def search_identity(generator: Generator, rate: float, device: str) -> dict[str, object]:
    """What a search's result depends on, beside the codec's options.

    Args:
        rate: learning rate.
    """
    from vitiq.models.device import device_identity  # noqa: PLC0415 - torch
    from vitiq.models.threads import SEARCH_THREADS  # noqa: PLC0415 - torch

    return {
        **device_identity(device),
        "generator": generator.name,
        "generator_sha256": generator.weights_sha256,
        "learning_rate": rate,
        "threads": SEARCH_THREADS,
    }


def generator_of(file: viq.Container, given: str, device: str) -> Generator:
    """The generator that a file was made with: the one given, which must be it, or else found by the file's hash.

    Args:
        given, device: the codec's options.

    Raises:
        InputError: a generator that does not run on the device.
        WeightsError: another one is given, or none of that hash is here.
    """
    from vitiq.codecs.inversion.generators import load_generator  # noqa: PLC0415 - torch

    generator = load_generator(given, device)
    if given == EMBEDDED and not made_with(file, generator.weights_sha256):
        return load_generator(str(named_weights(file, "generator")), device)
    check_weights(file, generator.weights_sha256, "generator", "give the right ones with --generator PATH")
    return generator
