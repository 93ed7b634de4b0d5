"""What the losses that read images with a Vision Transformer share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor

from vitiq.metrics.loss import Loss
from vitiq.models.backbones import Backbone, load_backbone


class BackboneLoss(Loss):
    """A loss that reads images with a frozen backbone.

    Args:
        backbone: None for the embedded ViT.
    """

    def __init__(self, backbone: Backbone | None = None) -> None:
        super().__init__()
        self.backbone = backbone if backbone is not None else load_backbone()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """What `to("cuda")` and its like call: the backbone, which metrics may share, goes along as a copy."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.backbone = self.backbone.on(fn(torch.zeros((), device=self.backbone.device)).device)
        return self
