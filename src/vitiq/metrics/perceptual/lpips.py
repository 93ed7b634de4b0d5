"""LPIPS: differences of unit-length features of AlexNet or VGG-16, weighted per channel by human judgements.

Zhang et al. 2018, DOI 10.1109/CVPR.2018.00068, version 0.1 of the authors' weights, whole image at its own size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vitiq.errors import WeightsError
from vitiq.metrics.perceptual.base import ByRows, PerceptualMetric

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from vitiq.models.perceptual import Features
    from vitiq.models.row_stream import Node, Rows

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""The authors' normalisation of images in -1 … 1."""

LAYERS = 5


def _scaled(pair: Float[Tensor, "2 3 h w"]) -> Float[Tensor, "2 3 h w"]:
    shift, scale = (pair.new_tensor(v)[:, None, None] for v in (SHIFT, SCALE))
    return (pair * 2 - 1 - shift) / scale


def _head(layer: int) -> str:
    return f"lin{layer}.model.1.weight"


def _check_heads(own: dict[str, Tensor], channels: tuple[int, ...]) -> None:
    for layer, count in enumerate(channels):
        found = tuple(own[_head(layer)].shape) if _head(layer) in own else None
        if found != (1, count, 1, 1):
            raise WeightsError(f"LPIPS: {_head(layer)} has shape {found}, {(1, count, 1, 1)} expected")


def distance(own: dict[str, Tensor], features: Features) -> Tensor:
    """Sum over layers of the weighted squared differences, each averaged over places."""
    total = own[_head(0)].new_zeros(())
    for layer, values in enumerate(features):
        squares = _squares(values).mean(dim=(1, 2))
        total = total + (squares * own[_head(layer)].flatten()).sum()
    return total


def _squares(values: Float[Tensor, "2 c h w"]) -> Float[Tensor, "c h w"]:
    """Squared differences of features of unit length."""
    unit = values / ((values * values).sum(dim=1, keepdim=True).clamp_min(1e-20).sqrt() + 1e-10)
    return (unit[0] - unit[1]).square()


class LayerDistance:
    """The part of one layer in `distance`, of features that come by rows.

    Args:
        head: weights of its channels.
    """

    def __init__(self, head: Tensor) -> None:
        self._head = head.flatten().double()
        self._total, self._places = 0.0, 0

    def __call__(self, rows: Rows, _: bool) -> None:
        """Count some rows in."""
        self._total += float(_squares(rows).sum(dim=(1, 2)).double() @ self._head)
        self._places += rows.shape[2] * rows.shape[3]

    @property
    def value(self) -> float:
        """Mean over all places."""
        return self._total / self._places


class LpipsAlex(PerceptualMetric):
    """LPIPS on AlexNet, the authors' choice for comparing images."""

    name = "lpips"
    title = "LPIPS (AlexNet)"
    range = (0.0, float("inf"))
    reference = "Zhang et al. 2018, DOI 10.1109/CVPR.2018.00068"
    formula = "Σ layers mean over positions of w · (φ(x)/‖φ(x)‖ - φ(y)/‖φ(y)‖)²"
    models = ("lpips-alex", "alexnet-torchvision")
    smallest = 31
    settings = "alexnet|lpips:0.1|full-size"

    @staticmethod
    def check(own: dict[str, Tensor], trunk: dict[str, Tensor]) -> None:
        """Five heads and torchvision's AlexNet."""
        from vitiq.models.perceptual import ALEXNET, check_trunk  # noqa: PLC0415 - torch

        check_trunk(trunk, ALEXNET, "AlexNet")
        _check_heads(own, tuple(out for out, _, _ in ALEXNET.values()))

    @staticmethod
    def measure(own: dict[str, Tensor], trunk: dict[str, Tensor], pair: Float[Tensor, "2 3 h w"]) -> Tensor:
        """As `distance` on AlexNet's features."""
        from vitiq.models.perceptual import alexnet  # noqa: PLC0415 - torch

        return distance(own, alexnet(trunk, _scaled(pair)))

    @classmethod
    def by_rows(cls, own: dict[str, Tensor], trunk: dict[str, Tensor], _: tuple[int, int]) -> ByRows:
        """As `distance`, some rows at a time."""
        layers = [LayerDistance(own[_head(layer)]) for layer in range(LAYERS)]
        node = cls.trunk_rows(trunk, layers)
        return ByRows(lambda rows, last: node(_scaled(rows), last), lambda: sum(layer.value for layer in layers))

    @staticmethod
    def trunk_rows(trunk: dict[str, Tensor], layers: Sequence[Node]) -> Node:
        """AlexNet by rows."""
        from vitiq.models.perceptual import alexnet_rows  # noqa: PLC0415 - torch

        return alexnet_rows(trunk, layers)


class LpipsVgg(LpipsAlex):
    """LPIPS on VGG-16, the authors' choice as a loss."""

    name = "lpips-vgg"
    title = "LPIPS (VGG-16)"
    models = ("lpips-vgg", "vgg16-torchvision")
    smallest = 16
    settings = "vgg16|lpips:0.1|full-size"

    @staticmethod
    def check(own: dict[str, Tensor], trunk: dict[str, Tensor]) -> None:
        """Five heads and torchvision's VGG-16."""
        from vitiq.models.perceptual import VGG16, VGG16_CHANNELS, check_trunk  # noqa: PLC0415 - torch

        check_trunk(trunk, VGG16, "VGG-16")
        _check_heads(own, VGG16_CHANNELS)

    @staticmethod
    def measure(own: dict[str, Tensor], trunk: dict[str, Tensor], pair: Float[Tensor, "2 3 h w"]) -> Tensor:
        """As `distance` on VGG-16's features."""
        from vitiq.models.perceptual import vgg16  # noqa: PLC0415 - torch

        return distance(own, vgg16(trunk, _scaled(pair)))

    @staticmethod
    def trunk_rows(trunk: dict[str, Tensor], layers: Sequence[Node]) -> Node:
        """VGG-16 by rows."""
        from vitiq.models.perceptual import max_pool, vgg16_rows  # noqa: PLC0415 - torch

        return vgg16_rows(trunk, layers, max_pool)
