"""What people may hand in and get, for annotations.

At run time, what would load torch or the studies stands as `Any`: `typing.get_type_hints` works on the whole interface,
and importing it stays fast.
"""

# ruff: noqa: PLC0414 - names that other modules of the interface import from here

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vitiq.metrics.base import Metric
from vitiq.types import Progress

if TYPE_CHECKING:
    from torch import Tensor, device

    from vitiq.analysis.summary import Summary as Summary
    from vitiq.api.metrics import MetricFunction
    from vitiq.evaluation.metric_spec import MetricSpec as MetricSpec
    from vitiq.evaluation.presets import Finished as Finished
    from vitiq.evaluation.progress import Step as Step
    from vitiq.evaluation.scoring import Scored as Scored
    from vitiq.metrics.torchmetrics_adapter import TorchMetric as TorchMetric
    from vitiq.models.backbones import Backbone as Backbone
else:
    Tensor = device = Summary = MetricSpec = Finished = Step = Scored = TorchMetric = Backbone = MetricFunction = Any

File = str | os.PathLike[str]
Single = File | Image.Image | NDArray[np.uint8]
"""One image whatever its values; arrays of floats are one or a batch, as their shape says."""
Floats = NDArray[np.floating[Any]] | Tensor
OneImage = Single | Floats
Several = list[Any] | tuple[Any, ...]
ImageLike = OneImage | Sequence[OneImage]
BackboneLike = File | Backbone
DeviceLike = str | device
OneMetric: TypeAlias = str | Metric | MetricFunction
Metrics: TypeAlias = OneMetric | Sequence[OneMetric]
Whole = int | np.integer[Any]
Number = float | Whole | np.floating[Any]
ProgressOption = bool | Callable[[Progress], None] | None
