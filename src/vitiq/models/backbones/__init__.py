"""Vision Transformers with labels, by name or from a checkpoint file."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch

from vitiq.errors import InputError, PluginError, first_line
from vitiq.models.backbones.base import Backbone
from vitiq.registry import load

__all__ = ["Backbone", "load_backbone"]


@lru_cache(maxsize=3)
def load_backbone(name: str = "vit-embedded", weights: Path | None = None, device: str = "cpu") -> Backbone:
    """A registered backbone; with `weights`, the checkpoint at that path. The last few are kept.

    Args:
        device: where torch runs it: "cpu", "cuda", "cuda:1", …

    Raises:
        InputError: a device that torch does not have here.
        UnknownNameError: no such backbone.
        WeightsError: its weights are missing or damaged.
    """
    backbone = load("backbones", "vit" if weights is not None and name == "vit-embedded" else name)(weights)
    if not isinstance(backbone, Backbone):
        raise PluginError(f"backbone {name!r} gave a {type(backbone).__name__}, a vitiq Backbone is expected")
    return backbone if device == "cpu" else backbone.to(_device(device))


def _device(name: str) -> torch.device:
    """The device of a name, if a number can be put there and read back."""
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(f"device {name!r} given, which torch does not have here ({first_line(error)})") from error
    return device
