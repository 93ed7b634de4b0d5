"""Networks of windows on images that come by rows, so that a large image needs the memory of some rows of each layer.

A node gets rows from the top to the bottom, keeps those that its next window still reaches, and hands its output on;
every value is that of the whole image, to the rounding of another order of addition. A node is a function of some rows
and of whether they are the last ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from vitiq.types import ImageU8

Rows: TypeAlias = Float[Tensor, "n _ _ _"]
Node: TypeAlias = Callable[[Rows, bool], None]

PIXELS = 2**15
"""Pixels of an image that are handed on at a time."""


class Window:
    """One convolution or pooling.

    Args:
        work: from rows to rows, padding left and right itself and nothing above and below.
        size: rows of its window.
        stride: rows from one window to the next.
        padding: rows of zeros above the first and below the last row.
        sinks: nodes that get its output.
    """

    def __init__(
        self, work: Callable[[Rows], Rows], size: int, stride: int, padding: int, sinks: Sequence[Node]
    ) -> None:
        self._work, self._size, self._stride, self._padding = work, size, stride, padding
        self._sinks = tuple(sinks)
        self._kept: Rows | None = None
        self._skip = 0
        self._nothing: Rows | None = None

    def __call__(self, rows: Rows, last: bool) -> None:
        """Take the next rows in."""
        found = self._found(self._joined(rows, last))
        if found is None and last:
            found = self._nothing  # that the image ends is news to the sinks, although no row is
        if found is not None:
            self._nothing = found[:, :, :0]
            for sink in self._sinks:
                sink(found, last)

    def _joined(self, rows: Rows, last: bool) -> Rows:
        """The rows that are not used up, with zeros above and below the image."""
        zeros = rows.new_zeros((*rows.shape[:2], self._padding, rows.shape[3]))
        parts = [zeros if self._kept is None else self._kept, rows, *([zeros] if last else [])]
        joined = torch.cat([part for part in parts if part.shape[2]], dim=2) if any(p.shape[2] for p in parts) else rows
        skipped = min(self._skip, joined.shape[2])
        self._skip -= skipped
        return joined[:, :, skipped:]

    def _found(self, joined: Rows) -> Rows | None:
        """The output of all windows that are complete."""
        count = max(0, (joined.shape[2] - self._size) // self._stride + 1)
        used = count * self._stride
        self._kept = joined[:, :, used:].clone()
        self._skip += max(0, used - joined.shape[2])
        if not count:
            return None
        return self._work(joined[:, :, : (count - 1) * self._stride + self._size])


def feed(reference: ImageU8, distorted: ImageU8, node: Node, pixels: int = PIXELS) -> None:
    """Hands both images, 0 … 1, to a node, as a batch of two.

    Args:
        pixels: of each image at a time.
    """
    height, width, _ = reference.shape
    step = max(1, pixels // width)
    for top in range(0, height, step):
        parts = np.stack([image[top : top + step] for image in (reference, distorted)])
        node(torch.from_numpy(parts).permute(0, 3, 1, 2).float() / 255, top + step >= height)
