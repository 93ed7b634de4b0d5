"""Names of losses and optimisers, and settings of a search: what options need, without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from vitiq.errors import InputError

LossName = Literal["mse", "ssim", "vit", "perceptual"]
LOSSES: tuple[LossName, ...] = get_args(LossName)

READS_VIT = frozenset({"vit", "perceptual"})
"""Losses that look through the embedded ViT, which should then not score the result."""

OptimiserName = Literal["adam", "sgd"]
OPTIMISERS: tuple[OptimiserName, ...] = ("adam", "sgd")


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """How latents are searched.

    Attributes:
        iterations: at most this many, at least 1.
        optimiser: `sgd` as the thesis (learning rate 1, momentum 0.9, reduced by 10 on a plateau of
            10 iterations, threshold 1e-4 relative), or `adam` with cosine decay.
        learning_rate: first learning rate; None for 1.0 with sgd, 0.2 with adam.
        preview_every: iterations between preview images.
    """

    iterations: int
    optimiser: OptimiserName = "adam"
    learning_rate: float | None = None
    preview_every: int = 250

    def __post_init__(self) -> None:
        if self.iterations < 1:
            raise InputError(f"{self.iterations} iterations given, at least 1 expected")
        if self.preview_every < 1:
            raise InputError(f"a preview every {self.preview_every} iterations given, at least 1 expected")
        if self.optimiser not in OPTIMISERS:
            raise InputError(f"optimiser {self.optimiser!r} given, expected one of {', '.join(OPTIMISERS)}")

    @property
    def rate(self) -> float:
        """The first learning rate."""
        if self.learning_rate is not None:
            return self.learning_rate
        return 1.0 if self.optimiser == "sgd" else 0.2
