"""The contract of a metric: a pure function of decoded 8-bit images that never sees a codec."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from vitiq.errors import InputError
from vitiq.metrics.guards import check_images, guarded_pair, guarded_set
from vitiq.models.device import shield
from vitiq.types import ImageU8, Score, read_only

if TYPE_CHECKING:
    from vitiq.metrics.loss import Loss

Kind = Literal["full-reference", "no-reference", "distribution", "semantic"]


class Metric(ABC):
    """What every metric states about itself.

    Attributes:
        name: key in records, CLI and API (`psnr-rgb`).
        title: name to show to people ("PSNR (RGB)").
        unit: "dB", "" for plain numbers.
        range: smallest and largest value it can take (±inf where unbounded).
        higher_is_better: direction.
        kind: what it needs and what it measures.
        differentiable: a torch loss of the same quantity exists; `loss_class` gives it, or `vitiq.losses` names it.
        reference: DOI or citation of the definition.
        formula: the definition in one line.
        parameter: the setting that may follow the name (`vit-topk@10%`), a keyword of the constructor; "" for none.
        signature_form: what the signature is made of, where the class says.
        identical: value of two equal images where it is not the best end of the range; NaN where it depends on them.

    The docstring of each metric ends with this metadata.
    """

    name: str
    title: ClassVar[str]
    unit: ClassVar[str] = ""
    range: ClassVar[tuple[float, float]]
    higher_is_better: ClassVar[bool]
    kind: ClassVar[Kind]
    differentiable: ClassVar[bool] = False
    reference: ClassVar[str]
    formula: ClassVar[str]
    parameter: ClassVar[str] = ""
    signature_form: ClassVar[str] = ""
    identical: ClassVar[float | None] = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        stated = all(hasattr(cls, item) for item in ("range", "higher_is_better", "formula", "reference"))
        if "name" in vars(cls) and stated:
            cls.__doc__ = f"{inspect.cleandoc(cls.__doc__ or '')}\n\n{cls._metadata_lines()}\n"

    @classmethod
    def _metadata_lines(cls) -> str:
        low, high = (f"{end:g}".replace("inf", "∞") for end in cls.range)
        better = "higher" if cls.higher_is_better else "lower"
        lines = [
            f"Formula: {cls.formula}",
            f"Range: {low} … {high}{f' {cls.unit}' if cls.unit else ''}, {better} is better",
            f"Source: {cls.reference}",
            f"Signature: {cls.signature_form}" if cls.signature_form else "",
        ]
        return "\n".join(line for line in lines if line)

    @abstractmethod
    def signature(self) -> str:
        """Names everything that changes the value, e.g. `psnr-rgb|range:255|v1`."""

    def require(self) -> object:
        """What a call needs beside vitiq, if anything; `vitiq metrics list` asks it. Nothing by default.

        Raises:
            MissingDependencyError: a program or a package is not found; the message says how to get it.
        """
        return None

    @classmethod
    def is_path(cls, setting: str) -> bool:  # noqa: ARG003 - for those that read files
        """Whether a setting after the @ names a file or folder, which in a study file is relative to that file."""
        return False

    @classmethod
    def loss_class(cls) -> type[Loss] | None:
        """The torch loss of a differentiable metric, imported here, as torch is slow to; None where there is none."""
        return None


class PairMetric(Metric):
    """A metric of one reference and one distorted image of the same size.

    Whatever a subclass computes in `__call__`, it is handed two H×W×3 uint8 images of one size (anything else is an
    InputError). Other metrics read them too, so they are read-only: copy what you change. A value that is not defined
    leaves it as NaN with the reason in `details["undefined"]`.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "__call__" in vars(cls):
            cls.__call__ = guarded_pair(vars(cls)["__call__"])  # type: ignore[method-assign]
        shield(cls, "prepare")

    @abstractmethod
    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """Score `distorted` against `reference` (both H×W×3 uint8 sRGB).

        Raises:
            InputError: no such images, their sizes differ, or they are too small for the metric.
        """

    def prepare(self, images: Sequence[ImageU8]) -> None:
        """Do in one go what pays for many images at once, such as a network's forwards in batches; keep the results.

        Values do not depend on it. Nothing by default.
        """

    def batch(self, references: Sequence[ImageU8], distorted: Sequence[ImageU8]) -> list[Score]:
        """Score pairs, one Score a pair; the same values as one by one.

        Raises:
            InputError: as for a single pair, or lists of different length.
        """
        check_images(references)
        check_images(distorted)
        if len(references) != len(distorted):
            raise InputError(
                f"{len(references)} references and {len(distorted)} distorted images given, pairs expected"
            )
        views = {id(image): read_only(image) for image in (*references, *distorted)}
        references, distorted = ([views[id(image)] for image in side] for side in (references, distorted))
        self.prepare([*references, *distorted])
        return [self(a, b) for a, b in zip(references, distorted, strict=True)]


class SetMetric(Metric):
    """A metric of two sets of images (a distance between distributions); guarded as `PairMetric` is."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "__call__" in vars(cls):
            cls.__call__ = guarded_set(vars(cls)["__call__"])  # type: ignore[method-assign]
        shield(cls, "rows", "of_rows")

    @abstractmethod
    def __call__(self, reference: Sequence[ImageU8], distorted: Sequence[ImageU8]) -> Score:
        """Score the set `distorted` against the set `reference`.

        Raises:
            InputError: no images, or too few samples for the estimate.
        """
