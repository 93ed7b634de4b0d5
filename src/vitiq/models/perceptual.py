"""The trunks that LPIPS and DISTS read images with, in torchvision's checkpoint layout: AlexNet and VGG-16.

A trunk is a plain dictionary of tensors (`features.0.weight`, …); classifier tensors are passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vitiq.errors import WeightsError
from vitiq.models.row_stream import Node, Window
from vitiq.weights.checkpoint import checked_tensors, read_checkpoint

State: TypeAlias = Mapping[str, Tensor]
Features: TypeAlias = "list[Float[Tensor, 'n _ _ _']]"

ALEXNET = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3), 10: (256, 256, 3)}
"""Place in `features`: output channels, input channels, kernel."""

ALEXNET_WINDOWS = {0: (4, 2), 3: (1, 2), 6: (1, 1), 8: (1, 1), 10: (1, 1)}
"""Place -> stride and padding; the features before 3 and 6 are pooled."""

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

    found = []
    for place, (stride, padding) in ALEXNET_WINDOWS.items():
        x = F.max_pool2d(x, 3, 2) if place in (3, 6) else x
        weight, bias = state[f"features.{place}.weight"], state[f"features.{place}.bias"]
        x = F.relu(F.conv2d(x, weight, bias, stride, padding), inplace=True)
        found.append(x)
    return found


def alexnet_rows(state: State, sinks: Sequence[Node]) -> Node:
    """`alexnet` of images that come by rows; each of the five sinks gets the features after one ReLU."""
    following: list[Node] = []
    for (place, (stride, padding)), sink in reversed(list(zip(ALEXNET_WINDOWS.items(), sinks, strict=True))):
        conv = _convolution(state, place, stride, padding, [sink, *following])
        following = [Window(lambda rows: F.max_pool2d(rows, 3, 2), 3, 2, 0, [conv]) if place in (3, 6) else conv]
    return following[0]


def vgg16_rows(
    state: State,
    sinks: Sequence[Node],
    pool: Callable[[Float[Tensor, "n c h w"]], Float[Tensor, "n c i j"]],
) -> Node:
    """`vgg16` of images that come by rows; each of the five sinks gets the features of one stage.

    Args:
        pool: of windows of 2×2, `max_pool` or a mean.
    """
    following: list[Node] = []
    for places, sink in reversed(list(zip(VGG16_STAGES, sinks, strict=True))):
        nodes: list[Node] = [sink, *(Window(pool, 2, 2, 0, [node]) for node in following)]
        for place in reversed(places):
            nodes = [_convolution(state, place, 1, 1, nodes)]
        following = nodes
    return following[0]


def _convolution(state: State, place: int, stride: int, padding: int, sinks: Sequence[Node]) -> Window:
    """One convolution and its ReLU."""
    weight, bias = state[f"features.{place}.weight"], state[f"features.{place}.bias"]

    def work(rows: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d i j"]:
        return F.relu(F.conv2d(rows, weight, bias, stride, (0, padding)), inplace=True)

    return Window(work, weight.shape[2], stride, padding, sinks)


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
