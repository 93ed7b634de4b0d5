"""Patch discriminator of the perceptual synthesis's training; no codec needs it afterwards."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

WIDTHS = (48, 96, 192)


class PatchDiscriminator(nn.Module):
    """A verdict on every patch of an image, given what the bits alone say.

    Isola et al. 2017 (DOI 10.1109/CVPR.2017.632) with spectral normalisation (Miyato et al. 2018, arXiv 1802.05957).
    The condition, latents in HiFiC, is what the codec's own synthesis reconstructs from them.
    """

    def __init__(self) -> None:
        super().__init__()
        before = (6, *WIDTHS[:-1])
        self.downs = nn.ModuleList(
            spectral_norm(nn.Conv2d(a, b, 4, stride=2, padding=1)) for a, b in zip(before, WIDTHS, strict=True)
        )
        self.verdict = spectral_norm(nn.Conv2d(WIDTHS[-1], 1, 3, padding=1))

    def forward(
        self, image: Float[Tensor, "n 3 h w"], condition: Float[Tensor, "n 3 h w"]
    ) -> Float[Tensor, "n 1 h//8 w//8"]:
        """Higher where the patch looks real."""
        x = torch.cat([image, condition], dim=1) * 2 - 1
        for down in self.downs:
            x = F.leaky_relu(down(x), 0.2)
        result: Tensor = self.verdict(x)
        return result
