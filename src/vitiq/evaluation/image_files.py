"""Sets of image files for metrics that are given the images themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import overload

from vitiq.evaluation.inputs import read_any
from vitiq.metrics.guards import LazyImages
from vitiq.types import ImageU8, read_only


class ImageFiles(LazyImages):
    """Images of files, each read when it is asked for."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths

    def __len__(self) -> int:
        return len(self._paths)

    @overload
    def __getitem__(self, index: int) -> ImageU8: ...
    @overload
    def __getitem__(self, index: slice) -> ImageFiles: ...
    def __getitem__(self, index: int | slice) -> ImageU8 | ImageFiles:
        """An image, or a part of them.

        Raises:
            InputError: the file cannot be read.
        """
        return ImageFiles(self._paths[index]) if isinstance(index, slice) else read_only(read_any(self._paths[index]))
