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


LEVELS = (-0.5, 1.5)
"""Values that a reference may have: filters and resizing overshoot [0, 1] by less, other scales by more."""

NARROW = (torch.float16, torch.bfloat16)
"""Types too coarse for sums of squares and for the constants of the metrics."""


@contextmanager
def _exactly(*images: Any) -> Iterator[tuple[Any, ...]]:
    """Images in float32 at least, where autocast narrows nothing: values stay the metric's in mixed precision.

    Images of two types meet in the wider one. Whole numbers are left for `Loss.check`.

    Raises:
        InputError: no tensors.
    """
    for given in images:
        if not isinstance(given, Tensor):
            what = (type(given).__module__.partition(".")[0] + "." + type(given).__name__).removeprefix("builtins.")
            fix = "; give torch.from_numpy(array)" if what == "numpy.ndarray" else ""
            raise InputError(f"{what} given, torch tensors of N×3×H×W expected{fix}")
    floats = [x for x in images if x.is_floating_point()]
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
    """`scores` of a loss, computed in float32 at least."""

    @wraps(work)
    def done(self: Loss, distorted: object, reference: object) -> Tensor:
        with _exactly(distorted, reference) as (y, x):
            return work(self, y, x)

    return done


def _exact_mean(work: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """`forward` of a loss, computed in float32 at least."""

    @wraps(work)
    def done(self: Loss, distorted: object, reference: object) -> Tensor:
        with _exactly(distorted, reference) as (y, x):
            _check_some(y)
            return work(self, y, x)

    return done


def _exact_search(work: Callable[..., Callable[[Given], Tensor]]) -> Callable[..., Callable[[Given], Tensor]]:
    """`against` of a loss, computed in float32 at least."""

    @wraps(work)
    def done(self: Loss, reference: object) -> Callable[[Given], Tensor]:
        with _exactly(reference) as (x,):
            found = work(self, x)

        def value(distorted: object) -> Tensor:
            with _exactly(distorted) as (y,):
                _check_some(y)
                return found(y)

        return value

    return done


def _check_some(images: Tensor) -> None:
    """A batch without images has no mean.

    Raises:
        InputError: it has none.
    """
    if images.ndim and not len(images):
        raise InputError(f"images of shape {tuple(images.shape)} given, at least one expected; leave out empty batches")


class Loss(nn.Module):
    """A metric as something to minimise, of N×3×H×W images in [0, 1].

    `scores` gives the metric's value of each image, in the metric's unit (of a ViT but for the resize, see
    `vitiq.losses`); calling the loss gives a mean over the images that falls as they come closer. What that is,
    `forward` of the subclass says: 1 - score where identical images score 1, the value itself where they score 0. Both
    are computed and given in float32 where images are narrower, under `torch.autocast` too; gradients have the type of
    the images.

    `distorted` may lie outside [0, 1], as a network's output does. A reference beyond `LEVELS` is refused, as it is at
    another scale: on the CPU at every call, on a GPU, which would have to be waited for, at the first call of a loss;
    not in `torch.compile`.

    Attributes:
        metric: key of the metric.
        smallest: pixels that a side needs.
    """

    metric: ClassVar[str]
    smallest: ClassVar[int] = 1
    _seen = False

    if TYPE_CHECKING:

        def __call__(self, distorted: Given, reference: Given) -> Float[Tensor, ""]:
            """As `forward`; a module's own takes and gives anything."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name, exact in (("forward", _exact_mean), ("scores", _exact), ("against", _exact_search)):
            if name in cls.__dict__:
                setattr(cls, name, exact(cls.__dict__[name]))

    @_exact_mean
    def forward(self, distorted: Given, reference: Given) -> Float[Tensor, ""]:
        """Mean of 1 - score; gradients reach `distorted`.

        Raises:
            InputError: no tensors; shapes differ, are not N×3×H×W, or too small for the metric; whole numbers; no
                image; a reference far outside [0, 1].
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
            InputError: shapes differ, are not N×3×H×W, or too small for the metric; whole numbers; a reference far
                outside [0, 1].
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
        self._check_levels(reference)

    def _check_levels(self, reference: Images) -> None:
        if torch.compiler.is_compiling() or not reference.numel() or (self._seen and reference.device.type != "cpu"):
            return
        self._seen = True
        try:
            low, high = (float(end) for end in reference.detach().aminmax())
        except RuntimeError:  # meta tensors, those of vmap and of tracers have no numbers
            return
        if low < LEVELS[0] or high > LEVELS[1]:
            fix = "give (images + 1) / 2 if -1 is black" if low >= -1 and high <= 1 else "divide levels by 255"
            raise InputError(f"a reference from {low:.6g} to {high:.6g} given, values in [0, 1] expected; {fix}")

    @abstractmethod
    def _compare(self, distorted: Images, reference: Images) -> Each: ...


class DistanceLoss(Loss):
    """A metric whose value is 0 for identical images."""

    def forward(self, distorted: Given, reference: Given) -> Float[Tensor, ""]:
        """Mean of the metric's value; gradients reach `distorted`."""
        return self.scores(distorted, reference).mean()
