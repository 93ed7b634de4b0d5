"""Images as torch tensors and back."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from vitiq.types import ImageU8


def to_image(output: Float[Tensor, "1 3 h w"]) -> ImageU8:
    """The 8-bit image of a tensor in [0, 1] (values outside are clipped, halves round to even)."""
    values = output.detach()[0].permute(1, 2, 0).clamp(0, 1).mul(255).round()
    return np.ascontiguousarray(values.to(torch.uint8).cpu().numpy())


def to_tensor(image: ImageU8, device: torch.device | None = None) -> Float[Tensor, "1 3 h w"]:
    """An image as float32 in [0, 1], on a device if one is given."""
    return torch.from_numpy(image.copy()).to(device).permute(2, 0, 1)[None].float() / 255


def to_unit_range(output: Float[Tensor, "n 3 h w"], output_range: tuple[float, float]) -> Float[Tensor, "n 3 h w"]:
    """A generator's output brought from its range to [0, 1]; not clipped."""
    low, high = output_range
    return output if (low, high) == (0.0, 1.0) else (output - low) / (high - low)
