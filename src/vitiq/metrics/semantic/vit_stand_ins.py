"""Losses in the place of what has no slope: a relaxed top-K overlap, and the plain mean over levels of tiles."""

from __future__ import annotations

import os

import torch
from jaxtyping import Float
from torch import Tensor

from vitiq.errors import InputError
from vitiq.metrics.loss import Each, Images
from vitiq.metrics.semantic.vit_losses import VitLoss, levels_of_tiles
from vitiq.metrics.semantic.vit_score import PUBLISHED_K
from vitiq.models.backbones import Backbone

HALVINGS = 40
"""Of the interval in which the threshold of the soft membership lies."""


def soft_members(logits: Float[Tensor, "n labels"], k: int, temperature: float) -> Float[Tensor, "n labels"]:
    """How far each label is among the k largest, 0 … 1; each row sums to k.

    σ((z - θ) / τ), with the threshold θ at which the sum is k: the top-K operator with an entropy term of weight τ, as
    Xie et al. 2020, "Differentiable Top-k with Optimal Transport" (arXiv 2002.06504), has it with optimal transport.
    The smaller τ, the closer to 0 and 1. The slope is that of the exact θ (implicit differentiation).

    Raises:
        InputError: k outside 1 … labels - 1, or a temperature not above 0.
    """
    labels = logits.shape[1]
    if not 1 <= k < labels or temperature <= 0:
        raise InputError(f"K = {k} and temperature {temperature:g} given, 1 to {labels - 1} and above 0 expected")
    with torch.no_grad():
        # Beyond the k-th largest by so much, no label counts for more than the sum's rounding.
        margin = 40 * temperature
        ranked = logits.topk(k + 1, dim=1).values
        low, high = ranked[:, k:] - margin, ranked[:, k - 1 : k] + margin
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            many = torch.sigmoid((logits - middle) / temperature).sum(dim=1, keepdim=True) > k
            low, high = torch.where(many, middle, low), torch.where(many, high, middle)
        threshold = (low + high) / 2
        members = torch.sigmoid((logits - threshold) / temperature)
        slopes = members * (1 - members)
        shares = slopes / slopes.sum(dim=1, keepdim=True).clamp_min(torch.finfo(logits.dtype).tiny)
    moved = threshold + (shares * (logits - logits.detach())).sum(dim=1, keepdim=True)
    return torch.sigmoid((logits - moved) / temperature)


class VitTopKLoss(VitLoss):
    """1 - Σ min(p, q) / K of the soft memberships of the top K labels, 0 … 1; 0 for equal images.

    In the place of `vit-topk`, whose slope is 0 almost everywhere; the metric's value as τ goes to 0.

    Args:
        backbone: None for the embedded ViT.
        k: labels compared.
        temperature: τ, in logits; by default about the spread of a JPEG of middling quality.
    """

    metric = "vit-topk"

    def __init__(
        self, backbone: Backbone | str | os.PathLike[str] | None = None, k: int = PUBLISHED_K, temperature: float = 0.3
    ) -> None:
        super().__init__(backbone)
        self.k, self.temperature = k, temperature

    def _read(self, images: Images) -> Float[Tensor, "n labels"]:
        return soft_members(self.backbone.logits_tensor(images), self.k, self.temperature)

    def _agreement(self, x: Float[Tensor, "n labels"], y: Float[Tensor, "n labels"]) -> Each:
        return torch.minimum(x, y).sum(dim=1) / self.k


class VitLevelsLoss(VitLoss):
    """1 - mean cosine of patch tokens at several depths, of full-resolution tiles, 0 … 2.

    `vit-tiles` takes a geometric mean over depths instead.
    """

    metric = "vit-tiles"

    def _read(self, images: Images) -> Float[Tensor, "n tile level p d"]:
        return levels_of_tiles(self.backbone, images)

    def _agreement(self, x: Float[Tensor, "n tile level p d"], y: Float[Tensor, "n tile level p d"]) -> Each:
        return (x * y).sum(dim=-1).mean(dim=(1, 2, 3))
