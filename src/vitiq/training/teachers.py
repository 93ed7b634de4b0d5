"""Teachers of the embedded ViT and of the classifier of latents, and the labels they give together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vitiq.errors import WeightsError
from vitiq.models.backbones.base import Preprocessing
from vitiq.models.backbones.checkpoint import load_checkpoint
from vitiq.models.vit import VisionTransformer, ViTConfig


@dataclass(frozen=True, slots=True)
class Teacher:
    """A frozen ViT-Ti/16 and how it takes its pixels."""

    model: VisionTransformer
    preprocessing: Preprocessing

    def prepared(self, images: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n 3 s s"]:
        """Images in [-1, 1] as this teacher reads them."""
        mean, std = (images.new_tensor(v).view(3, 1, 1) for v in (self.preprocessing.mean, self.preprocessing.std))
        return (images / 2 + 0.5 - mean) / std


def load_teacher(path: Path) -> Teacher:
    """A teacher: a checkpoint of a ViT-Ti/16 or DeiT-Ti/16 at 224 px with the 1000 labels.

    Raises:
        WeightsError: missing, damaged or of another shape.
    """
    backbone = load_checkpoint(path)
    if backbone.model.config != ViTConfig():
        raise WeightsError(
            f"{path}: {backbone.model.config}; a teacher must be a ViT-Ti/16 at 224 px with 1000 labels, as timm's "
            f"vit_tiny_patch16_224 or deit_tiny_patch16_224"
        )
    return Teacher(backbone.model.eval().requires_grad_(False), backbone.preprocessing)


def blended(logits: Sequence[Float[Tensor, "n c"]]) -> Float[Tensor, "n c"]:
    """Mean of the teachers' logits, each brought to the teachers' mean standard deviation first."""
    if len(logits) == 1:
        return logits[0]
    centred = [x - x.mean(1, keepdim=True) for x in logits]
    scales = [x.std(1, keepdim=True) for x in centred]
    scale = torch.stack(scales).mean(0)
    return torch.stack([x / s * scale for x, s in zip(centred, scales, strict=True)]).mean(0)


def soft_loss(
    found: Float[Tensor, "n c"], wanted: Float[Tensor, "n c"], temperature: float, smoothing: float = 0.0
) -> Tensor:
    """KL divergence from the wanted labels, both softened by a temperature; of the same size at all temperatures.

    Args:
        found, wanted: logits.
        temperature: above 0.
        smoothing: share of the wanted labels that is spread evenly over all (Szegedy et al. 2016, section 7, arXiv
            1512.00567), 0 … 1.
    """
    soft, target = F.log_softmax(found / temperature, 1), F.log_softmax(wanted / temperature, 1)
    if smoothing:
        target = torch.log((1 - smoothing) * target.exp() + smoothing / target.shape[1])
    return F.kl_div(soft, target, log_target=True, reduction="batchmean") * temperature**2
