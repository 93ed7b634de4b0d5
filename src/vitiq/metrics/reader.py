"""A backbone that is loaded when the first image is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vitiq.models.backbones import Backbone


class Reader:
    """What reads images with a Vision Transformer.

    Args:
        backbone: None for the embedded ViT, loaded at first use.
    """

    def __init__(self, backbone: Backbone | None = None) -> None:
        self._backbone = backbone

    @property
    def backbone(self) -> Backbone:
        """The backbone."""
        if self._backbone is None:
            from vitiq.models.backbones import load_backbone  # noqa: PLC0415 - torch

            self._backbone = load_backbone()
        return self._backbone
