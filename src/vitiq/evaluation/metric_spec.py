"""Metrics as text, so that they can go to another process and be made there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vitiq.metrics.base import Metric
from vitiq.metrics.scoring import resolve_metrics

if TYPE_CHECKING:
    from vitiq.models.backbones import Backbone


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """The metrics to make in each worker.

    Attributes:
        names: as `resolve_metrics` takes them.
        weights: checkpoint of the ViT that scores; None for the embedded one.
        panel: further checkpoints.
    """

    names: str = "default"
    weights: Path | None = None
    panel: tuple[Path, ...] = ()

    def make(self) -> list[Metric]:
        """The metrics.

        Raises:
            UnknownNameError, WeightsError: no such metric or checkpoint.
        """
        if self.weights is None and not self.panel:
            return resolve_metrics(self.names)
        from vitiq.models.backbones import load_backbone  # noqa: PLC0415 - torch

        return resolve_metrics(self.names, self.backbone(), [load_backbone(weights=path) for path in self.panel])

    def backbone(self) -> Backbone | None:
        """The ViT of `weights`; None for the embedded one."""
        if self.weights is None:
            return None
        from vitiq.models.backbones import load_backbone  # noqa: PLC0415 - torch

        return load_backbone(weights=self.weights)
