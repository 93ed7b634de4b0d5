"""Work on large images in parts, some at a time, with results that do not depend on the number of threads.

Strips of rows where the overlap is small, tiles where a convolutional network reaches far: a `Tile` knows how much more
it must see on each side, and `cropped` cuts what a stage of the network has used up.
"""

from __future__ import annotations

import ctypes
import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, TypeAlias, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from vitiq.models.threads import one_thread

T = TypeVar("T")
R = TypeVar("R")


def strips(rows: int, width: int, area: int, multiple: int = 1) -> list[slice]:
    """Rows in strips of about `area` positions, about equal, that start at multiples of `multiple`.

    The strips depend on the size alone, never on the machine.

    Example:
        >>> strips(10, 5, 20)
        [slice(0, 5, None), slice(5, 10, None)]
    """
    count = max(1, round(rows * width / area))
    step = -(-rows // count)
    step += -step % multiple
    return [slice(start, min(start + step, rows)) for start in range(0, rows, step)]


Margins: TypeAlias = tuple[int, int, int, int]
"""Positions above, below, left and right of a tile."""

NO_MARGINS: Margins = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Tile:
    """A rectangle of positions, and what a network must see around it.

    Attributes:
        rows, columns: of the tile itself.
        margins: positions seen beyond it: above, below, left, right; 0 at the borders of the grid.
    """

    rows: slice
    columns: slice
    margins: Margins

    @property
    def seen(self) -> tuple[slice, slice]:
        """Rows and columns with the margins."""
        above, below, left, right = self.margins
        return (
            slice(self.rows.start - above, self.rows.stop + below),
            slice(self.columns.start - left, self.columns.stop + right),
        )


def tiles(rows: int, columns: int, area: int, halo: int) -> list[Tile]:
    """About square tiles of about `area` positions that cover a grid, each with `halo` positions around it.

    Example:
        >>> [tile.margins for tile in tiles(8, 20, 80, 3)]
        [(0, 0, 0, 3), (0, 0, 3, 0)]
    """
    side = math.sqrt(area)
    return [
        Tile(
            down,
            across,
            (
                min(halo, down.start),
                min(halo, rows - down.stop),
                min(halo, across.start),
                min(halo, columns - across.stop),
            ),
        )
        for down in strips(rows, 1, max(1, round(area / min(side, columns))))
        for across in strips(columns, 1, max(1, round(area / min(side, rows))))
    ]


def cropped(x: Float[Tensor, "n c h w"], margins: Margins, used: int, scale: int = 1) -> Float[Tensor, "n c i j"]:
    """Features without the `used` outermost positions of the margins; `scale` features a position.

    A margin that is shorter than `used` ends at the grid's border, where there is nothing to cut.
    """
    above, below, left, right = (scale * min(used, margin) for margin in margins)
    return x[:, :, above : x.shape[2] - below, left : x.shape[3] - right]


def left_over(margins: Margins, used: int) -> Margins:
    """Margins after `cropped`."""
    above, below, left, right = (max(0, margin - used) for margin in margins)
    return above, below, left, right


def in_order(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Results of `work` on each item, in their order, made by as many threads as torch may use.

    Each thread runs torch on one thread, so that no result depends on how many there are. At most one more item than
    there are threads is under way or waiting, which bounds the memory.

    Example:
        >>> list(in_order(lambda x: x * x, [1, 2, 3]))
        [1, 4, 9]
    """
    # A mode that counts or records operations sees those of its own thread alone.
    count = 1 if is_in_torch_dispatch_mode() else torch.get_num_threads()
    left = iter(items)
    first = list(islice(left, 2))
    if count == 1 or len(first) < 2:
        for item in (*first, *left):
            yield _alone(work, item)
        return
    with ThreadPoolExecutor(count) as pool:
        waiting: deque[Future[R]] = deque(
            pool.submit(_alone, work, item) for item in (*first, *islice(left, count - 1))
        )
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(_alone, work, item) for item in islice(left, 1))
            yield result
    give_back()


class Each(Protocol):
    """Runs a step of a network, at once or in parts."""

    def __call__(self, step: Callable[..., Tensor], *inputs: Tensor, reach: int = 0) -> Tensor:
        """`step(*inputs)`.

        Args:
            step: convolutions and what works place by place; its output has a whole multiple of the first input's rows.
            inputs: features 1×C×H×W of one grid; the others have a whole multiple of the first one's rows.
            reach: rows of the first input on each side that a row of the output is made of.
        """


def at_once(step: Callable[..., Tensor], *inputs: Tensor, reach: int = 0) -> Tensor:  # noqa: ARG001
    """The step as it is, an `Each`."""
    return step(*inputs)


@contextmanager
def by_strips(rows: int, columns: int, area: int) -> Iterator[Each]:
    """Run steps on strips of rows of about `area` positions, by as many threads as torch may use, each on one.

    The strips depend on the size of the grid alone, so no result depends on the number of threads.
    """
    parts = strips(rows, columns, area)
    count = 1 if is_in_torch_dispatch_mode() else min(torch.get_num_threads(), len(parts))

    def on_strip(step: Callable[..., Tensor], inputs: tuple[Tensor, ...], reach: int, part: slice) -> Tensor:
        height = inputs[0].shape[2]
        start, stop = (end * (height // rows) for end in (part.start, part.stop))
        above, below = max(0, start - reach), min(height, stop + reach)
        seen = [x[:, :, above * (x.shape[2] // height) : below * (x.shape[2] // height)] for x in inputs]
        found = _alone(lambda tensors: step(*tensors), seen)
        scale = found.shape[2] // (below - above)
        return found[:, :, (start - above) * scale : (stop - above) * scale]

    # What the caller joins and adds in between takes one thread too: those of OpenMP would spin after it, and take the
    # processor from the strips.
    with one_thread(), ThreadPoolExecutor(count) as pool:
        run = map if count == 1 else pool.map

        def each(step: Callable[..., Tensor], *inputs: Tensor, reach: int = 0) -> Tensor:
            grad = torch.is_grad_enabled()

            def work(part: slice) -> Tensor:
                with torch.set_grad_enabled(grad):
                    return on_strip(step, inputs, reach, part)

            found = list(run(work, parts))
            return found[0] if len(found) == 1 else torch.cat(found, dim=2)

        yield each


def give_back() -> None:
    """Memory that the C library holds free goes back to the system, where the C library can do it (glibc)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)


def _alone(work: Callable[[T], R], item: T) -> R:
    with one_thread():
        return work(item)
