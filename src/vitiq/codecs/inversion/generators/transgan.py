"""TransGAN as a generator for inversion: the weights that ship, a published checkpoint, or a file of
`vitiq train transgan`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from vitiq.codecs.inversion.generators.base import Generator, LatentLayer
from vitiq.errors import InputError, WeightsError
from vitiq.models.building import as_alone
from vitiq.models.principal_latents import PrincipalLatents
from vitiq.models.transgan import INDEX, TransGenerator, shape_of
from vitiq.weights.checkpoint import checked_tensors, names_tensor, read_checkpoint
from vitiq.weights.file import format_of, in_float, read_weights
from vitiq.weights.store import embedded_path, sha256_file

FORMAT = "vitiq-transgan-1"

EMBEDDED = "transgan_embedded.safetensors"
"""The weights that ship."""

ENCODER = "principal."
"""Begins the names of the tensors that predict a latent; published checkpoints have none."""

OFFICIAL = ("avg_gen_state_dict", "gen_state_dict")
"""Where the official checkpoints keep a generator, the averaged one first."""

POSITIONS = "pos_embed_1"
"""A tensor that every TransGAN generator has."""


class TransGanGenerator(Generator):
    """A frozen TransGAN with its single latent vector.

    Args:
        path: checkpoint of the official code (VITA-Group/TransGAN), or a file of `vitiq train transgan`; None for the
            file that ships with vitiq.

    Raises:
        WeightsError: missing, damaged, or of another layout.
    """

    name = "transgan"
    output_range = (-1.0, 1.0)

    @classmethod
    def detect(cls, path: Path) -> bool:
        """Whether `vitiq train transgan` or the official code wrote it."""
        return format_of(path) == FORMAT or names_tensor(path, POSITIONS)

    @as_alone()
    def __init__(self, path: Path | None = None) -> None:
        path = path or embedded_path(EMBEDDED)
        found = _state(path)
        encoder, state = ({k: v for k, v in found.items() if k.startswith(ENCODER) == own} for own in (True, False))
        try:
            self._network = TransGenerator(shape_of(state)).eval().requires_grad_(False)
            self._network.load_state_dict(state)
            shape = self._network.shape
            # Draw an image once: windows that do not fill a grid show here, not in the middle of a search.
            rebuilt = self._network(torch.zeros(1, shape.latent))
            self._encoder = PrincipalLatents(shape.resolution, shape.latent) if encoder else None
            if self._encoder is not None:
                self._encoder.load_state_dict({name.removeprefix(ENCODER): value for name, value in encoder.items()})
        except (KeyError, ValueError, IndexError, RuntimeError) as error:
            raise WeightsError(
                f"{path}: tensors do not form a TransGAN generator ({str(error).splitlines()[0]}); expected the layout "
                f"of VITA-Group/TransGAN's ViT_custom_rp or Celeba256_gen"
            ) from error
        if rebuilt.shape[1:] != (3, shape.resolution, shape.resolution):
            raise WeightsError(f"{path}: gives images of shape {tuple(rebuilt.shape)}, RGB expected")
        self.resolution = shape.resolution
        self.layers = (LatentLayer(shape.latent, 1, 1),)
        self.weights_sha256 = sha256_file(path)
        self.weights_bytes = path.stat().st_size

    def to(self, device: torch.device) -> TransGanGenerator:
        """The network on a device."""
        self._network.to(device)
        if self._encoder is not None:
            self._encoder.to(device)
        self.device = device
        return self

    def encode(self, target: Float[Tensor, "n 3 r r"]) -> list[Float[Tensor, "n _ 1 1"]] | None:
        """The latents that the training paired with such an image; None of weights that have none."""
        return None if self._encoder is None else [self._encoder(target)[:, :, None, None]]

    def generate(self, latents: Sequence[Float[Tensor, "n _ _ _"]]) -> Float[Tensor, "n 3 r r"]:
        """Images in about [-1, 1], not clipped. No noise is drawn, so that a latent gives one image.

        Raises:
            InputError: not exactly one latent layer.
        """
        if len(latents) != 1:
            raise InputError(f"{len(latents)} latent layers given, TransGAN has 1")
        image: Tensor = self._network(latents[0].flatten(1))
        return image


def _state(path: Path) -> dict[str, Tensor]:
    """Tensors of a generator under their official names."""
    if path.suffix == ".safetensors":
        return in_float(read_weights(path, FORMAT, "transgan")[0])
    loaded: Mapping[Any, Any] = read_checkpoint(path)
    state = next((loaded[key] for key in OFFICIAL if isinstance(loaded.get(key), Mapping)), loaded)
    named = {str(name).removeprefix("module."): value for name, value in state.items()}
    if not any(name == POSITIONS for name in named):
        raise WeightsError(f"{path}: holds no TransGAN generator; expected the official avg_gen_state_dict")
    kept = {name: value for name, value in named.items() if not name.endswith(INDEX)}
    return {name: value.float() for name, value in checked_tensors(path, kept).items()}
