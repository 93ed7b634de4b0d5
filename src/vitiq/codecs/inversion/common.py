"""What the two inversion codecs share and what needs no torch: settings of a search, checks of a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Int64

from vitiq.bitstream import container as viq
from vitiq.codecs.inversion.latent_coding import symbols_crc
from vitiq.errors import BitstreamError, InputError, WeightsError

if TYPE_CHECKING:
    from vitiq.codecs.inversion.generators import Generator

WEIGHTS_PREFIX = 8
"""Bytes of the generator's sha256 that a file carries."""

UNIT = 64
"""Pixels that a canvas's sides are multiples of: the stride of the coarsest latents."""

MOST_UNITS = 64
"""Largest canvas: the area of 512×512 pixels, at which the generator was trained."""

LONGEST = 16
"""Longest side in units."""

READS_VIT = frozenset({"vit", "perceptual"})
"""Losses that look through the embedded ViT, which should then not be the judge."""


def tuners(generator: Generator, loss: str) -> list[str] | None:
    """What looked through a ViT when the generator was trained or latents were searched; None for nothing."""
    names = ["generator-embedded"] if generator.name == "embedded" else []
    return names + (["vit-embedded"] if loss in READS_VIT else []) or None


OptimiserName = Literal["adam", "sgd"]
OPTIMISERS: tuple[OptimiserName, ...] = ("adam", "sgd")


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """How latents are searched.

    Attributes:
        iterations: at most this many, at least 1.
        optimiser: `sgd` as the thesis (learning rate 1, momentum 0.9, reduced by 10 on a plateau of
            10 iterations, threshold 1e-4 relative), or `adam` with cosine decay.
        learning_rate: first learning rate; None for 1.0 with sgd, 0.2 with adam.
        preview_every: iterations between preview images.
    """

    iterations: int
    optimiser: OptimiserName = "adam"
    learning_rate: float | None = None
    preview_every: int = 250

    def __post_init__(self) -> None:
        if self.iterations < 1:
            raise InputError(f"{self.iterations} iterations given, at least 1 expected")
        if self.preview_every < 1:
            raise InputError(f"a preview every {self.preview_every} iterations given, at least 1 expected")
        if self.optimiser not in OPTIMISERS:
            raise InputError(f"optimiser {self.optimiser!r} given, expected one of {', '.join(OPTIMISERS)}")

    @property
    def rate(self) -> float:
        """The first learning rate."""
        if self.learning_rate is not None:
            return self.learning_rate
        return 1.0 if self.optimiser == "sgd" else 0.2


def check_weights(file: viq.Container, generator: Generator) -> None:
    """Raises WeightsError where the file was made with other weights than the generator's."""
    if not bytes.fromhex(generator.weights_sha256).startswith(file.weights) or len(file.weights) != WEIGHTS_PREFIX:
        raise WeightsError(
            f"the file needs generator weights with sha256 {file.weights.hex()}…, those at hand are "
            f"{generator.weights_sha256[: 2 * WEIGHTS_PREFIX]}…; give the right ones with --generator PATH"
        )


def check_symbols(file: viq.Container, symbols: Sequence[Int64[np.ndarray, ...]]) -> None:
    """Raises BitstreamError where decoded symbols differ from those encoded."""
    if symbols_crc(symbols) != file.symbols_crc:
        raise BitstreamError("decoded symbols do not match their checksum; the file is damaged")


def check_choice(what: str, value: object, known: Sequence[str]) -> None:
    """Raises InputError where a named option is not one of those known."""
    if value not in known:
        raise InputError(f"{what} {value!r} given, expected one of {', '.join(known)}")
