"""Bits under a discretised logistic distribution, differentiable: the float side of `logistic.py`."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def logistic_bits(
    symbols: Float[Tensor, "*s"], mean: Float[Tensor, "*#s"], log_scale: Float[Tensor, "*#s"]
) -> Float[Tensor, "*s"]:
    """Bits of each symbol under a logistic discretised to unit intervals; differentiable in all arguments.

    Computed in log space, stable for far tails:
    P = sigmoid(b) - sigmoid(a) with a, b the scaled interval ends, = (1 - e^(a-b)) sigmoid(b) sigmoid(-a).
    """
    inverse = torch.exp(-log_scale)
    centred = symbols - mean
    low, high = (centred - 0.5) * inverse, (centred + 0.5) * inverse
    log_p = torch.log(-torch.expm1(-inverse)) + F.logsigmoid(high) + F.logsigmoid(-low)
    return -log_p / math.log(2.0)
