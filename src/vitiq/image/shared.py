"""What several metrics need of one pair is computed once: the metrics stay pure functions, a table of them is fast.

    @sharing_pair
    def table(reference, distorted, metrics):
        return [metric(reference, distorted) for metric in metrics]

A function marked `@shared` keeps its result until `table` returns, for these very arrays only; outside it is an
ordinary function. Blocks nest: what an outer block kept is used within, and a result is kept by the innermost block
that has the images. Each thread has its own results, so pairs can be scored on several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from vitiq.types import ImageU8

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


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


def sharing_pair(work: F) -> F:
    """Runs `work(reference, distorted, …)` in a `sharing` block of its two images."""

    @wraps(work)
    def run(reference: ImageU8, distorted: ImageU8, *args: Any, **kwargs: Any) -> Any:
        with sharing(reference, distorted):
            return work(reference, distorted, *args, **kwargs)

    return cast(F, run)


def shared(work: Callable[P, T]) -> Callable[P, T]:
    """Marks a pure function of images, given by position, whose result others may use again but not change."""

    @wraps(work)
    def once(*args: P.args, **kwargs: P.kwargs) -> T:
        kept = _KEPT.get()
        if kept is None or kwargs:
            return work(*args, **kwargs)
        ids = tuple(map(id, args))
        blocks = [block for block in kept.chain() if block.known.issuperset(ids)]
        if not blocks:
            return work(*args, **kwargs)
        key = (work, *ids)
        found = next((block for block in blocks if key in block.results), blocks[0])
        if key not in found.results:
            found.results[key] = work(*args, **kwargs)
        return found.results[key]  # type: ignore[return-value]

    return once
