"""Distortions that latents can be optimised for, as torch functions of N×3×H×W images in [0, 1]."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vitiq.errors import InputError
from vitiq.optimise.settings import LOSSES, LossName

Distortion = Callable[[Float[Tensor, "n 3 h w"]], Tensor]
"""Scalar distortion of images against a target fixed in advance."""


def _window(device: torch.device) -> Float[Tensor, "1 1 11 11"]:
    x = torch.arange(11, dtype=torch.float32, device=device) - 5
    line = torch.exp(-(x**2) / (2 * 1.5**2))
    line = line / line.sum()
    return (line[:, None] * line[None, :])[None, None]


def ssim(a: Float[Tensor, "n 3 h w"], b: Float[Tensor, "n 3 h w"]) -> Tensor:
    """Mean SSIM over images and channels (Wang et al. 2004, DOI 10.1109/TIP.2003.819861), in -1 … 1.

    11×11 Gaussian window of σ 1.5, valid region, data range 1.
    """
    window = _window(a.device).expand(3, 1, 11, 11)

    def blur(x: Tensor) -> Tensor:
        return F.conv2d(x, window, groups=3)

    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
    cov = blur(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    top = (2 * mean_a * mean_b + c1) * (2 * cov + c2)
    return (top / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean()


def tiles(images: Float[Tensor, "n 3 h w"], side: int) -> Float[Tensor, "m 3 side side"]:
    """The fewest squares of `side` pixels that cover the images, evenly spread; smaller images are extended."""
    height, width = images.shape[2:]
    grown = F.pad(images, (0, max(0, side - width), 0, max(0, side - height)), mode="replicate")
    starts = [
        [round(k * (length - side) / max(1, -(-length // side) - 1)) for k in range(-(-length // side))]
        for length in grown.shape[2:]
    ]
    return torch.cat([grown[:, :, y : y + side, x : x + side] for y in starts[0] for x in starts[1]])


def distortion(name: LossName, target: Float[Tensor, "n 3 h w"]) -> Distortion:
    """The named distortion against `target`.

    mse: mean squared error. ssim: (1 - SSIM) / 10 + MSE / 10. vit: (1 - mean cosine of the embedded ViT's final
    tokens) / 25 + MSE / 4, of the whole image at the network's size. perceptual: (1 - mean cosine of the embedded
    ViT's tokens at several depths) / 25 + MSE / 4, of tiles at full resolution. The factors bring all to one scale; the
    share of MSE keeps brightness and colour in place, which the others hardly see.

    Raises:
        InputError: unknown name.
    """
    if name == "mse":
        return lambda image: F.mse_loss(image, target)
    if name == "ssim":
        return lambda image: (1 - ssim(image, target)) / 10 + F.mse_loss(image, target) / 10
    if name == "vit":
        from vitiq.models.backbones import load_backbone  # noqa: PLC0415 - loads weights

        backbone = load_backbone(device=str(target.device))
        with torch.no_grad():
            wanted = backbone.tokens_tensor(target)

        def meaning(image: Float[Tensor, "n 3 h w"]) -> Tensor:
            cosine = F.cosine_similarity(backbone.tokens_tensor(image), wanted, dim=-1)
            return (1 - cosine.mean()) / 25 + F.mse_loss(image, target) / 4

        return meaning
    if name == "perceptual":
        from vitiq.models.backbones import load_backbone  # noqa: PLC0415 - loads weights

        reader = load_backbone(device=str(target.device))
        with torch.no_grad():
            levels = reader.levels_tensor(tiles(target, reader.image_size))

        def looks(image: Float[Tensor, "n 3 h w"]) -> Tensor:
            found = reader.levels_tensor(tiles(image, reader.image_size))
            return (1 - F.cosine_similarity(found, levels, dim=-1).mean()) / 25 + F.mse_loss(image, target) / 4

        return looks
    raise InputError(f"loss {name!r} given, expected one of {', '.join(LOSSES)}")
