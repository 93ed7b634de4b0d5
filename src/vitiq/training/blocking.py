"""How plainly borders of blocks are seen in a reconstruction: a loss against what PSNR-B counts and PSNR does not.

Blocks are estimated each for itself, and what two neighbours get wrong differs. Where details are lost, squared
differences across a border are then larger than those within blocks: the blocking effect factor of Yim and Bovik 2011
(DOI 10.1109/TIP.2010.2053549, section III), which PSNR-B adds to the squared error.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

BLOCK = 8
"""Side of JPEG's blocks in pixels."""

SHARE = math.log2(BLOCK) / math.log2(512)
"""Of the excess that PSNR-B adds to the squared error of an image whose shorter side is 512 pixels."""


def blocking(found: Float[Tensor, "n 1 s s"], target: Float[Tensor, "n 1 s s"]) -> Float[Tensor, " n"]:
    """What PSNR-B adds to each image's squared error, less what the target's own content would add; 0 or more.

    Args:
        found: reconstructions whose blocks begin in the first row and column, on the scale of 0-255; with a gradient.
        target: the originals.
    """
    return SHARE * (_excess(found) - _excess(target)).clamp_min(0)


def _excess(planes: Float[Tensor, "n 1 s s"]) -> Float[Tensor, " n"]:
    """Mean squared difference of neighbours across borders of blocks, less that within blocks, along both axes."""
    at_border = torch.arange(1, planes.shape[3], device=planes.device) % BLOCK == 0
    squared = torch.stack([planes.diff(dim=3), planes.diff(dim=2).transpose(2, 3)]).square().mean(dim=(0, 2, 3))
    return squared[:, at_border].mean(dim=1) - squared[:, ~at_border].mean(dim=1)
