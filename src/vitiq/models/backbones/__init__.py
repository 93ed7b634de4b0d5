"""Vision Transformers with labels, by name or from a checkpoint file."""

from __future__ import annotations

from copy import copy
from pathlib import Path

from vitiq.errors import PluginError
from vitiq.models.backbones.base import Backbone
from vitiq.models.device import find_device
from vitiq.registry import load, names, package
from vitiq.weights.kept import kept

__all__ = ["Backbone", "load_backbone"]


def split_name(weights: str | Path) -> tuple[str, Path]:
    """Name of a registered backbone and path, of `NAME:PATH`; the name is empty where a path stands alone."""
    name, _, path = str(weights).partition(":")
    return (name, Path(path)) if path and name in names("backbones") else ("", Path(weights))


@kept(3)
def load_backbone(name: str = "vit-embedded", weights: Path | None = None, device: str = "cpu") -> Backbone:
    """A registered backbone; with `weights`, the checkpoint at that path. The last few are kept.

    Args:
        weights: path of a checkpoint; `NAME:PATH` for one that the registered backbone NAME reads.
        device: where torch runs it: "cpu", "cuda", "cuda:1", …, or "auto".

    Raises:
        InputError: a device that torch does not have here.
        UnknownNameError: no such backbone.
        WeightsError: its weights are missing or damaged.
    """
    if weights is not None and name == "vit-embedded" and (named := split_name(weights))[0]:
        name, weights = named
    name = "vit" if weights is not None and name == "vit-embedded" else name
    backbone = load("backbones", name)(weights)
    if not isinstance(backbone, Backbone):
        raise PluginError(f"backbone {name!r} gave a {type(backbone).__name__}, a vitiq Backbone is expected")
    if found := package("backbones", name):
        backbone = copy(backbone)  # it may be one of vitiq's own, which others hold
        backbone.package = " ".join(found)
    return backbone if device == "cpu" else backbone.to(find_device(device))
