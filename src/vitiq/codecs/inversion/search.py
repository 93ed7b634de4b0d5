"""Generator inversion: from latents to images, and the search of the published single latent."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from vitiq.codecs.inversion.generators import Generator
from vitiq.models.device import exact_convolutions
from vitiq.models.tensors import to_image, to_tensor, to_unit_range
from vitiq.models.threads import one_thread
from vitiq.optimise.distortion import distortion
from vitiq.optimise.loop import minimise
from vitiq.optimise.settings import SearchSettings
from vitiq.types import ImageU8, ProgressCallback


def reconstruct(generator: Generator, latents: Sequence[np.ndarray], output_range: tuple[float, float]) -> ImageU8:
    """The image of dequantised latents (C×H×W a layer); the same at any number of threads."""
    with one_thread(), torch.no_grad(), exact_convolutions(generator.device):
        tensors = [torch.from_numpy(values).to(generator.device).float()[None] for values in latents]
        return to_image(to_unit_range(generator.generate(tensors), output_range))


def best_vector(
    generator: Generator,
    image: ImageU8,
    output_range: tuple[float, float],
    *,
    loss: str,
    settings: SearchSettings,
    restarts: int,
    seed: int,
    from_encoder: bool,
    progress: ProgressCallback | None,
) -> Float64[np.ndarray, " n"]:
    """Latent layer 0 with which the generator comes closest to `image` (of the generator's size).

    The squared error is measured in the generator's range, in which the published learning rate was chosen.

    Args:
        output_range: range that the generator's output is taken to have.
        from_encoder: start from the generator's encoder where it has one; further restarts are random.
    """
    target = to_tensor(image, generator.device)
    low, high = output_range
    lost = distortion(loss, target)
    scale = (high - low) ** 2 if loss == "mse" else 1.0
    shape = generator.layers[0]
    encoded = generator.encode(target * (high - low) + low) if from_encoder else None
    best_loss, best = (
        math.inf,
        torch.zeros(1, shape.channels, shape.height, shape.width, dtype=torch.float32).to(generator.device),
    )
    for restart in range(restarts):
        random = torch.Generator().manual_seed(seed + restart)
        latent = torch.randn(best.shape, generator=random, dtype=torch.float32).to(generator.device)
        if encoded is not None and restart == 0:
            latent = encoded[0].clone()
        latent.requires_grad_()

        def objective(_: int, latent: Tensor = latent) -> tuple[Tensor, Tensor]:
            nonlocal best_loss, best
            rebuilt = to_unit_range(generator.generate([latent]), output_range)
            value = scale * lost(rebuilt)
            if float(value.detach()) < best_loss:
                best_loss, best = float(value.detach()), latent.detach().clone()
            return value, rebuilt

        done = restart * settings.iterations
        minimise(objective, [latent], settings, progress, done=done, total=restarts * settings.iterations)
    return np.asarray(best.flatten().cpu().numpy(), dtype=np.float64)
