"""The loop of generator inversion: latents moved by gradient descent until the generator paints the image."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from vitiq.codecs.inversion.generators import Generator
from vitiq.errors import InputError
from vitiq.models.threads import one_thread
from vitiq.optimise.distortion import distortion
from vitiq.optimise.settings import LossName, SearchSettings
from vitiq.types import ImageU8, Progress, ProgressCallback

PLATEAU_FACTOR = 0.1
PLATEAU_PATIENCE = 10
PLATEAU_THRESHOLD = 1e-4
STOP_RATE = 1e-5
"""Early stop: the plateau schedule has cut the learning rate below this share of its start."""

EARLY_PREVIEWS = (1, 10, 25, 50, 100)
"""Iterations with a preview besides every N-th: most happens before the first N."""

Objective = Callable[[int], tuple[Tensor, Float[Tensor, "1 3 h w"]]]
"""Iteration (0-based) -> loss to minimise and the image painted, in [0, 1]."""


def to_image(painted: Float[Tensor, "1 3 h w"]) -> ImageU8:
    """The 8-bit image of a painted tensor in [0, 1] (values outside are clipped, halves round to even)."""
    values = painted.detach()[0].permute(1, 2, 0).clamp(0, 1).mul(255).round()
    return np.ascontiguousarray(values.to(torch.uint8).numpy())


def to_tensor(image: ImageU8) -> Float[Tensor, "1 3 h w"]:
    """An image as float32 in [0, 1]."""
    return torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255


def unit(painted: Float[Tensor, "n 3 h w"], output_range: tuple[float, float]) -> Float[Tensor, "n 3 h w"]:
    """A generator's output brought from its range to [0, 1]; not clipped."""
    low, high = output_range
    return painted if (low, high) == (0.0, 1.0) else (painted - low) / (high - low)


def annealed(values: Float[Tensor, "n c h w"], temperature: float, noise: torch.Generator) -> Tensor:
    """Random values between the whole numbers below and above, the nearer one likelier, whole as the temperature falls.

    Stochastic Gumbel annealing: Yang, Bamler & Mandt 2020, "Improving Inference for Neural Image Compression", section
    3.2 (arXiv 2006.04240).
    """
    low = values.detach().floor()
    above = (values - low).clamp(1e-4, 1 - 1e-4)
    chances = torch.stack([-torch.atanh(above), -torch.atanh(1 - above)], -1) / temperature
    uniform = torch.rand(chances.shape, generator=noise).clamp(1e-9, 1 - 1e-7)
    share = torch.softmax((chances - torch.log(-torch.log(uniform))) / temperature, -1)
    return low + share[..., 1]


def paint(generator: Generator, latents: Sequence[np.ndarray], output_range: tuple[float, float]) -> ImageU8:
    """The image of dequantised latents (C×H×W a layer); the same at any number of threads."""
    with one_thread(), torch.no_grad():
        tensors = [torch.from_numpy(values).float()[None] for values in latents]
        return to_image(unit(generator.generate(tensors), output_range))


def best_vector(
    generator: Generator,
    image: ImageU8,
    output_range: tuple[float, float],
    *,
    loss: LossName,
    settings: SearchSettings,
    restarts: int,
    seed: int,
    guess: bool,
    progress: ProgressCallback | None,
) -> Float64[np.ndarray, " n"]:
    """Latent layer 0 with which the generator comes closest to `image` (of the generator's size).

    The squared error is measured in the generator's range, in which the published learning rate was chosen.

    Args:
        output_range: range that the generator's output is taken to have.
        guess: start from the generator's encoder where it has one; further restarts are random.
    """
    target = to_tensor(image)
    low, high = output_range
    lost = distortion(loss, target)
    scale = (high - low) ** 2 if loss == "mse" else 1.0
    shape = generator.layers[0]
    encoded = generator.encode(target * (high - low) + low) if guess else None
    best_loss, best = math.inf, torch.zeros(1, shape.channels, shape.height, shape.width)
    for restart in range(restarts):
        random = torch.Generator().manual_seed(seed + restart)
        latent = torch.randn(best.shape, generator=random)
        if encoded is not None and restart == 0:
            latent = encoded[0].clone()
        latent.requires_grad_()

        def objective(_: int, latent: Tensor = latent) -> tuple[Tensor, Tensor]:
            nonlocal best_loss, best
            painted = unit(generator.generate([latent]), output_range)
            value = scale * lost(painted)
            if float(value.detach()) < best_loss:
                best_loss, best = float(value.detach()), latent.detach().clone()
            return value, painted

        done = restart * settings.iterations
        minimise(objective, [latent], settings, progress, done=done, total=restarts * settings.iterations)
    return np.asarray(best.flatten().numpy(), dtype=np.float64)


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
        progress: called after every iteration, with a preview every `preview_every`, at the end and early on.
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
        # Without this floor Adam moves latents that hardly matter as fast as those that do.
        loss, _ = objective(0)
        gradients = torch.autograd.grad(loss, parameters)
        floors = [2 * float(g.square().mean().sqrt()) + 1e-12 for g in gradients]
        groups = [{"params": [p], "eps": eps} for p, eps in zip(parameters, floors, strict=True)]
        optimiser = torch.optim.Adam(groups, lr=settings.rate)
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
            count = iteration + 1
            show = count % settings.preview_every == 0 or count in EARLY_PREVIEWS or finished
            progress(Progress(done + iteration + 1, total, last, to_image(painted) if show else None))
        if finished:
            break
    return last
