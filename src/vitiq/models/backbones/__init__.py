"""Vision Transformers with labels, by name or from a checkpoint file."""

from __future__ import annotations

from copy import copy
from pathlib import Path

from vitiq.errors import PluginError
from vitiq.models.backbones.base import Backbone
from vitiq.models.device import find_device
from vitiq.registry import load, names, package
from vitiq.weights.kept import kept
from vitiq.weights.store import list_models, named_file

__all__ = ["Backbone", "load_backbone"]


def split_name(weights: str | Path) -> tuple[str, Path]:
    """Name of a registered backbone and path, of `NAME:PATH`; the name is empty where a path stands alone."""
    name, _, path = str(weights).partition(":")
    return (name, Path(path)) if path and name in names("backbones") else ("", Path(weights))


def is_name(weights: str) -> bool:
    """Whether text names a backbone, a registered one or one of `vitiq models list`, and not a file."""
    known = (*names("backbones"), *(info.name for info in list_models()))
    return weights in known and not Path(weights).is_file()


def load_backbone(name: str = "vit-embedded", weights: Path | None = None, device: str = "cpu") -> Backbone:
    """A registered backbone; with `weights`, the checkpoint at that path. The last few are kept.

    Args:
        weights: path of a checkpoint, or its name in `vitiq models list`; `NAME:PATH` for one that the registered
            backbone NAME reads, NAME for that backbone itself.
        device: where torch runs it: "cpu", "cuda", "cuda:1", …, or "auto".

    Raises:
        InputError: a device that torch does not have here.
        UnknownNameError: no such backbone.
        WeightsError: its weights are missing, damaged or not fetched yet.
    """
    if weights is not None and name == "vit-embedded":
        if str(weights) in names("backbones") and is_name(str(weights)):
            return _loaded(str(weights), None, device)
        kind, weights = split_name(weights)
        name = kind or name
    if weights is not None and is_name(str(weights)):
        weights = named_file(str(weights)) or weights
    return _loaded(name, weights, device)


@kept(3)
def _loaded(name: str, weights: Path | None, device: str) -> Backbone:
    backbone = load("backbones", "vit" if weights is not None and name == "vit-embedded" else name)(weights)
    if not isinstance(backbone, Backbone):
        raise PluginError(f"backbone {name!r} gave a {type(backbone).__name__}, a vitiq Backbone is expected")
    if found := package("backbones", name):
        backbone = copy(backbone)  # it may be one of vitiq's own, which others hold
        backbone.package = " ".join(found)
    return backbone if device == "cpu" else backbone.to(find_device(device))
