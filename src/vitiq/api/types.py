"""What people may hand in, for annotations; imported by type checkers alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image
from torch import Tensor

from vitiq.models.backbones import Backbone
from vitiq.types import Progress

OneImage = str | os.PathLike[str] | Image.Image | np.ndarray | Tensor
ImageLike = OneImage | Sequence[OneImage]
BackboneLike = str | os.PathLike[str] | Backbone
ProgressOption = bool | Callable[[Progress], None] | None
