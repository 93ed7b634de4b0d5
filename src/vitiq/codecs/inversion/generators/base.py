"""The contract of a frozen generator, as the inversion codec sees it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from vitiq.codecs.inversion.prior import LatentPrior
from vitiq.codecs.inversion.prior_integer import IntegerPrior
from vitiq.errors import InputError


@dataclass(frozen=True, slots=True)
class LatentLayer:
    """Shape of one latent layer: C×H×W. Layer 0 holds the published latent, C·H·W = 512."""

    channels: int
    height: int
    width: int

    @property
    def size(self) -> int:
        """Numbers in the layer."""
        return self.channels * self.height * self.width


class Generator(Protocol):
    """A frozen network G(latents) -> image. Inheriting from it gives what a generator need not have.

    Registered in the entry-point group `vitiq.generators`, a factory without arguments, or with the path of a
    checkpoint, makes it. A class that says in `detect` which files are its own is found by a path alone.

    Attributes:
        name: registered name.
        resolution: side of the square output in pixels.
        stride: multiples in pixels of other sizes that `at` can give; None for a fixed size.
        layers: latent layers, coarsest first. The published Progressive GAN has one, 512×1×1.
        output_range: range of the network's own output; the target is scaled to it.
        weights_sha256, weights_bytes: hash and size of the weights file.
        prior: differentiable rate of the latents (`prior.bits(symbols, log_step)`), or None.
        integer_prior: its exact integer twin, which the codec codes with, or None.
        optimised_against: networks whose losses it was trained with, by name or sha256.
        device: where it runs, and where latents and targets are expected.
    """

    name: str
    resolution: int
    stride: int | None = None
    layers: tuple[LatentLayer, ...]
    output_range: tuple[float, float]
    weights_sha256: str
    weights_bytes: int
    prior: LatentPrior | None = None
    integer_prior: IntegerPrior | None = None
    optimised_against: tuple[str, ...] = ()
    device: torch.device = torch.device("cpu")

    @classmethod
    def detect(cls, path: Path) -> bool:  # noqa: ARG003
        """Whether a file is a checkpoint of this kind, by its format or the names in it, and without loading it."""
        return False

    @abstractmethod
    def generate(self, latents: Sequence[Float[Tensor, "n _ _ _"]]) -> Float[Tensor, "n 3 r r"]:
        """Images in `output_range` (not clipped) from latents.

        Layers beyond those given count as zero, so `generate([z])` is the published single-latent mode.
        Differentiable with respect to the latents; the weights are frozen.
        """

    def encode(
        self,
        target: Float[Tensor, "n 3 r r"],  # noqa: ARG002
    ) -> list[Float[Tensor, "n _ _ _"]] | None:
        """Latents of a target in `output_range` to start a search from, or None if it has no encoder."""
        return None

    def to(self, device: torch.device) -> Generator:
        """The generator with all its networks on a device; `device` says so.

        Raises:
            InputError: another device than the CPU, by a generator that does not say how.
        """
        if device.type != "cpu":
            raise InputError(f"generator {self.name} runs on the CPU only, device {str(device)!r} given")
        return self

    def at(self, width: int, height: int) -> Generator:
        """The same network at another size, multiples of `stride`.

        Raises:
            InputError: a generator of a fixed size is asked for another.
        """
        if (width, height) != (self.resolution, self.resolution):
            raise InputError(f"generator {self.name} works at {self.resolution} pixels only, {width}×{height} given")
        return self
