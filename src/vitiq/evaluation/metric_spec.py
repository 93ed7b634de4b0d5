"""Metrics as text, so that they can go to another process and be made there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vitiq.metrics.base import Metric
from vitiq.metrics.scoring import chosen_names, resolve_metrics

if TYPE_CHECKING:
    from vitiq.models.backbones import Backbone


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """The metrics to make in each worker.

    Attributes:
        names: as `resolve_metrics` takes them.
        weights: checkpoint of the ViT that scores; None for the embedded one.
        panel: further checkpoints.
        device: where the ViTs run.
    """

    names: str = "default"
    weights: Path | None = None
    panel: tuple[Path, ...] = ()
    device: str = "cpu"

    def make(self) -> list[Metric]:
        """The metrics.

        Raises:
            UnknownNameError, WeightsError: no such metric or checkpoint.
            InputError: torch does not have the device here.
        """
        if self.weights is None and not self.panel and self.device == "cpu":
            return resolve_metrics(self.names)
        from vitiq.models.backbones import load_backbone  # noqa: PLC0415 - torch

        panel = [load_backbone(weights=path, device=self.device) for path in self.panel]
        return resolve_metrics(self.names, self.backbone(), panel)

    def spellings(self, made: Sequence[Metric]) -> dict[str, str]:
        """A metric's own name -> how it was asked for: one with its weights in a folder is called as without.

        Args:
            made: what `make` gave.
        """
        return {metric.name: str(name) for name, metric in zip(chosen_names(self.names), made, strict=True)}

    def backbone(self) -> Backbone | None:
        """The ViT of `weights` on the device; None for the embedded one on the CPU."""
        if self.weights is None and self.device == "cpu":
            return None
        from vitiq.models.backbones import load_backbone  # noqa: PLC0415 - torch

        return load_backbone(weights=self.weights, device=self.device)
