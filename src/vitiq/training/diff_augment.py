"""Differentiable augmentation of what a discriminator sees, real and made alike.

Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training" (arXiv 2006.10738), with the ranges of
TransGAN's official code: colour, translation by up to a fifth, and a cut of half the side in three batches of ten.
Random numbers come from torch's generator of the CPU, so that they are the same on every device.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

TRANSLATION = 0.2
"""Largest shift as a share of the side."""

CUT = 0.5
"""Side of the cut as a share of the image's."""

CUT_BATCHES = 0.3
"""Share of batches with a cut."""

Images = Float[Tensor, "n 3 s s"]


def augment(images: Images) -> Images:
    """Images with other colours, shifted, at times with a square cut out; differentiable."""
    return cut(shifted(coloured(images)))


def coloured(images: Images) -> Images:
    """Brightness by -0.5 … 0.5, saturation times 0 … 2, contrast times 0.5 … 1.5, drawn for each image."""
    brightness, saturation, contrast = torch.rand(3, len(images), 1, 1, 1).to(images.device, images.dtype)
    x = images + (brightness - 0.5)
    grey = x.mean(dim=1, keepdim=True)
    x = (x - grey) * (2 * saturation) + grey
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    changed: Tensor = (x - mean) * (contrast + 0.5) + mean
    return changed


def shifted(images: Images) -> Images:
    """Each image moved by up to a fifth of its side; what it leaves is 0."""
    side = images.shape[-1]
    most = int(side * TRANSLATION + 0.5)
    moves = torch.randint(-most, most + 1, (2, len(images), 1)).to(images.device)
    at = torch.arange(side, device=images.device)
    # A border of one zero on every side, which coordinates outside are held at.
    rows, columns = ((at + move + 1).clamp(0, side + 1) for move in moves)
    which = torch.arange(len(images), device=images.device)[:, None, None]
    padded = F.pad(images, (1, 1, 1, 1)).permute(0, 2, 3, 1)
    return padded[which, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def cut(images: Images) -> Images:
    """In some batches, a square of half the side is 0, elsewhere in each image."""
    if float(torch.rand(())) >= CUT_BATCHES:
        return images
    side = images.shape[-1]
    length = int(side * CUT + 0.5)
    middles = torch.randint(0, side + 1 - length % 2, (2, len(images), 1)).to(images.device)
    at = torch.arange(side, device=images.device)
    low, high = middles - length // 2, middles - length // 2 + length
    inside = (at >= low) & (at < high)
    keep = ~(inside[0][:, :, None] & inside[1][:, None, :])
    return images * keep[:, None].to(images.dtype)
