"""Luma of torch images, and what losses of one plane share."""

from __future__ import annotations

from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from vitiq.image.colour import BT709
from vitiq.metrics.loss import Each, Images, Loss

Plane = Float[Tensor, "h w"]


def luma709(images: Images) -> Float[Tensor, "n h w"]:
    """BT.709 luma, 0 … 255, of images in [0, 1]."""
    red, green, blue = images.unbind(1)
    return (red * BT709[0] + green * BT709[1] + blue * BT709[2]) * 255


def defined(value: Float[Tensor, ""], distorted: Float[Tensor, ...]) -> Float[Tensor, ""]:
    """A value; where it is not defined (flat images) the best, 1, without a slope, so that trainings continue."""
    if bool(value.isfinite()):
        return value
    return (distorted * 0).sum() + 1


class LumaLoss(Loss):
    """The measure of two planes of BT.709 luma, in double precision."""

    def _compare(self, distorted: Images, reference: Images) -> Each:
        pairs = zip(luma709(reference.double()), luma709(distorted.double()), strict=True)
        return torch.stack([defined(self.measure(a, b), b) for a, b in pairs]).to(distorted)

    @staticmethod
    @abstractmethod
    def measure(reference: Plane, distorted: Plane) -> Float[Tensor, ""]:
        """The metric's value of two planes of luma, 0 … 255."""
