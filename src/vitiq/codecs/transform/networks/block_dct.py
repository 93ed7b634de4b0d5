"""The transform that the learned ones start from: an orthonormal 16×16 DCT of decorrelated colour.

An untrained codec is then already a block-transform codec, not noise, and training spends its time on what a fixed
transform cannot do (Ahmed et al. 1974, DOI 10.1109/T-C.1974.223784, for the DCT).
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor

BLOCK = 16
"""Stride of the latents in pixels."""

CHANNELS = 256
"""Coefficients of a block that are kept."""

CHROMA_COST = 3.0
"""Frequencies of chroma count this many times as high in the order of coefficients: chroma is smoother."""


def colour_matrix() -> Float[Tensor, "3 3"]:
    """Orthonormal rows: luma, then two differences of colour."""
    rows = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [-0.5, 1.0, -0.5]], dtype=torch.float32)
    return torch.div(rows, rows.norm(dim=1, keepdim=True))


def coefficient_order() -> Int64[Tensor, "kept 3"]:
    """Colour plane, vertical and horizontal frequency of each latent channel, the most informative first."""
    keyed = []
    for plane in range(3):
        for v in range(BLOCK):
            for u in range(BLOCK):
                cost = CHROMA_COST if plane else 1.0
                keyed.append((cost * math.hypot(u, v) + 0.01 * (plane > 0), plane, v, u))
    return torch.tensor([(p, v, u) for _, p, v, u in sorted(keyed)[:CHANNELS]])


def basis() -> Float[Tensor, "kept 3 16 16"]:
    """Orthonormal basis images of the kept coefficients: RGB planes of one block."""
    n = torch.arange(BLOCK, dtype=torch.float64)
    cosines = torch.cos(math.pi * (2 * n[None] + 1) * n[:, None] / (2 * BLOCK)) * math.sqrt(2 / BLOCK)
    cosines[0] /= math.sqrt(2)
    plane, v, u = coefficient_order().unbind(1)
    blocks = cosines[v][:, :, None] * cosines[u][:, None, :]
    colours = colour_matrix().double()[plane]
    return (colours[:, :, None, None] * blocks[:, None]).float()
