"""What LPIPS, DISTS and Wasserstein Distortion share.

Weights from a folder or the cache, named by hash, and a clear error without them."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from vitiq.errors import InputError, UndefinedError, WeightsError
from vitiq.metrics.base import PairMetric
from vitiq.types import ImageU8, Score
from vitiq.weights.store import model_info, sha256_file

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from vitiq.models.row_stream import Node


LARGE = 2**19
"""Pixels of an image that is read in one piece; larger ones are read by rows, with the same value to 1e-6."""


class ByRows(NamedTuple):
    """What a measure of images that come by rows consists of.

    Attributes:
        node: gets both images, 0 … 1, as a batch of two.
        value: the measure, once all rows are in.
    """

    node: Node
    value: Callable[[], float]


class PerceptualMetric(PairMetric):
    """A distance of features of a trained network; 0 for identical images.

    Args:
        folder: where the weights files lie; None for the folder that `vitiq models fetch` fills.
    """

    kind = "full-reference"
    higher_is_better = False
    differentiable = True
    parameter = "folder"
    models: ClassVar[tuple[str, ...]]
    """Names in the manifest: the trained weights of the metric, if it has any, and the trunk."""
    smallest: ClassVar[int]
    settings: ClassVar[str]

    def __init__(self, folder: str | Path | None = None) -> None:
        self._folder = None if folder is None else Path(folder)

    @classmethod
    def is_path(cls, setting: str) -> bool:  # noqa: ARG003
        """It names the folder of the weights."""
        return True

    def _paths(self) -> tuple[Path, ...]:
        found = tuple(model_info(name) for name in self.models)
        if self._folder is None:
            return tuple(info.path for info in found)
        return tuple(self._folder / Path(info.file).name for info in found)

    def constants(self) -> dict[str, Tensor]:
        """Numbers that stand beside the trained weights of the metric; none by default."""
        return {}

    @cached_property
    def states(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Tensors of the metric and of its trunk.

        Raises:
            WeightsError: not there, or of another layout.
        """
        from vitiq.models.perceptual import read_state  # noqa: PLC0415 - torch

        for path in self._paths():
            if not path.is_file():
                raise WeightsError(
                    f"{path}: weights of {self.name} are not there; run `vitiq models fetch {self.models[0]}`, or copy "
                    f"the files into a folder and name it: {self.name}@FOLDER"
                )
        *trained, trunk = (read_state(path) for path in self._paths())
        own = {**(trained[0] if trained else {}), **self.constants()}
        self.check(own, trunk)
        return own, trunk

    @cached_property
    def _hashes(self) -> str:
        paths = self._paths()
        if not all(path.is_file() for path in paths):
            return "missing"
        return "+".join(sha256_file(path)[:12] for path in paths)

    def signature(self) -> str:
        """Hashes of both weights files, and the preprocessing."""
        return f"{self.name}|weights:{self._hashes}|{self.settings}|v1"

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """The distance; WeightsError without weights, InputError for images below the network's smallest."""
        import torch  # noqa: PLC0415 - imported where used

        height, width, _ = reference.shape
        if min(height, width) < self.smallest:
            raise InputError(
                f"an image of {width}×{height} pixels given, {self.title} needs sides of at least {self.smallest}"
            )
        with torch.no_grad():
            value = self._value(reference, distorted)
        if not math.isfinite(value):
            raise UndefinedError(f"{self.title}: the network's output is not finite")
        return Score(value, self.signature())

    def _value(self, reference: ImageU8, distorted: ImageU8) -> float:
        """In one piece, or by rows where the features of a whole image would need much memory."""
        from vitiq.models.row_stream import PIXELS, feed  # noqa: PLC0415 - torch

        own, trunk = self.states
        height, width, _ = reference.shape
        if height * width > LARGE:
            if width > height:  # rows along the short side: with turned windows the values are the same
                reference, distorted = (image.transpose(1, 0, 2) for image in (reference, distorted))
                trunk = {name: value.mT if value.ndim == 4 else value for name, value in trunk.items()}
            by_rows = self.by_rows(own, trunk, (max(height, width), min(height, width)))
            if by_rows is not None:
                feed(reference, distorted, by_rows.node, PIXELS)
                return by_rows.value()
        return float(self.measure(own, self.states[1], self.tensor(reference, distorted)))

    def tensor(self, reference: ImageU8, distorted: ImageU8) -> Float[Tensor, "2 3 h w"]:
        """Both images, 0 … 1."""
        import numpy as np  # noqa: PLC0415
        import torch  # noqa: PLC0415

        return torch.from_numpy(np.stack([reference, distorted])).permute(0, 3, 1, 2).float() / 255

    @staticmethod
    @abstractmethod
    def check(own: dict[str, Tensor], trunk: dict[str, Tensor]) -> None:
        """Raises WeightsError where the tensors are of another layout."""

    @classmethod
    @abstractmethod
    def by_rows(cls, own: dict[str, Tensor], trunk: dict[str, Tensor], size: tuple[int, int]) -> ByRows | None:
        """`measure` of images that come by rows; None where a large image is made small first.

        Args:
            size: height and width.
        """

    @staticmethod
    @abstractmethod
    def measure(own: dict[str, Tensor], trunk: dict[str, Tensor], pair: Float[Tensor, "2 3 h w"]) -> Tensor:
        """The distance of the two images."""
