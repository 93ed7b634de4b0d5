"""The distortion of a search: a loss of `vitiq.losses` against one image, at the scale of the squared error."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vitiq.losses import loss
from vitiq.optimise.settings import weighting

Distortion = Callable[[Float[Tensor, "n 3 h w"]], Float[Tensor, ""]]
"""Scalar distortion of images against a target fixed in advance."""


def distortion(name: str, target: Float[Tensor, "n 3 h w"]) -> Distortion:
    """The named distortion (`settings.WEIGHTINGS`) against `target`, in [0, 1], which networks read once.

    Images smaller than a loss needs are extended by repeating their edges.

    Raises:
        InputError: no such loss.
        WeightsError: its weights are not found.
    """
    chosen = weighting(name)
    if not chosen.factor:
        return lambda image: chosen.mse * F.mse_loss(image, target)
    criterion = loss(chosen.loss).to(target.device)
    compare = criterion.against(_extended(target, criterion.smallest))

    def weighed(image: Float[Tensor, "n 3 h w"]) -> Float[Tensor, ""]:
        value = chosen.factor * compare(_extended(image, criterion.smallest))
        return value + chosen.mse * F.mse_loss(image, target) if chosen.mse else value

    return weighed


def _extended(images: Float[Tensor, "n 3 h w"], smallest: int) -> Float[Tensor, "n 3 i j"]:
    height, width = images.shape[2:]
    if min(height, width) >= smallest:
        return images
    return F.pad(images, (0, max(0, smallest - width), 0, max(0, smallest - height)), mode="replicate")
