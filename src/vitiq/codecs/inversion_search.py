"""The loop of generator inversion: latents moved by gradient descent until the generator paints the picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from vitiq.errors import InputError
from vitiq.types import ImageU8, Progress, ProgressCallback

OptimiserName = Literal["adam", "sgd"]
OPTIMISERS: tuple[OptimiserName, ...] = ("adam", "sgd")


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """How latents are searched.

    Attributes:
        iterations: at most this many, at least 1.
        optimiser: `sgd` as the thesis (learning rate 1, momentum 0.9, reduced by 10 on a plateau of
            10 iterations, threshold 1e-4 relative), or `adam` with cosine decay.
        learning_rate: first learning rate; None for 1.0 with sgd, 0.05 with adam.
        preview_every: iterations between preview pictures.
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
        return 1.0 if self.optimiser == "sgd" else 0.05


PLATEAU_FACTOR = 0.1
PLATEAU_PATIENCE = 10
PLATEAU_THRESHOLD = 1e-4
STOP_RATE = 1e-5
"""Early stop: the plateau schedule has cut the learning rate below this share of its start."""

Objective = Callable[[int], tuple[Tensor, Float[Tensor, "1 3 h w"]]]
"""Iteration (0-based) -> loss to minimise and the picture painted, in [0, 1]."""


def to_picture(painted: Float[Tensor, "1 3 h w"]) -> ImageU8:
    """The 8-bit picture of a painted tensor in [0, 1] (values outside are clipped, halves round to even)."""
    values = painted.detach()[0].permute(1, 2, 0).clamp(0, 1).mul(255).round()
    return np.ascontiguousarray(values.to(torch.uint8).numpy())


def to_tensor(image: ImageU8) -> Float[Tensor, "1 3 h w"]:
    """A picture as float32 in [0, 1]."""
    return torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255


def minimise(
    objective: Objective,
    variables: Sequence[Tensor],
    settings: SearchSettings,
    progress: ProgressCallback | None = None,
    *,
    done: int = 0,
    total: int | None = None,
) -> float:
    """Move `variables` (leaf tensors) in place; returns the last loss.

    Args:
        objective: called once an iteration.
        progress: called after every iteration, with a preview every `preview_every` and at the ends.
        done, total: for progress over several searches.
    """
    parameters = list(variables)
    total = done + settings.iterations if total is None else total
    if settings.optimiser == "sgd":
        optimiser: torch.optim.Optimizer = torch.optim.SGD(parameters, lr=settings.rate, momentum=0.9)
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimiser, factor=PLATEAU_FACTOR, patience=PLATEAU_PATIENCE, threshold=PLATEAU_THRESHOLD
        )
    else:
        optimiser = torch.optim.Adam(parameters, lr=settings.rate)
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.iterations, settings.rate / 50)
    last = float("nan")
    for iteration in range(settings.iterations):
        optimiser.zero_grad(set_to_none=True)
        loss, painted = objective(iteration)
        torch.autograd.backward(loss)
        last = float(loss.detach())
        if not np.isfinite(last):
            raise InputError(
                f"the loss became {last} at iteration {iteration}; choose a smaller learning rate or optimiser adam"
            )
        optimiser.step()
        finished = iteration + 1 == settings.iterations
        if settings.optimiser == "sgd":
            plateau.step(last)
            finished = finished or optimiser.param_groups[0]["lr"] < settings.rate * STOP_RATE
        else:
            cosine.step()
        if progress is not None:
            show = iteration % settings.preview_every == 0 or finished
            progress(Progress(done + iteration + 1, total, last, to_picture(painted) if show else None))
        if finished:
            break
    return last
