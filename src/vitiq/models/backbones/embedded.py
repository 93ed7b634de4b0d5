"""The ViT that ships with vitiq: the offline default of every semantic metric (`vitiq train vit`)."""

from __future__ import annotations

from pathlib import Path

from vitiq.models.backbones.base import Backbone
from vitiq.models.backbones.checkpoint import load_checkpoint
from vitiq.weights.store import embedded_path

NAME = "vit-embedded"


def load(path: Path | None = None) -> Backbone:
    """The embedded ViT, or another file written by `vitiq train vit`.

    Raises:
        WeightsError: missing or damaged.
    """
    return load_checkpoint(path or embedded_path("vit_embedded.safetensors"), name=NAME)
