"""Metrics from Python: `vitiq.metric`, `backbone`, `list_metrics`, and what scoring makes of names and images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, TypeVar, overload

from vitiq import registry
from vitiq.api.given import as_path, as_paths, check_no_class, images_of, texts_of
from vitiq.api.types import (
    Backbone,
    BackboneLike,
    DeviceLike,
    ImageLike,
    Metrics,
    MetricSpec,
    OneImage,
    Single,
    TorchMetric,
)
from vitiq.errors import InputError
from vitiq.image.arrays import Taken
from vitiq.metrics.alone import asked_alone, batch_alone, check_alone
from vitiq.metrics.base import Metric, PairMetric, SetMetric
from vitiq.metrics.scoring import resolve_metrics
from vitiq.metrics.spec import split_names as words_of
from vitiq.models.device import device_name
from vitiq.types import Score

SIDES = ("reference", "distorted")
ALONE = "image"
"""What images without a reference are called in messages."""
T = TypeVar("T")


class MetricFunction:
    """One metric, to be called on a pair of images or on two batches; one without a reference on an image or a batch.

    Attributes:
        key: of the metric in records, commands and this interface.
        metric: what states its title, unit, range, direction and source.
    """

    def __init__(self, metric: Metric) -> None:
        self.key, self.metric = metric.name, metric

    @property
    def higher_is_better(self) -> bool:
        """Direction."""
        return self.metric.higher_is_better

    def signature(self) -> str:
        """Names everything that changes the value."""
        return self.metric.signature()

    @overload
    def __call__(self, reference: Single, distorted: OneImage | None = ...) -> Score: ...
    @overload
    def __call__(self, reference: OneImage, distorted: Single) -> Score: ...
    @overload
    def __call__(self, reference: ImageLike, distorted: ImageLike | None = ...) -> Any: ...
    def __call__(self, reference: ImageLike, distorted: ImageLike | None = None) -> Score | list[Score]:
        """A Score for a pair, a list of them for two batches; one Score where the metric compares sets.

        Args:
            reference: the images to score, where `distorted` is left out.
            distorted: may be left out of a metric that needs no reference.

        Raises:
            InputError: images in none of the stated forms, of different sizes, or too small for the metric; no second
                image for a metric that compares two.
        """
        if distorted is None:
            check_alone([self.metric])
        if isinstance(self.metric, PairMetric):
            if distorted is None:
                left = images_of(reference, ALONE)
                found = batch_alone(self.metric, left.images)
            else:
                left, right = both_sides(reference, distorted)
                found = self.metric.batch(left.images, right.images)
            return found if left.batch else found[0]
        if not isinstance(self.metric, SetMetric):
            raise InputError(f"metric {self.key} compares neither pairs nor sets")
        return self.metric(
            *(images_of(side, name).images for side, name in zip((reference, distorted), SIDES, strict=True))
        )

    def __repr__(self) -> str:
        better = "higher" if self.higher_is_better else "lower"
        return f"<vitiq metric {self.key}: {self.metric.title}, {better} is better>"


def metric(
    name: str | Metric,
    *,
    backbone: BackboneLike | None = None,
    panel: Sequence[BackboneLike] = (),
    device: DeviceLike | None = None,
) -> MetricFunction:
    """One metric, callable on a pair of images or on two batches; on images alone if it needs no reference.

    Args:
        name: key of the metric, optionally with a setting after an @ (`"vit-topk@10"`); or an own metric, an instance
            of a subclass of `vitiq.plugins.PairMetric` or `SetMetric`.
        backbone, panel, device: as for `vitiq.score`.

    Raises:
        UnknownNameError: no such metric.

    Example:
        >>> import numpy as np, vitiq
        >>> image = np.zeros((32, 32, 3), np.uint8)
        >>> mse = vitiq.metric("mse")
        >>> mse(image, image + 3).value
        9.0
        >>> [score.value for score in mse([image, image], [image + 1, image + 2])]
        [1.0, 4.0]
        >>> noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        >>> round(vitiq.metric("brisque")(noise).value)
        106
    """
    check_no_class(name, Metric, "metric")
    if not isinstance(name, str | Metric):
        raise InputError(f"metric: {type(name).__name__} given, a name or an own metric expected")
    made = made_metrics([name], backbone, panel, device)
    if len(made) != 1:
        raise InputError(f"{name!r} names {len(made)} metrics, one expected; use vitiq.score")
    return MetricFunction(made[0])


def torchmetric(
    name: str | Metric,
    *,
    backbone: BackboneLike | None = None,
    panel: Sequence[BackboneLike] = (),
    device: DeviceLike | None = None,
    **options: Any,
) -> TorchMetric:
    """One metric as a torchmetrics `Metric`: `update(preds, target)`, `compute()`, reduced over distributed processes.

    A metric that needs no reference takes `update(preds)` too.
    Images without a finite value are left out of the mean, as by `vitiq.score_folder`; `left_out` counts them.

    Args:
        name, backbone, panel, device: as for `vitiq.metric`.
        **options: of `torchmetrics.Metric` (`dist_sync_on_step`, `sync_on_compute`, …).

    Raises:
        UnknownNameError: no such metric.
        MissingDependencyError: torchmetrics is not installed.

    Example:
        >>> import torch, vitiq
        >>> measure = vitiq.torchmetric("mse")
        >>> measure.update(torch.zeros(2, 3, 16, 16), torch.full((2, 3, 16, 16), 0.2))
        >>> float(measure.compute())
        2601.0
    """
    from vitiq.metrics.torchmetrics_adapter import TorchMetric  # noqa: PLC0415 - torch

    return TorchMetric(metric(name, backbone=backbone, panel=panel, device=device).metric, **options)


def backbone(weights: str | os.PathLike[str] | None = None, *, device: DeviceLike | None = None) -> Backbone:
    """A Vision Transformer with labels: the embedded one, or a checkpoint of timm, Hugging Face, torchvision, ….

    Args:
        weights: path of a checkpoint, its name in `vitiq models list`, or "NAME:PATH" for one that a plug-in's backbone
            reads; None for the embedded ViT.
        device: "cpu" (default), "cuda", "cuda:1", …; "auto" for a GPU if torch finds one.

    Raises:
        InputError: torch does not find the device.
        WeightsError: the checkpoint is missing, damaged or of an unknown architecture.

    Example:
        >>> import numpy as np, vitiq
        >>> vit = vitiq.backbone()
        >>> vit.logits([np.zeros((50, 70, 3), np.uint8)]).shape
        (1, 1000)
    """
    from vitiq.models.backbones import load_backbone  # noqa: PLC0415 - torch

    path = None if weights is None else as_path(weights, "weights")
    return load_backbone(weights=path, device=device_name(device))


def list_metrics() -> list[str]:
    """Keys of all installed metrics, including plug-ins.

    Example:
        >>> import vitiq
        >>> "vit-topk" in vitiq.list_metrics()
        True
    """
    return list(registry.names("metrics"))


def names_of(metrics: Metrics) -> list[str]:
    """Names of metrics as they were given, with commas or in a list; those of own metrics among them.

    Raises:
        InputError: neither.
    """
    return [one if isinstance(one, str) else one.name for one in _asked(metrics)]


def _asked(metrics: Metrics) -> list[str | Metric]:
    """Names of metrics, and own metrics as they are, in the order given.

    Raises:
        InputError: neither, or an own metric that does not state what the contract asks for.
    """
    several = metrics if isinstance(metrics, list | tuple) else [metrics]
    given = [one.metric if isinstance(one, MetricFunction) else one for one in several]
    for own in given:
        check_no_class(own, Metric, "metrics")
    for own in given:
        if isinstance(own, Metric) and (missing := registry.unstated("metrics", own)):
            raise InputError(f"metric {type(own).__name__} lacks {', '.join(missing)}; state them in the class")
    if not any(isinstance(one, Metric) for one in given):
        return list(split_names(metrics))
    return [part for one in given for part in ([one] if isinstance(one, Metric) else split_names(one))]


def split_names(metrics: object) -> list[str]:
    """Names of metrics for worker processes, which find no own ones.

    Raises:
        InputError: no names with commas, nor a list of them.
    """
    return [name for text in texts_of(metrics, "metrics") for name in words_of(text)]


def some_names_of(metrics: object) -> list[str]:
    """As `split_names`, where at least one is needed.

    Raises:
        InputError: none is named.
    """
    return _some(split_names(metrics))


def _some(asked: list[T]) -> list[T]:
    if not asked:
        raise InputError("no metric named; vitiq.list_metrics() lists them")
    return asked


def made_alone(
    metrics: Metrics, backbone: BackboneLike | None, panel: Sequence[BackboneLike], device: DeviceLike | None
) -> list[Metric]:
    """As `made_metrics`, for images without references.

    Raises:
        InputError: as `made_metrics`, and for a metric that compares images.
    """
    made = made_metrics(asked_alone(_asked(metrics)), backbone, panel, device)
    check_alone(made)
    return made


def made_metrics(
    metrics: Metrics, backbone: BackboneLike | None, panel: Sequence[BackboneLike], device: DeviceLike | None
) -> list[Metric]:
    """The metrics of names, and own metrics as they are.

    Raises:
        InputError: no name at all, two metrics of one name, or a device for a backbone that is loaded already.
        UnknownNameError: no such metric.
    """
    vit = None if backbone is None and device in {None, "cpu"} else loaded(backbone, device)
    several = (panel,) if isinstance(panel, str | os.PathLike) else panel
    made = resolve_metrics(_some(_asked(metrics)), vit, [loaded(one, device) for one in several])
    names = [one.name for one in made]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"two metrics called {twice!r} given; scores are kept by name: give yours another")
    return made


def spec_of(
    metrics: object,
    backbone: str | os.PathLike[str] | None,
    panel: Sequence[str | os.PathLike[str]],
    device: DeviceLike | None,
) -> MetricSpec:
    """Metrics by their names, for worker processes to make.

    Raises:
        InputError: names in neither form, or a device that torch does not see.
    """
    from vitiq.evaluation.metric_spec import MetricSpec  # noqa: PLC0415

    path = None if backbone is None else as_path(backbone, "backbone")
    return MetricSpec(",".join(split_names(metrics)), path, as_paths(panel, "panel"), device_name(device))


def loaded(given: BackboneLike | None, device: DeviceLike | None) -> Backbone:
    """The backbone, loaded where its path is given.

    Raises:
        InputError: a device for one that is loaded already.
    """
    if given is None or isinstance(given, str | os.PathLike):
        return backbone(given, device=device)
    if not hasattr(given, "logits"):
        raise InputError(f"backbone: {type(given).__name__} given, a path or what vitiq.backbone() gave expected")
    if device is not None:
        raise InputError("device: given beside a backbone that is loaded already; give it to vitiq.backbone instead")
    return given


def both_sides(reference: ImageLike, distorted: ImageLike) -> tuple[Taken, Taken]:
    """Images of both sides, as many of each.

    Raises:
        InputError: another number of them, or no images.
    """
    left, right = images_of(reference, "reference"), images_of(distorted, "distorted")
    if left.batch != right.batch or len(left.images) != len(right.images):
        sizes = [f"a batch of {len(side.images)}" if side.batch else "one image" for side in (left, right)]
        raise InputError(f"{sizes[0]} as reference and {sizes[1]} as distorted given, equal numbers expected")
    return left, right
