"""A metric as a torchmetrics `Metric`: update batch by batch, compute once, reduced over the processes of a training.

    from vitiq.metrics.torchmetrics_adapter import TorchMetric

    measure = TorchMetric("vit-topk")
    for images, rebuilt in batches:          # N×3×H×W in [0, 1], or uint8
        measure.update(rebuilt, images)      # as torchmetrics has it: predictions first, then targets
    measure.compute()                        # mean over all images of all processes

Values are vitiq's own: floats are rounded to 8 bits first, and a pair metric's value is the mean over images. Those
without a finite value (PSNR of two equal images) are left out, as in every mean of vitiq, and counted in `left_out`; a
warning says so once. A metric of sets gathers the rows of all images.
"""

from __future__ import annotations

import math
import warnings
from functools import cache
from itertools import count
from typing import Any

import numpy as np
import torch
from jaxtyping import Num
from torch import Tensor

from vitiq.errors import InputError, MissingDependencyError, first_line
from vitiq.metrics.alone import check_alone
from vitiq.metrics.base import Metric as VitiqMetric
from vitiq.metrics.base import PairMetric
from vitiq.metrics.scoring import resolve_metrics, score_pairs
from vitiq.metrics.sets.rows import RowMetric, Rows
from vitiq.types import ImageU8, read_only

try:
    from torchmetrics import Metric
    from torchmetrics.utilities.data import dim_zero_cat
except ImportError as error:
    raise MissingDependencyError(
        "torchmetrics is not installed, which this adapter is for; run: pip install 'vitiq[torchmetrics]'"
    ) from error
except RuntimeError as error:  # of torchvision, which torchmetrics imports where it finds it
    raise MissingDependencyError(
        f"torchmetrics cannot be imported ({first_line(error)}); install the torchvision that belongs to torch "
        f"{torch.__version__}, or remove torchvision"
    ) from error


_COUNTER = count()


class TorchMetric(Metric):  # type: ignore[misc,unused-ignore]
    """A registered metric of vitiq with torchmetrics' interface.

    Args:
        metric: the name of one metric, as `resolve_metrics` takes it (`psnr-rgb`, `vit-topk@10`, `patch-fid-vit`), or a
            metric.
        options: of `torchmetrics.Metric` (`dist_sync_on_step`, `sync_on_compute`, …).

    Attributes:
        left_out: images so far, of all processes once reduced, that have no finite value and are not in the mean.

    Raises:
        UnknownNameError: no such metric.
        InputError: a metric that reads sets as whole images.
    """

    is_differentiable = False
    full_state_update = False
    total: Tensor
    count: Tensor
    left_out: Tensor
    reference_rows: list[Tensor]
    distorted_rows: list[Tensor]
    width: Tensor
    which: Tensor

    def __new__(cls, metric: str | VitiqMetric, **options: Any) -> TorchMetric:  # noqa: ARG004 - of __init__
        """Of a class with the metric's name, by which a `MetricCollection` of a list calls its results."""
        return _blank(metric if isinstance(metric, str) else metric.name)

    def __reduce__(self) -> tuple[Any, ...]:
        return _blank, (type(self).__name__,), self.__getstate__()

    def __init__(self, metric: str | VitiqMetric, **options: Any) -> None:
        super().__init__(**options)
        found = metric if isinstance(metric, VitiqMetric) else resolve_metrics([metric])[0]
        self.metric = found
        self._said = False
        if isinstance(found, PairMetric):
            self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
            self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
            self.add_state("left_out", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
            # A MetricCollection updates only one of those whose states agree after the first batch: without this
            # SSIM and MS-SSIM, say, after a batch of identical images.
            self.add_state("which", torch.tensor(next(_COUNTER)), dist_reduce_fx="max")
        elif isinstance(found, RowMetric):
            # Flat: for a process that saw no image torchmetrics gathers a tensor of one dimension.
            self.add_state("reference_rows", [], dist_reduce_fx="cat")
            self.add_state("distorted_rows", [], dist_reduce_fx="cat")
            self.add_state("width", torch.zeros((), dtype=torch.int64), dist_reduce_fx="max")
        else:
            raise InputError(f"{found.name} keeps whole sets of images in memory; call it on two lists of images")

    @property
    def higher_is_better(self) -> bool:  # type: ignore[override]
        """As the metric states."""
        return self.metric.higher_is_better

    def update(self, preds: Num[Tensor, "n _ h w"], target: Num[Tensor, "n _ h w"] | None = None) -> None:
        """Take a batch: distorted images, then their references, which a metric that needs none may go without.

        Raises:
            InputError: no images of N×3×H×W, floats outside [0, 1], or sizes that differ; no references for a metric
                that needs them.
            WeightsError, MissingDependencyError: what the metric needs is not found.
        """
        if target is None:
            check_alone([self.metric])
        distorted = eight_bit_images(preds)
        references = distorted if target is None else eight_bit_images(target)
        if isinstance(self.metric, RowMetric):
            for side, images in ((self.distorted_rows, distorted), (self.reference_rows, references)):
                found = [np.asarray(self.metric.rows(image), np.float32) for image in images]
                # Where the metric is: a group of GPUs gathers no tensors of the CPU.
                side.extend(torch.from_numpy(rows.flatten()).to(self.device) for rows in found)
                self.width = torch.tensor(found[0].shape[1], device=self.width.device) if found else self.width
            return
        for place, scores in enumerate(score_pairs(references, distorted, [self.metric])):
            score = scores[self.metric.name]
            if score.details.get("unavailable") and isinstance(self.metric, PairMetric):
                self.metric(references[place], distorted[place])  # raises why, as any call of the metric does
            if math.isfinite(score.value):
                self.total += score.value
                self.count += 1
            else:
                self.left_out += 1
                self._say_left_out(str(score.details.get("undefined", f"its value is {score.value}")))

    def _say_left_out(self, reason: str) -> None:
        """A warning, the first time."""
        if not self._said:
            self._said = True
            text = f"{self.metric.name}: an image is left out of the mean ({reason}); .left_out counts all that are"
            warnings.warn(text, stacklevel=2)

    def compute(self) -> Tensor:
        """The mean of all finite values so far, or the value of the two sets; NaN where there is none."""
        if isinstance(self.metric, RowMetric):
            sides = [self._gathered(side) for side in (self.reference_rows, self.distorted_rows)]
            return self._placed(self.metric.of_rows(*sides).value)
        return self.total / self.count if int(self.count) else self._placed(math.nan)

    def _placed(self, value: float) -> Tensor:
        """A value where the metric is, as torchmetrics gives its own."""
        exact = torch.tensor(value, dtype=torch.float64)
        try:
            return exact.to(self.device)
        except TypeError:  # Metal has no float64
            return exact.float().to(self.device)

    def _gathered(self, side: list[Tensor] | Tensor) -> Rows:
        """Rows of one side, of all processes once they are reduced."""
        if not len(side):
            return Rows([])
        return Rows([dim_zero_cat(side).cpu().numpy().reshape(-1, max(1, int(self.width)))])


@cache
def _class_of(name: str) -> type[TorchMetric]:
    return type(name, (TorchMetric,), {"__module__": __name__, "__doc__": TorchMetric.__doc__})


def _blank(name: str) -> TorchMetric:
    """An instance without its state, to be initialised or unpickled."""
    made: TorchMetric = object.__new__(_class_of(name))
    return made


def eight_bit_images(batch: object) -> list[ImageU8]:
    """The images of a batch as H×W×3 uint8; floats in [0, 1] are rounded, one channel of grey is repeated.

    Raises:
        InputError: no tensor, another shape or dtype, or floats outside [0, 1] or that are not finite.
    """
    if not isinstance(batch, Tensor):
        raise InputError(
            f"{type(batch).__name__} given, a tensor N×3×H×W of uint8 or of floats in [0, 1] expected (torch.as_tensor)"
        )
    given = f"{str(batch.dtype).removeprefix('torch.')} tensor of shape {tuple(batch.shape)}"
    if batch.ndim != 4 or batch.shape[1] not in {1, 3} or not (batch.is_floating_point() or batch.dtype == torch.uint8):
        raise InputError(f"{given} given, N×3×H×W of uint8 or of floats in [0, 1] expected")
    if batch.is_floating_point():
        if not bool(((batch >= 0) & (batch <= 1)).all()):
            raise InputError(f"{given} with numbers outside [0, 1] given; divide by the data range, or clip")
        batch = (batch * 255).round().to(torch.uint8)
    batch = batch.expand(-1, 3, -1, -1)
    # Read-only: uint8 images whose channels lie last share the caller's memory.
    return [read_only(np.ascontiguousarray(image)) for image in batch.detach().permute(0, 2, 3, 1).cpu().numpy()]
