"""What stands in for rounding while latents are searched."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor


def gumbel_annealed(values: Float[Tensor, "n c h w"], temperature: float, noise: torch.Generator) -> Tensor:
    """Random values between the whole numbers below and above, the nearer one likelier, whole as the temperature falls.

    `noise` lives where `values` do.

    Stochastic Gumbel annealing: Yang, Bamler & Mandt 2020, "Improving Inference for Neural Image Compression", section
    3.2 (arXiv 2006.04240).
    """
    low = values.detach().floor()
    above = (values - low).clamp(1e-4, 1 - 1e-4)
    chances = torch.stack([-torch.atanh(above), -torch.atanh(1 - above)], -1) / temperature
    uniform = torch.rand(chances.shape, generator=noise, device=noise.device, dtype=torch.float32).clamp(1e-9, 1 - 1e-7)
    share = torch.softmax((chances - torch.log(-torch.log(uniform))) / temperature, -1)
    return low + share[..., 1]


def soft_rounded(values: Float[Tensor, "n c h w"], sharpness: float) -> Tensor:
    """Values drawn towards the nearest whole number, which they reach as `sharpness` grows; no noise.

    Soft rounding: Agustsson & Theis 2020, "Universally Quantized Neural Compression", section 4.1 (arXiv 2006.09952).
    """
    middle = values.detach().floor() + 0.5
    return middle + torch.tanh(sharpness * (values - middle)) / (2 * math.tanh(sharpness / 2))
