"""The embedded generator: the offline default of the inversion codec, trained by `vitiq train generator`.

Three latent layers (8×8×8 = 512 numbers, 12×16×16, 16×32×32) give a 512×512 image in [0, 1]. It brings
what a codec needs to code its latents: `prior` (float, to optimise with) and `integer_prior` (exact, to code with).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from copy import copy
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from vitiq.codecs.inversion.generators.base import Generator, LatentLayer
from vitiq.codecs.inversion.generators.layered import CHANNELS, STRIDES, Encoder, Synthesis, encode_layers
from vitiq.codecs.inversion.prior import LatentPrior
from vitiq.codecs.inversion.prior_integer import IntegerPrior
from vitiq.errors import InputError, WeightsError
from vitiq.models.building import as_alone
from vitiq.weights.file import format_of, in_float, read_weights

FORMAT = "vitiq-layered-generator-2"
WEIGHTS = Path(__file__).parents[3] / "weights" / "generator_embedded.safetensors"


class EmbeddedGenerator(Generator):
    """The layered generator from a weights file.

    Args:
        path: weights in safetensors; None for the file that ships with vitiq.

    Attributes:
        prior: float prior of the latent layers, frozen; differentiable rate for optimisation.
        integer_prior: its exact twin with frequency tables, for coding.
        steps_trained: optimiser steps behind the weights.

    Raises:
        WeightsError: the file is missing, damaged or of another format.
    """

    name = "embedded"
    stride = 64
    optimised_against = ("generator-embedded",)
    prior: LatentPrior
    integer_prior: IntegerPrior

    @classmethod
    def detect(cls, path: Path) -> bool:
        """Whether `vitiq train generator` wrote it."""
        return format_of(path) == FORMAT

    @as_alone()
    def __init__(self, path: Path | None = None) -> None:
        path = path or WEIGHTS
        tensors, metadata = read_weights(path, FORMAT, "generator")
        data = path.read_bytes()
        self.weights_sha256 = hashlib.sha256(data).hexdigest()
        self.weights_bytes = len(data)
        self.resolution = 512
        self.output_range = (0.0, 1.0)
        self.layers = _layers(self.resolution, self.resolution)
        self.steps_trained = int(str(metadata.get("steps", 0)))
        self._encoder, self._synthesis, self.prior = Encoder(), Synthesis(), LatentPrior(CHANNELS)
        floats = in_float(tensors)
        try:
            for prefix, module in (
                ("encoder.", self._encoder),
                ("synthesis.", self._synthesis),
                ("prior.", self.prior),
            ):
                part = {k[len(prefix) :]: v for k, v in floats.items() if k.startswith(prefix)}
                module.load_state_dict(part)
                module.requires_grad_(False)
                module.eval()
            # The layout in which convolutions are fastest.
            self._synthesis.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            integers = {
                k[len("integer_prior.") :]: v.numpy() for k, v in tensors.items() if k.startswith("integer_prior.")
            }
            self.integer_prior = IntegerPrior(integers, CHANNELS)
        except (RuntimeError, KeyError, ValueError) as error:
            raise WeightsError(
                f"{path}: tensors do not fit the layered generator ({str(error).splitlines()[0]}); "
                f"reinstall vitiq or train the file again with `vitiq train generator`"
            ) from error

    def to(self, device: torch.device) -> EmbeddedGenerator:
        """The networks on a device."""
        for module in (self._encoder, self._synthesis, self.prior):
            module.to(device)
        self.device = device
        return self

    def at(self, width: int, height: int) -> EmbeddedGenerator:
        """The same networks at `width`×`height` pixels, multiples of 64; only `layers` differ."""
        other = copy(self)
        other.layers = _layers(width, height)
        return other

    def generate(self, latents: Sequence[Float[Tensor, "n _ _ _"]]) -> Float[Tensor, "n 3 h w"]:
        """Images in [0, 1], not clipped; missing finer layers count as zero."""
        if not latents:
            raise InputError("no latents given: the generator needs at least layer 0 (n×8×8×8)")
        layers = list(latents)
        for shape in self.layers[len(layers) :]:
            layers.append(layers[0].new_zeros(len(layers[0]), shape.channels, shape.height, shape.width))
        rebuilt: Tensor = self._synthesis(layers)
        return rebuilt

    @torch.no_grad()
    def encode(self, target: Float[Tensor, "n 3 h w"]) -> list[Float[Tensor, "n _ _ _"]]:
        """Latents of the trained encoder, not quantised."""
        latents, _ = encode_layers(self._encoder, self._synthesis, target, lambda _, latents: latents)
        return latents


def _layers(width: int, height: int) -> tuple[LatentLayer, ...]:
    return tuple(LatentLayer(c, height // s, width // s) for c, s in zip(CHANNELS, STRIDES, strict=True))
