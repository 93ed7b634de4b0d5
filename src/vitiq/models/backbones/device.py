"""A network of a backbone on a device of torch, beside the packed one of the CPU."""

from __future__ import annotations

from copy import copy, deepcopy

import torch
from jaxtyping import Float
from torch import Tensor

from vitiq.errors import InputError
from vitiq.models.backbones.base import Backbone
from vitiq.models.backbones.cache import Cache
from vitiq.models.vit import VisionTransformer


class OnDevice:
    """Float32 on a device, from tensors of the CPU to tensors of the CPU; a GPU's sums round in another order.

    Args:
        model: a copy of it lives on the device.
        device: as torch names it ("cuda", "cuda:1", "cpu").

    Raises:
        InputError: torch has no such device here.
    """

    def __init__(self, model: VisionTransformer, device: str) -> None:
        self._device = find_device(device)
        self._model = deepcopy(model).to(self._device)

    def forward_class(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n prefix d"]:
        """The tokens that labels come from, after the last norm."""
        with torch.inference_mode():
            return self._model.forward_hidden(x.to(self._device), ())[0][:, : self._model.config.prefix].cpu()

    def forward_features(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n t d"]:
        """Tokens after the last norm."""
        with torch.inference_mode():
            return self._model.forward_features(x.to(self._device)).cpu()

    def forward_levels(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n level p d"]:
        """Patch tokens of the later blocks."""
        with torch.inference_mode():
            return self._model.forward_levels(x.to(self._device)).cpu()


def on_device(backbone: Backbone, device: str) -> Backbone:
    """The same backbone with its network on a device of torch, in float32; images and results stay arrays.

    Raises:
        InputError: torch has no such device here.
    """
    other = copy(backbone)
    vars(other).update(_network=OnDevice(backbone.model, device), _precision="float32", _cache=Cache())
    return other


def find_device(name: str) -> torch.device:
    """A device by torch's name for it.

    Raises:
        InputError: no such kind of device, or none of it here.
    """
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError) as error:
        raise InputError(f"device {name!r} given, expected 'cpu', 'cuda' or another that torch knows") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"device {name!r} given, torch sees no GPU here by that name; leave it out")
    return device
