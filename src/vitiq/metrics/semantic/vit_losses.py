"""The differentiable members of the ViT-Score family as torch losses: 1 - score, so that 0 is best.

Each takes distorted and reference images, N×3×H×W float32 in [0, 1], and gives the mean over the images; `scores`
gives one value an image. Values are those of the metric of the same name, but for rounding and for the resize: torch's
antialiased bicubic instead of Pillow's on 8-bit images. The backbone is frozen and runs in float32.

A reconstruction optimised for one of them must be scored by another backbone; the report says where it was not.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vitiq.metrics.backbone_loss import BackboneLoss
from vitiq.metrics.loss import Each, Given, Images
from vitiq.metrics.semantic.tiles import tiling
from vitiq.models.backbones import Backbone

LEAST = 1e-12
"""Added under roots and logarithms, whose slope at 0 has no end."""


class VitLoss(BackboneLoss):
    """1 - score of a metric, a mean over images.

    Args:
        backbone: None for the embedded ViT.
    """

    def _compare(self, distorted: Images, reference: Images) -> Each:
        y = self._read(distorted)
        with torch.no_grad():
            x = self._read(reference)
        return self._agreement(x, y)

    def against(self, reference: Given) -> Callable[[Given], Float[Tensor, ""]]:
        """The loss of images against one reference, which the network reads once."""
        self.check(reference, reference)
        with torch.no_grad():
            x = self._read(reference)

        def value(distorted: Given) -> Float[Tensor, ""]:
            self.check(distorted, reference)
            return 1 - self._agreement(x, self._read(distorted)).mean()

        return value

    @abstractmethod
    def _read(self, images: Images) -> Float[Tensor, "n ..."]:
        """What the network makes of images."""

    @abstractmethod
    def _agreement(self, x: Float[Tensor, "n ..."], y: Float[Tensor, "n ..."]) -> Each:
        """The score of each image, from what the network makes of the reference and of the distorted one."""


class _LabelLoss(VitLoss):
    def _read(self, images: Images) -> Float[Tensor, "n k"]:
        return self.backbone.logits_tensor(images).log_softmax(dim=1)


class VitJsLoss(_LabelLoss):
    """½ KL(p ‖ m) + ½ KL(q ‖ m), m = (p + q) / 2, in bits, 0 … 1 (Lin 1991, DOI 10.1109/18.61115): 1 - `vit-js`."""

    metric = "vit-js"

    def _agreement(self, x: Float[Tensor, "n k"], y: Float[Tensor, "n k"]) -> Each:
        log_m = torch.logaddexp(x, y) - math.log(2)
        divergence = (x.exp() * (x - log_m) + y.exp() * (y - log_m)).sum(dim=1)
        return 1 - divergence / (2 * math.log(2))


class VitBcLoss(_LabelLoss):
    """1 - Σ √(p q), 0 … 1 (Bhattacharyya 1946): 1 - `vit-bc`."""

    metric = "vit-bc"

    def _agreement(self, x: Float[Tensor, "n k"], y: Float[Tensor, "n k"]) -> Each:
        return ((x + y) / 2).exp().sum(dim=1)


class VitProbLoss(_LabelLoss):
    """1 - Σ min(p, q), 0 … 1, the total variation distance: 1 - `vit-prob`."""

    metric = "vit-prob"

    def _agreement(self, x: Float[Tensor, "n k"], y: Float[Tensor, "n k"]) -> Each:
        return torch.minimum(x, y).exp().sum(dim=1)


class _TokenLoss(VitLoss):
    def _read(self, images: Images) -> Float[Tensor, "n t d"]:
        return F.normalize(self.backbone.tokens_tensor(images), dim=-1)


class VitClsLoss(_TokenLoss):
    """1 - cos(cls(x), cls(y)), 0 … 2 (Caron et al. 2021, arXiv 2104.14294): 1 - `vit-cls`."""

    metric = "vit-cls"

    def _agreement(self, x: Float[Tensor, "n t d"], y: Float[Tensor, "n t d"]) -> Each:
        return (x[:, 0] * y[:, 0]).sum(dim=-1)


class VitTokensLoss(_TokenLoss):
    """1 - F1 of greedily matched patch tokens, 0 … 2: 1 - `vit-tokens` (Zhang et al. 2020, arXiv 1904.09675)."""

    metric = "vit-tokens"

    def _agreement(self, x: Float[Tensor, "n t d"], y: Float[Tensor, "n t d"]) -> Each:
        table = x[:, 1:] @ y[:, 1:].transpose(1, 2)
        recall, precision = table.amax(dim=2).mean(dim=1), table.amax(dim=1).mean(dim=1)
        worse = torch.minimum(recall, precision)
        both = 2 * precision * recall / (precision + recall).clamp_min(LEAST)
        return torch.where(worse > 0, both, worse)


class VitTokensLockedLoss(_TokenLoss):
    """1 - mean cosine of patch tokens at the same place, 0 … 2: 1 - `vit-tokens-locked`."""

    metric = "vit-tokens-locked"

    def _agreement(self, x: Float[Tensor, "n t d"], y: Float[Tensor, "n t d"]) -> Each:
        return (x[:, 1:] * y[:, 1:]).sum(dim=-1).mean(dim=1)


class VitTilesLoss(VitLoss):
    """√(D_0 · GM_l D_l) of full-resolution tiles, 0 … 2 (`vit_tiles.py`): 1 - `vit-tiles`."""

    metric = "vit-tiles"

    def _read(self, images: Images) -> Float[Tensor, "n tile level p d"]:
        return levels_of_tiles(self.backbone, images)

    def _agreement(self, x: Float[Tensor, "n tile level p d"], y: Float[Tensor, "n tile level p d"]) -> Each:
        distances = 1 - (x * y).sum(dim=-1)
        levels = distances.mean(dim=(1, 3)).clamp_min(0) + LEAST
        meaning = levels[:, 1:].log().mean(dim=1).exp()
        return 1 - (levels[:, 0] * meaning).sqrt()


def levels_of_tiles(backbone: Backbone, images: Images) -> Float[Tensor, "n tile level p d"]:
    """Patch tokens at several depths, of length 1, of the tiles that `vit-tiles` reads."""
    count, _, height, width = images.shape
    plan = tiling(width, height, backbone.image_size)
    if (plan.height, plan.width) != (height, width):
        size = (plan.height, plan.width)
        images = F.interpolate(images, size, mode="bicubic", antialias=True, align_corners=False)
    side = plan.side
    tiles = torch.stack([images[:, :, y : y + side, x : x + side] for x, y in plan.corners], dim=1)
    levels = F.normalize(backbone.levels_tensor(tiles.flatten(0, 1)), dim=-1)
    return levels.view(count, len(plan.corners), *levels.shape[1:])
