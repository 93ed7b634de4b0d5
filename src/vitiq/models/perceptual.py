"""The trunks that LPIPS and DISTS read images with, in torchvision's checkpoint layout: AlexNet and VGG-16.

A trunk is a plain dictionary of tensors (`features.0.weight`, …); classifier tensors are passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vitiq.errors import WeightsError
from vitiq.weights.checkpoint import checked_tensors, read_checkpoint

State: TypeAlias = Mapping[str, Tensor]
Features: TypeAlias = "list[Float[Tensor, 'n _ _ _']]"

ALEXNET = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3), 10: (256, 256, 3)}
"""Place in `features`: output channels, input channels, kernel."""

VGG16_STAGES = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
VGG16_CHANNELS = (64, 128, 256, 512, 512)
VGG16 = {
    place: (channels, (3, *VGG16_CHANNELS)[stage] if place == places[0] else channels, 3)
    for stage, (places, channels) in enumerate(zip(VGG16_STAGES, VGG16_CHANNELS, strict=True))
    for place in places
}


def read_state(path: Path) -> dict[str, Tensor]:
    """Tensors of a file that torch saved, as float32.

    Raises:
        WeightsError: missing, not a dictionary of tensors, or with numbers that are not finite.
    """
    tensors = checked_tensors(path, read_checkpoint(path))
    return {name: value.float() for name, value in tensors.items()}


def check_trunk(state: State, layout: Mapping[int, tuple[int, int, int]], name: str) -> State:
    """The state, if it has every convolution of `layout` (ALEXNET or VGG16).

    Raises:
        WeightsError: a tensor is missing or of another shape.
    """
    for place, (out, inner, kernel) in layout.items():
        for part, shape in (("weight", (out, inner, kernel, kernel)), ("bias", (out,))):
            key = f"features.{place}.{part}"
            found = tuple(state[key].shape) if key in state else None
            if found != shape:
                raise WeightsError(f"{name}: {key} has shape {found}, {shape} expected (torchvision's layout)")
    return state


def alexnet(state: State, x: Float[Tensor, "n 3 h w"]) -> Features:
    """Features after each of the five ReLUs; images of at least 31×31."""

    def conv(x: Tensor, place: int, stride: int, padding: int) -> Tensor:
        weight, bias = state[f"features.{place}.weight"], state[f"features.{place}.bias"]
        return F.relu(F.conv2d(x, weight, bias, stride, padding), inplace=True)

    found = [conv(x, 0, 4, 2)]
    found.append(conv(F.max_pool2d(found[-1], 3, 2), 3, 1, 2))
    found.append(conv(F.max_pool2d(found[-1], 3, 2), 6, 1, 1))
    found.append(conv(found[-1], 8, 1, 1))
    found.append(conv(found[-1], 10, 1, 1))
    return found


def max_pool(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c i j"]:
    """VGG's own pooling."""
    return F.max_pool2d(x, 2)


def l2_pool(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c i j"]:
    """DISTS's pooling: root of the squares blurred by a 3×3 Hanning window, every second place."""
    line = x.new_tensor([0.25, 0.5, 0.25])
    kernel = torch.outer(line, line).expand(x.shape[1], 1, 3, 3)
    return (F.conv2d(x * x, kernel, stride=2, padding=1, groups=x.shape[1]) + 1e-12).sqrt()


def vgg16(
    state: State,
    x: Float[Tensor, "n 3 h w"],
    pool: Callable[[Float[Tensor, "n c h w"]], Float[Tensor, "n c i j"]] = max_pool,
) -> Features:
    """Features after the last ReLU of each of the five stages; images of at least 16×16."""
    found = []
    for stage, places in enumerate(VGG16_STAGES):
        x = pool(x) if stage else x
        for place in places:
            x = F.conv2d(x, state[f"features.{place}.weight"], state[f"features.{place}.bias"], padding=1)
            x = F.relu(x, inplace=True)
        found.append(x)
    return found
