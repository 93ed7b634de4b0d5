"""The loop of every search by gradient descent: variables moved until a loss is least."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from vitiq.errors import InputError
from vitiq.models.tensors import to_image
from vitiq.optimise.settings import SearchSettings
from vitiq.types import Progress, ProgressCallback

PLATEAU_FACTOR = 0.1
PLATEAU_PATIENCE = 10
PLATEAU_THRESHOLD = 1e-4
STOP_RATE = 1e-5
"""Early stop: the plateau schedule has cut the learning rate below this share of its start."""

EARLY_PREVIEWS = (1, 10, 25, 50, 100)
"""Iterations with a preview besides every N-th: most happens before the first N."""

SHORT_BETAS = (0.8, 0.99)
"""Decays of the moments in short searches, which forget sooner than Adam (0.9, 0.999)."""

Objective = Callable[[int], tuple[Tensor, Float[Tensor, "1 3 h w"]]]
"""Iteration (0-based) -> loss to minimise and the reconstruction, in [0, 1]."""


def minimise(
    objective: Objective,
    variables: Sequence[Tensor],
    settings: SearchSettings,
    progress: ProgressCallback | None = None,
    *,
    done: int = 0,
    total: int | None = None,
    short: bool = False,
) -> None:
    """Move `variables` (leaf tensors) in place.

    Args:
        objective: called once an iteration.
        progress: called after every iteration, with a preview every `preview_every`, at the end and early on.
        done, total: for progress over several searches.
        short: whether few iterations start near their end, as from the latents of an encoder: "adam" then is
            Adam with Nesterov's momentum (Dozat 2016, https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ) and a
            shorter memory.
    """
    parameters = list(variables)
    total = done + settings.iterations if total is None else total
    if settings.optimiser == "sgd":
        optimiser: torch.optim.Optimizer = torch.optim.SGD(parameters, lr=settings.rate, momentum=0.9)
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimiser, factor=PLATEAU_FACTOR, patience=PLATEAU_PATIENCE, threshold=PLATEAU_THRESHOLD
        )
    else:
        # Without this floor Adam moves latents that hardly matter as fast as those that do.
        loss, _ = objective(0)
        gradients = torch.autograd.grad(loss, parameters)
        floors = [2 * float(g.square().mean().sqrt()) + 1e-12 for g in gradients]
        groups = [{"params": [p], "eps": eps} for p, eps in zip(parameters, floors, strict=True)]
        if short:
            optimiser = torch.optim.NAdam(groups, lr=settings.rate, betas=SHORT_BETAS)
        else:
            optimiser = torch.optim.Adam(groups, lr=settings.rate)
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.iterations, settings.rate / 50)
    for iteration in range(settings.iterations):
        optimiser.zero_grad(set_to_none=True)
        loss, image = objective(iteration)
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
            count = iteration + 1
            show = count % settings.preview_every == 0 or count in EARLY_PREVIEWS or finished
            progress(Progress(done + iteration + 1, total, last, to_image(image) if show else None))
        if finished:
            break
