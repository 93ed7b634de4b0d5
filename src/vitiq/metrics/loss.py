"""What every torch loss of a metric has in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from vitiq.errors import InputError
from vitiq.models.device import shielded

Images: TypeAlias = Float[Tensor, "n 3 h w"]
Each: TypeAlias = Float[Tensor, " n"]
Given: TypeAlias = Shaped[Tensor, "..."]
"""What a caller brings; `Loss.scores` says where it is wrong."""


NARROW = (torch.float16, torch.bfloat16)
"""Types too coarse for sums of squares and for the constants of the metrics."""


@contextmanager
def _exactly(*images: Any) -> Iterator[tuple[Any, ...]]:
    """Images in float32 at least, where autocast narrows nothing: values stay the metric's in mixed precision.

    Images of two types meet in the wider one. What is no tensor of numbers is left for `Loss.check`.
    """
    floats = [x for x in images if isinstance(x, Tensor) and x.is_floating_point()]
    if len(floats) < len(images):
        yield images
        return
    kind = floats[0].dtype
    for other in floats[1:]:
        kind = torch.promote_types(kind, other.dtype)
    kind = torch.float32 if kind in NARROW else kind
    with shielded(floats[0].device.type):
        yield tuple(x.to(kind) for x in floats)


def _exact(work: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """`forward` or `scores` of a loss, computed in float32 at least."""

    @wraps(work)
    def done(self: Loss, distorted: Given, reference: Given) -> Tensor:
        with _exactly(distorted, reference) as (y, x):
            return work(self, y, x)

    return done


def _exact_search(work: Callable[..., Callable[[Given], Tensor]]) -> Callable[..., Callable[[Given], Tensor]]:
    """`against` of a loss, computed in float32 at least."""

    @wraps(work)
    def done(self: Loss, reference: Given) -> Callable[[Given], Tensor]:
        with _exactly(reference) as (x,):
            found = work(self, x)

        def value(distorted: Given) -> Tensor:
            with _exactly(distorted) as (y,):
                return found(y)

        return value

    return done


class Loss(nn.Module):
    """A metric as something to minimise, of N×3×H×W images in [0, 1].

    `scores` gives the metric's value of each image, in the metric's unit; calling the loss gives a mean over the images
    that falls as they come closer. What that is, `forward` of the subclass says: 1 - score where identical images
    score 1, the value itself where they score 0. Both are computed and given in float32 where images are narrower,
    under `torch.autocast` too; gradients have the type of the images.

    Attributes:
        metric: key of the metric.
        smallest: pixels that a side needs.
    """

    metric: ClassVar[str]
    smallest: ClassVar[int] = 1

    if TYPE_CHECKING:

        def __call__(self, distorted: Given, reference: Given) -> Float[Tensor, ""]:
            """As `forward`; a module's own takes and gives anything."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name, exact in (("forward", _exact), ("scores", _exact), ("against", _exact_search)):
            if name in cls.__dict__:
                setattr(cls, name, exact(cls.__dict__[name]))

    @_exact
    def forward(self, distorted: Given, reference: Given) -> Float[Tensor, ""]:
        """Mean of 1 - score; gradients reach `distorted`.

        Raises:
            InputError: shapes differ, are not N×3×H×W, or too small for the metric; whole numbers.
        """
        return 1 - self.scores(distorted, reference).mean()

    @_exact
    def scores(self, distorted: Given, reference: Given) -> Each:
        """The metric's value of each image."""
        self.check(distorted, reference)
        return self._compare(distorted, reference)

    @_exact_search
    def against(self, reference: Given) -> Callable[[Given], Float[Tensor, ""]]:
        """The loss of images against one reference, for a search: a network reads the reference once."""
        return lambda distorted: self(distorted, reference)

    def check(self, distorted: Given, reference: Given) -> None:
        """Refuse what the loss cannot compare.

        Raises:
            InputError: shapes differ, are not N×3×H×W, or too small for the metric.
        """
        if distorted.shape != reference.shape or distorted.ndim != 4 or distorted.shape[1] != 3:
            shapes = f"{tuple(distorted.shape)} and {tuple(reference.shape)}"
            raise InputError(f"images of shape {shapes} given, the same N×3×H×W expected")
        if not (distorted.is_floating_point() and reference.is_floating_point()):
            kinds = " and ".join(str(images.dtype).removeprefix("torch.") for images in (distorted, reference))
            raise InputError(f"images of {kinds} given, floating point in [0, 1] expected; divide levels by 255")
        if min(distorted.shape[2:]) < self.smallest:
            height, width = distorted.shape[2:]
            raise InputError(f"images of {width}×{height} pixels given, {self.metric} needs sides of {self.smallest}")

    @abstractmethod
    def _compare(self, distorted: Images, reference: Images) -> Each: ...


class DistanceLoss(Loss):
    """A metric whose value is 0 for identical images."""

    def forward(self, distorted: Given, reference: Given) -> Float[Tensor, ""]:
        """Mean of the metric's value; gradients reach `distorted`."""
        return self.scores(distorted, reference).mean()
