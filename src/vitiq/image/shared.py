"""What several metrics need of one pair is computed once: the metrics stay pure functions, a table of them is fast.

    with sharing(reference, distorted):
        scores = [metric(reference, distorted) for metric in metrics]

A function marked `@shared` keeps its result until the block ends, for these very arrays only; outside it is an
ordinary function. Blocks nest: what an outer block kept is used within, and a result is kept by the innermost block
that has the images. Each thread has its own results, so pairs can be scored on several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import wraps
from typing import ParamSpec, TypeVar

import numpy as np

from vitiq.types import ImageU8

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Kept:
    images: tuple[ImageU8, ...]
    outer: _Kept | None
    results: dict[tuple[object, ...], object] = field(default_factory=dict)
    known: frozenset[int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "known", frozenset(map(id, self.images)))

    def chain(self) -> Iterator[_Kept]:
        """This block and those around it."""
        block: _Kept | None = self
        while block is not None:
            yield block
            block = block.outer


_KEPT: ContextVar[_Kept | None] = ContextVar("vitiq_shared_results", default=None)


@contextmanager
def sharing(*images: ImageU8) -> Iterator[None]:
    """Within the block, `@shared` functions of these images are computed once. The images must not be changed."""
    token = _KEPT.set(_Kept(images, _KEPT.get()))
    try:
        yield
    finally:
        _KEPT.reset(token)


def shared(work: Callable[P, T]) -> Callable[P, T]:
    """Marks a pure function of images, given by position, whose result others may use again but not change.

    It may take other arguments too, which are compared as they compare with each other (a network: by identity).
    """

    @wraps(work)
    def once(*args: P.args, **kwargs: P.kwargs) -> T:
        kept = _KEPT.get()
        if kept is None or kwargs:
            return work(*args, **kwargs)
        ids = tuple(id(arg) for arg in args if isinstance(arg, np.ndarray))
        blocks = [block for block in kept.chain() if block.known.issuperset(ids)]
        if not ids or not blocks:
            return work(*args, **kwargs)
        key = (work, ids, *(arg for arg in args if not isinstance(arg, np.ndarray)))
        found = next((block for block in blocks if key in block.results), blocks[0])
        if key not in found.results:
            found.results[key] = work(*args, **kwargs)
        return found.results[key]  # type: ignore[return-value]

    return once
