"""Latents of images without an encoder that learns: their whitened principal components.

A generator that is also to give back an image from these learns what images look like in fewer steps than from a
discriminator's verdicts alone. Each component has mean 0 and variance 1 over the training images, as what is drawn has,
and none is correlated with another. A search for the latent of an image starts there too.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

SIDE = 16
"""Side in pixels that images are averaged to first; smaller ones stay as they are."""

SMALLEST_VARIANCE = 1e-6
"""Of a component; what few images leave at nothing is not blown up."""


class PrincipalLatents(nn.Module):
    """A fixed linear map from images to latents; kept with what is learned, since signs differ between machines.

    Args:
        resolution: side of the images in pixels.
        latent: numbers in a latent, 3·min(resolution, 16)² at most.
    """

    def __init__(self, resolution: int, latent: int) -> None:
        super().__init__()
        self.side = min(SIDE, resolution)
        self.register_buffer("mean", torch.zeros(3 * self.side**2))
        self.register_buffer("components", torch.zeros(3 * self.side**2, latent))

    def fit(self, batches: Iterable[Float[Tensor, "_ 3 r r"]]) -> None:
        """Find the components of images."""
        pixels = torch.cat([self._pixels(batch) for batch in batches]).double()
        mean = pixels.mean(dim=0)
        variances, vectors = torch.linalg.eigh(torch.cov(pixels.T))
        components = self.get_buffer("components")
        chosen = slice(-components.shape[1], None)
        components.copy_(vectors[:, chosen] * variances[chosen].clamp(min=SMALLEST_VARIANCE).rsqrt())
        self.get_buffer("mean").copy_(mean)

    def forward(self, images: Float[Tensor, "n 3 r r"]) -> Float[Tensor, "n latent"]:
        """Latents of images."""
        latents: Tensor = (self._pixels(images) - self.get_buffer("mean")) @ self.get_buffer("components")
        return latents

    def _pixels(self, images: Float[Tensor, "n 3 r r"]) -> Float[Tensor, "n d"]:
        return F.adaptive_avg_pool2d(images, self.side).flatten(1)
