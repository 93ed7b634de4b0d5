"""Wasserstein Distortion of VGG-16's features; the computation is in `measures.wasserstein`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from vitiq.errors import InputError
from vitiq.metrics.perceptual.base import ByRows, PerceptualMetric

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

SIGMA = 16.0
LARGEST = 32.0


class Wasserstein(PerceptualMetric):
    """Wasserstein Distortion for one size of the windows over which only statistics count.

    Args:
        setting: folder of VGG-16's weights, or σ in pixels, 1 (pixels alone) to 32.
        sigma: σ in pixels, with weights in a folder.
    """

    name = "wasserstein"
    title = "Wasserstein Distortion (VGG-16)"
    range = (0.0, math.inf)
    reference = "Qiu et al. 2024, arXiv 2310.03629; Ballé et al. 2025, arXiv 2412.00505"
    formula = "Σ features, levels: mean of max(0, 1 - |log2 σ - level|) · ((μx - μy)² + (sx - sy)²)"
    models = ("vgg16-torchvision",)
    parameter = "setting"
    smallest = 61

    def __init__(self, setting: str | Path | None = None, sigma: float = SIGMA) -> None:
        given = _number(setting)
        super().__init__(setting if given is None else None)
        self.sigma = sigma if given is None else given
        if not 1 <= self.sigma <= LARGEST:
            raise InputError(f"σ of {self.sigma:g} pixels given, wasserstein takes 1 to {LARGEST:g}")
        if given not in (None, SIGMA):
            self.name = f"{type(self).name}@{given:g}"

    @classmethod
    def is_path(cls, setting: str) -> bool:
        """Unless it is a number, σ."""
        return _number(setting) is None

    def signature(self) -> str:
        """Hash of the weights file, the pyramids and σ."""
        return f"wasserstein|weights:{self._hashes}|vgg16-meanpool|scales:3|levels:5|sigma:{self.sigma:g}|v1"

    def constants(self) -> dict[str, Tensor]:
        """log2 σ."""
        import torch  # noqa: PLC0415 - imported where used

        return {"log2_sigma": torch.tensor(math.log2(self.sigma))}

    @staticmethod
    def check(_: dict[str, Tensor], trunk: dict[str, Tensor]) -> None:
        """Torchvision's VGG-16."""
        from vitiq.models.perceptual import VGG16, check_trunk  # noqa: PLC0415 - torch

        check_trunk(trunk, VGG16, "VGG-16")

    @staticmethod
    def measure(own: dict[str, Tensor], trunk: dict[str, Tensor], pair: Float[Tensor, "2 3 h w"]) -> Tensor:
        """The distortion."""
        from vitiq.metrics.measures.wasserstein import wasserstein  # noqa: PLC0415 - torch

        return wasserstein(trunk, pair[0], pair[1], float(own["log2_sigma"]))

    @classmethod
    def by_rows(cls, own: dict[str, Tensor], trunk: dict[str, Tensor], size: tuple[int, int]) -> ByRows:
        """The distortion, some rows at a time."""
        from vitiq.metrics.measures.wasserstein_rows import WassersteinRows  # noqa: PLC0415 - torch

        rows = WassersteinRows(trunk, size, float(own["log2_sigma"]))
        return ByRows(rows, rows.value)


def _number(setting: str | Path | None) -> float | None:
    try:
        return None if setting is None else float(str(setting))
    except ValueError:
        return None
