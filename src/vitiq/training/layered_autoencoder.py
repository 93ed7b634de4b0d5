"""The embedded generator as it is trained: encoder, synthesis and prior in one module, and its weights file."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vitiq.errors import WeightsError
from vitiq.models.entropy.integer_prior import export_prior
from vitiq.models.entropy.prior import LatentPrior
from vitiq.models.generators.embedded import FORMAT
from vitiq.models.generators.layered import CHANNELS, Encoder, Synthesis, encode_layers
from vitiq.models.weights_file import read_weights, write_weights

PARTS = ("encoder.", "synthesis.", "prior.")


class LayeredAutoencoder(nn.Module):
    """Encoder, synthesis and prior, trained together; the codec uses them apart."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.synthesis = Synthesis()
        self.prior = LatentPrior(CHANNELS)

    def code(
        self, pictures: Float[Tensor, "n 3 s s"], step: float, *, vector: bool, rounded: bool
    ) -> tuple[list[Tensor], Float[Tensor, "n 3 s s"]]:
        """Latents at a quantisation step, layers above 0 zero for `vector`, and their reconstruction.

        Rounded as a codec does it, or with uniform noise in place of rounding.
        """

        def quantise(layer: int, latents: Tensor) -> Tensor:
            if vector and layer > 0:
                return torch.zeros_like(latents)
            if rounded:
                return torch.round(latents / step) * step
            return latents + (torch.rand_like(latents) - 0.5) * step

        return encode_layers(self.encoder, self.synthesis, pictures, quantise)

    def forward(
        self, pictures: Float[Tensor, "n 3 s s"], step: float, *, vector: bool, rounded: bool
    ) -> tuple[Float[Tensor, "n 3 s s"], Tensor]:
        """Reconstruction and bits a pixel at a quantisation step; `rounded` for validation."""
        latents, painted = self.code(pictures, step, vector=vector, rounded=rounded)
        n, _, height, width = pictures.shape
        log_step = torch.full((n, 1, 1, 1), math.log(step), device=pictures.device)
        coded = latents[:1] if vector else latents
        bits = self.prior.bits([layer / step for layer in coded], log_step)
        return painted, torch.stack([layer.sum() for layer in bits]).sum() / (n * height * width)


def start_from(model: LayeredAutoencoder, path: Path) -> None:
    """Give a model the weights of an exported file.

    Raises:
        WeightsError: the file cannot be used.
    """
    tensors, _ = read_weights(path, FORMAT, "generator")
    try:
        model.load_state_dict({k: v.float() for k, v in tensors.items() if k.startswith(PARTS)})
    except RuntimeError as error:
        told = str(error).splitlines()[0]
        raise WeightsError(
            f"{path}: not weights of this model ({told}); give a file of `vitiq train generator`"
        ) from error


def export_weights(model: LayeredAutoencoder, facts: dict[str, object], path: Path) -> None:
    """Write the codec's weights file: half-precision networks, float32 prior and its integer twin.

    Args:
        facts: of the training, for the file's metadata.
    """
    tensors: dict[str, Tensor] = {}
    for name, value in model.state_dict().items():
        dtype = torch.float32 if name.startswith("prior.") else torch.float16
        tensors[name] = value.cpu().to(dtype).contiguous()
    for name, array in export_prior(model.prior).items():
        tensors[f"integer_prior.{name}"] = torch.from_numpy(array.copy(order="C"))
    write_weights(path, tensors, {"format": FORMAT} | facts)
