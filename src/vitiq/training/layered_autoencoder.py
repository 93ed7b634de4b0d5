"""The embedded generator as it is trained: encoder, synthesis and prior in one module, and its weights file."""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vitiq.codecs.inversion.generators.embedded import FORMAT
from vitiq.codecs.inversion.generators.layered import CHANNELS, Encoder, Synthesis, encode_layers
from vitiq.codecs.inversion.prior import LatentPrior
from vitiq.codecs.inversion.prior_integer import export_prior
from vitiq.errors import WeightsError
from vitiq.weights.file import in_float, read_weights, stored, write_weights

PARTS = ("encoder.", "synthesis.", "prior.")


class LayeredAutoencoder(nn.Module):
    """Encoder, synthesis and prior, trained together; the codec uses them apart."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.synthesis = Synthesis()
        self.prior = LatentPrior(CHANNELS)

    def code(
        self, images: Float[Tensor, "n 3 s s"], step: Float[Tensor, "n 1 1 1"], *, vector: bool, rounded: bool
    ) -> tuple[list[Tensor], Float[Tensor, "n 3 s s"]]:
        """Latents at each image's quantisation step, layers above 0 zero for `vector`, and their reconstruction.

        Rounded as a codec does it, or with uniform noise in place of rounding.
        """

        def quantise(layer: int, latents: Tensor) -> Tensor:
            if vector and layer > 0:
                return torch.zeros_like(latents)
            if rounded:
                return torch.round(latents / step) * step
            return latents + (torch.rand_like(latents) - 0.5) * step

        return encode_layers(self.encoder, self.synthesis, images, quantise)

    def forward(
        self, images: Float[Tensor, "n 3 s s"], step: Float[Tensor, "n 1 1 1"], *, vector: bool, rounded: bool
    ) -> tuple[Float[Tensor, "n 3 s s"], Float[Tensor, " n"]]:
        """Reconstruction and bits per pixel at each image's quantisation step; `rounded` for validation."""
        latents, found = self.code(images, step, vector=vector, rounded=rounded)
        height, width = images.shape[2:]
        coded = latents[:1] if vector else latents
        # Only float32 distinguishes scales of half a symbol.
        with torch.autocast(images.device.type, enabled=False):
            bits = self.prior.bits([layer / step for layer in coded], torch.log(step))
        return found, torch.stack([layer.sum(dim=(1, 2, 3)) for layer in bits]).sum(dim=0) / (height * width)


def start_from(model: LayeredAutoencoder, path: Path) -> None:
    """Give a model the weights of an exported file.

    Raises:
        WeightsError: the file cannot be used.
    """
    tensors, _ = read_weights(path, FORMAT, "generator")
    try:
        model.load_state_dict({k: v for k, v in in_float(tensors).items() if k.startswith(PARTS)})
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(
            f"{path}: not weights of this model ({reason}); give a file of `vitiq train generator`"
        ) from error


def export_weights(model: LayeredAutoencoder, metadata: dict[str, object], path: Path) -> None:
    """Write the codec's weights file: kernels of residual blocks in 8 bits, the other networks in half precision.

    The prior stays in float32, beside its integer twin.

    Args:
        model: in training.
        metadata: of the training, for the file.
        path: of the file.
    """
    tensors: dict[str, Tensor] = {}
    for name, value in model.state_dict().items():
        if name.startswith("prior."):
            tensors[name] = value.cpu().contiguous()
        else:
            tensors |= stored(name, value)
    for name, array in export_prior(model.prior).items():
        tensors[f"integer_prior.{name}"] = torch.from_numpy(array.copy(order="C"))
    write_weights(path, tensors, {"format": FORMAT} | metadata)
