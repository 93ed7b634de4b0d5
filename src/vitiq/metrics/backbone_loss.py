"""What the losses that read images with a Vision Transformer share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from vitiq.errors import InputError
from vitiq.metrics.loss import Loss
from vitiq.models.backbones import Backbone, load_backbone


class BackboneLoss(Loss):
    """A loss that reads images with a frozen backbone.

    Args:
        backbone: what `vitiq.backbone` gives, or the path of a checkpoint as there; None for the embedded ViT.

    Raises:
        InputError: anything else.
        WeightsError: no such checkpoint, or one that cannot be read.
    """

    def __init__(self, backbone: Backbone | str | os.PathLike[str] | None = None) -> None:
        super().__init__()
        self.backbone = _loaded(backbone)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """What `to("cuda")` and its like call: the backbone, which metrics may share, goes along as a copy."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.backbone = self.backbone.on(fn(torch.zeros((), device=self.backbone.device)).device)
        return self


def _loaded(given: object) -> Backbone:
    if given is None:
        return load_backbone()
    if isinstance(given, str | os.PathLike) and (path := os.fspath(given)) and isinstance(path, str):
        return load_backbone(weights=Path(path))
    if isinstance(given, Backbone):
        return given
    kind = "an empty path" if given == "" else type(given).__name__
    raise InputError(f"backbone: {kind} given, a path or what vitiq.backbone() gave expected")
