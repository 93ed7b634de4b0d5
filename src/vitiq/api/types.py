"""What people may hand in, for annotations; imported by type checkers alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, device

from vitiq.metrics.base import Metric
from vitiq.models.backbones import Backbone
from vitiq.types import Progress

File = str | os.PathLike[str]
Single = File | Image.Image | NDArray[np.uint8]
"""One image whatever its values; arrays of floats are one or a batch, as their shape says."""
Floats = NDArray[np.floating[Any]] | Tensor
OneImage = Single | Floats
Several = list[Any] | tuple[Any, ...]
ImageLike = OneImage | Sequence[OneImage]
BackboneLike = File | Backbone
DeviceLike = str | device
Metrics = str | Metric | Sequence[str | Metric]
Whole = int | np.integer[Any]
Number = float | Whole | np.floating[Any]
ProgressOption = bool | Callable[[Progress], None] | None
