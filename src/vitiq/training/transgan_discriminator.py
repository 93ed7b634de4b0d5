"""TransGAN's discriminator: a transformer that reads an image at several scales; no codec needs it afterwards.

Jiang et al. 2021, section 3.2 (arXiv 2102.07074); names and shapes of tensors as in the official
`ViT_custom_scale2_rp_noise`, which has two scales. A further one halves the grid once more.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vitiq.models.transgan import Block, NamedNorm, Norm, as_image


class TransDiscriminator(nn.Module):
    """A verdict on an image, higher where it looks real.

    Patches of `patch`, 2·patch, … pixels are embedded; each scale's tokens join those that were averaged from the finer
    grid. The last block, with a class token, attends among all without positions.

    Args:
        resolution: side of the image in pixels.
        patch: side of the finest patches.
        width: of tokens at the coarsest scale; the finest have three quarters of it.
        depth: blocks a scale.
        scales: grids.
        heads: of every attention.
        norm: before attention and MLP.
        window: side of the squares within which tokens of the finer grids attend.
        dropout: share of numbers dropped after attention and within MLPs in training.
        noise: whether attention learns a strength of noise, as the official one does.
    """

    def __init__(
        self,
        resolution: int,
        patch: int,
        width: int,
        depth: int,
        *,
        scales: int = 2,
        heads: int = 4,
        norm: Norm = "ln",
        window: int = 16,
        dropout: float = 0.0,
        noise: bool = True,
    ) -> None:
        super().__init__()
        self.scales = scales
        widths = widths_of(width, scales)
        new = [widths[0]] + [b - a for a, b in pairwise(widths)]
        for number in range(1, scales + 1):
            side = patch * 2 ** (number - 1)
            grid, own = resolution // side, widths[number - 1]
            self.add_module(f"fRGB_{number}", nn.Conv2d(3, new[number - 1], side, stride=side))
            self.register_parameter(f"pos_embed_{number}", nn.Parameter(torch.empty(1, grid**2, own)))
            kind = (own, heads, min(window, grid), norm)
            blocks = nn.ModuleList(Block(*kind, noise=noise, dropout=dropout) for _ in range(depth))
            self.add_module(f"blocks_{number}", blocks)
        self.cls_token = nn.Parameter(torch.empty(1, 1, width))
        self.last_block = nn.Sequential(Block(width, heads, 0, norm, noise=noise, dropout=dropout))
        self.norm = NamedNorm(norm, width)
        self.head = nn.Linear(width, 1)
        self._start()

    def _start(self) -> None:
        """The official initial values."""
        for name, value in self.named_parameters():
            if name == "cls_token" or name.startswith("pos_embed"):
                nn.init.trunc_normal_(value, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)

    def forward(self, image: Float[Tensor, "n 3 r r"]) -> Float[Tensor, " n"]:
        """Verdicts on images in about [-1, 1]."""
        x: Tensor | None = None
        for number in range(1, self.scales + 1):
            tokens = self.get_submodule(f"fRGB_{number}")(image).flatten(2).transpose(1, 2)
            if x is not None:
                tokens = torch.cat([F.avg_pool2d(as_image(x), 2).flatten(2).transpose(1, 2), tokens], dim=-1)
            x = tokens + self.get_parameter(f"pos_embed_{number}")
            for block in self.get_submodule(f"blocks_{number}").children():
                x = block(x)
        x = torch.cat([self.cls_token.expand(len(image), -1, -1), x], dim=1) if x is not None else self.cls_token
        verdict: Tensor = self.head(self.norm(self.last_block(x))[:, 0])
        return verdict[:, 0]


def widths_of(width: int, scales: int) -> list[int]:
    """Width of the tokens of each scale, finest first: three quarters, the rest evenly (288, 384; 288, 336, 384)."""
    if scales == 1:
        return [width]
    first = width // 4 * 3
    return [first + (width - first) * i // (scales - 1) for i in range(scales)]
