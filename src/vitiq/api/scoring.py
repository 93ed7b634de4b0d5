"""Scoring from Python: `vitiq.score`, `score_folder`, `score_sets`, `metric`, `backbone`, `load_image`, …."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from vitiq import registry
from vitiq.api.paths import as_path, as_paths
from vitiq.api.progress import bar, set_total
from vitiq.errors import InputError
from vitiq.image.arrays import Taken, to_image, to_images
from vitiq.metrics.base import Metric, PairMetric, SetMetric
from vitiq.metrics.scoring import DEFAULT_SETS, resolve_metrics
from vitiq.metrics.scoring import score_pairs as score_image_pairs
from vitiq.metrics.scoring import score_sets as score_image_sets
from vitiq.models.device import device_name
from vitiq.types import ImageU8, Score

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image
    from torch import Tensor

    from vitiq.analysis.summary import Summary
    from vitiq.api.types import BackboneLike, ImageLike, OneImage
    from vitiq.evaluation.metric_spec import MetricSpec
    from vitiq.evaluation.scoring import Scored
    from vitiq.metrics.torchmetrics_adapter import TorchMetric
    from vitiq.models.backbones import Backbone


class Scores(dict[str, Score]):
    """Metric key -> Score (`value`, `signature`, `details`), in the order asked for.

    Attributes:
        notes: what was changed to fit each image into 8-bit sRGB (grey, transparency, profile, depth).
    """

    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "\n".join(f"{key:20} {score.value:.6g}" for key, score in self.items()) or "no scores"


def load_image(image: OneImage) -> ImageU8:
    """An image as vitiq sees it: H×W×3 uint8, sRGB.

    Args:
        image: a path, a Pillow image, NumPy uint8 H×W×3, or floating point in [0, 1] (NumPy or torch, H×W×3 or 3×H×W).
            Grey is repeated in three channels, transparency is laid on white, floating point is rounded to 8 bits.

    Raises:
        InputError: anything else; says what was given and what to do.

    Example:
        >>> import numpy as np, vitiq
        >>> vitiq.load_image(np.ones((2, 2))).tolist()[0][0]
        [255, 255, 255]
    """
    return to_image(image)[0]


@overload
def score(
    reference: str | os.PathLike[str] | Image.Image,
    distorted: str | os.PathLike[str] | Image.Image,
    metrics: str | Sequence[str] = ...,
    *,
    backbone: BackboneLike | None = ...,
    panel: Sequence[BackboneLike] = ...,
    device: str | None = ...,
) -> Scores: ...
@overload
def score(
    reference: list[Any] | tuple[Any, ...],
    distorted: list[Any] | tuple[Any, ...],
    metrics: str | Sequence[str] = ...,
    *,
    backbone: BackboneLike | None = ...,
    panel: Sequence[BackboneLike] = ...,
    device: str | None = ...,
) -> list[Scores]: ...
@overload
def score(
    reference: np.ndarray | Tensor,
    distorted: np.ndarray | Tensor,
    metrics: str | Sequence[str] = ...,
    *,
    backbone: BackboneLike | None = ...,
    panel: Sequence[BackboneLike] = ...,
    device: str | None = ...,
) -> Any: ...
@overload
def score(
    reference: ImageLike,
    distorted: ImageLike,
    metrics: str | Sequence[str] = ...,
    *,
    backbone: BackboneLike | None = ...,
    panel: Sequence[BackboneLike] = ...,
    device: str | None = ...,
) -> Any: ...
def score(
    reference: ImageLike,
    distorted: ImageLike,
    metrics: str | Sequence[str] = "default",
    *,
    backbone: BackboneLike | None = None,
    panel: Sequence[BackboneLike] = (),
    device: str | None = None,
) -> Scores | list[Scores]:
    """Score `distorted` against `reference`, with the values of `vitiq score` for the same pixels.

    Args:
        reference, distorted: images of one size, each a path, a Pillow image, NumPy uint8 H×W×3, or floating point in
            [0, 1] (NumPy or torch, H×W×3 or 3×H×W). Two batches (N×3×H×W, or lists of images) give a list.
        metrics: names with commas or a list of names; "default" and "all" stand for many.
        backbone: the ViT that the `vit-…` metrics read images with, as `vitiq.backbone` takes or gives it.
        panel: further ones, for `vit-panel`.
        device: "cuda" or "auto" for the backbones.

    Returns:
        Metric key -> Score. A metric that is not defined for these images is NaN, with the reason in
        `details["undefined"]`.

    Raises:
        InputError: images in none of these forms, or of different sizes.
        UnknownNameError: no such metric.

    Example:
        >>> import numpy as np, vitiq
        >>> image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        >>> scores = vitiq.score(image, image // 2, metrics="psnr-rgb,ssim")
        >>> {name: round(score.value, 2) for name, score in scores.items()}
        {'psnr-rgb': 10.71, 'ssim': 0.64}
        >>> scores["psnr-rgb"].signature
        'psnr-rgb|range:255|v1'
    """
    made = _metrics(metrics, backbone, panel, device)
    names = _named(metrics)
    if sets := [m.name for m in made if isinstance(m, SetMetric) and m.name in names]:
        raise InputError(f"{', '.join(sets)} compares sets of images; use vitiq.score_sets")
    left, right = _both(reference, distorted)
    found = score_image_pairs(left.images, right.images, made)
    results = []
    for scores, *notes in zip(found, left.notes, right.notes, strict=True):
        result = Scores(scores)
        result.notes = tuple(f"{side}: {note}" for side, own in zip(SIDES, notes, strict=True) for note in own)
        results.append(result)
    return results if left.batch else results[0]


SIDES = ("reference", "distorted")


@dataclass(frozen=True)
class FolderScores:
    """Scores of two folders of images.

    Attributes:
        pairs: of each pair of files, its `scores` by metric key.
        summary: metric key -> mean, deviation and 95 % interval of the mean over the pairs.
        sets: scores of the metrics that compare whole sets.
        problems: one line for each image that has no partner or cannot be read.
    """

    pairs: list[Scored]
    summary: Mapping[str, Summary]
    sets: Mapping[str, Score]
    problems: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        lines = [f"{len(self.pairs)} pairs, {len(self.problems)} problems"]
        lines += [f"{name:20} {summary.mean:.6g}" for name, summary in self.summary.items()]
        return "\n".join(lines + [f"{name:20} {score.value:.6g}" for name, score in self.sets.items()])


def score_folder(
    reference: str | os.PathLike[str],
    distorted: str | os.PathLike[str],
    metrics: str | Sequence[str] = "default",
    *,
    backbone: str | os.PathLike[str] | None = None,
    panel: Sequence[str | os.PathLike[str]] = (),
    device: str | None = None,
    jobs: int | None = None,
    progress: bool | None = None,
) -> FolderScores:
    """Score two folders, paired by relative path, or by relative stem where suffixes differ; as `vitiq score` does.

    Args:
        reference, distorted: folders.
        metrics: as for `vitiq.score`; metrics of sets too.
        backbone, panel: checkpoints (paths), which worker processes load.
        device: as for `vitiq.score`.
        jobs: worker processes at most; None for one a core, or for a few that share a GPU.
        progress: whether a bar is shown; None for where somebody looks.

    Raises:
        InputError: a folder does not exist, or no image of it has a partner.
        UnknownNameError: no such metric.
    """
    from vitiq.evaluation.aggregate import Aggregate  # noqa: PLC0415
    from vitiq.evaluation.pairs import pair_up  # noqa: PLC0415
    from vitiq.evaluation.scoring import score_pairs  # noqa: PLC0415

    spec = _spec(metrics, backbone, panel, device)
    pairing = pair_up(as_path(reference, "reference"), as_path(distorted, "distorted"))
    if not pairing.pairs:
        raise InputError(f"{reference} and {distorted}: no image has a partner; " + "; ".join(pairing.problems[:3]))
    aggregate = Aggregate(spec.make())
    scored: list[Scored] = []
    problems = list(pairing.problems)
    with (
        bar(len(pairing.pairs), "score", "pair", shown=progress) as shown,
        closing(score_pairs(pairing.pairs, spec, jobs=jobs)) as work,
    ):
        for one in work:
            shown.update()
            if one.problem is not None:
                problems.append(one.problem)
                continue
            aggregate.add(one)
            scored.append(one)
    return FolderScores(scored, aggregate.summaries(), aggregate.sets() if scored else {}, problems)


def score_sets(
    reference: str | os.PathLike[str] | ImageLike,
    distorted: str | os.PathLike[str] | ImageLike,
    metrics: str | Sequence[str] = DEFAULT_SETS,
    *,
    backbone: BackboneLike | None = None,
    device: str | None = None,
    jobs: int | None = None,
    progress: bool | None = None,
) -> Scores:
    """Score two sets of images as generative models are compared: FID, KID, Inception Score, precision, recall.

    Args:
        reference, distorted: folders whose images need no partners, statistics files (.npz) of `vitiq stats`,
            pytorch-fid or clean-fid, or batches of images.
        metrics: names with commas or a list of names.
        backbone: the ViT of the `…-vit` metrics; a path where folders are given.
        device: as for `vitiq.score`.
        jobs: worker processes at most for folders; None for one a core.
        progress: whether a bar is shown for folders; None for where somebody looks.

    Raises:
        InputError: no such folder, or images in none of the stated forms.
        WeightsError: the network that the metrics need is not here (`vitiq models fetch`).
    """
    from vitiq.evaluation.sets import score_sets_of  # noqa: PLC0415

    sides = (reference, distorted)
    as_files = [isinstance(side, str | os.PathLike) for side in sides]
    if any(as_files) and not all(as_files):
        raise InputError("a path and a batch of images given; give two folders or two batches")
    if not all(as_files):
        made = _metrics(metrics, backbone, (), device)
        left, right = (to_images(side, name) for side, name in zip(sides, SIDES, strict=True))
        return Scores(score_image_sets(left.images, right.images, made))
    if backbone is not None and not isinstance(backbone, str | os.PathLike):
        raise InputError("backbone: an object given; give the path of its checkpoint for folders")
    spec = _spec(metrics, backbone, (), device)
    shown = bar(None, "score", "image", shown=progress)

    def step(total: int) -> None:
        if shown.total is None:
            set_total(shown, total)
        else:
            shown.update()

    with shown:
        found = score_sets_of(Path(str(reference)), Path(str(distorted)), spec, jobs=jobs, step=step)
    result = Scores(found.scores)
    result.notes = tuple(found.problems)
    return result


class MetricFunction:
    """One metric, to be called on a pair of images or on two batches.

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

    def __call__(self, reference: ImageLike, distorted: ImageLike) -> Any:
        """A Score for a pair, a list of them for two batches; one Score where the metric compares sets.

        Raises:
            InputError: images in none of the stated forms, of different sizes, or too small for the metric.
        """
        if isinstance(self.metric, PairMetric):
            left, right = _both(reference, distorted)
            found = self.metric.batch(left.images, right.images)
            return found if left.batch else found[0]
        if not isinstance(self.metric, SetMetric):
            raise InputError(f"metric {self.key} compares neither pairs nor sets")
        return self.metric(
            *(to_images(side, name).images for side, name in zip((reference, distorted), SIDES, strict=True))
        )

    def __repr__(self) -> str:
        better = "higher" if self.higher_is_better else "lower"
        return f"<vitiq metric {self.key}: {self.metric.title}, {better} is better>"


def metric(
    name: str,
    *,
    backbone: BackboneLike | None = None,
    panel: Sequence[BackboneLike] = (),
    device: str | None = None,
) -> MetricFunction:
    """One metric, callable on a pair of images or on two batches.

    Args:
        name: key of the metric, its setting after an @ (`"vit-topk@10"`).
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
    """
    made = _metrics([name], backbone, panel, device)
    if len(made) != 1:
        raise InputError(f"{name!r} names {len(made)} metrics, one expected; use vitiq.score")
    return MetricFunction(made[0])


def torchmetric(
    name: str,
    *,
    backbone: BackboneLike | None = None,
    panel: Sequence[BackboneLike] = (),
    device: str | None = None,
    **options: Any,
) -> TorchMetric:
    """One metric as a torchmetrics `Metric`: `update(preds, target)`, `compute()`, reduced over a training's processes.

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


def backbone(weights: str | os.PathLike[str] | None = None, *, device: str | None = None) -> Backbone:
    """A Vision Transformer with labels: the one that ships, or a checkpoint of timm, Hugging Face, torchvision, ….

    Args:
        weights: path of a checkpoint; None for the embedded ViT.
        device: "cuda" to run it there, "auto" where torch sees a GPU.

    Raises:
        InputError: torch has no such device here.
        WeightsError: the checkpoint is missing, damaged or of a network that is not known.

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
    """Keys of the metrics that are installed, those of plug-ins too.

    Example:
        >>> import vitiq
        >>> "vit-topk" in vitiq.list_metrics()
        True
    """
    return list(registry.names("metrics"))


def _named(metrics: str | Sequence[str]) -> list[str]:
    if isinstance(metrics, str):
        return [name.strip() for name in metrics.split(",") if name.strip()]
    if isinstance(metrics, list | tuple) and all(isinstance(name, str) for name in metrics):
        return list(metrics)
    raise InputError(f"metrics: a {type(metrics).__name__} given, names with commas or a list of names expected")


def _metrics(
    names: str | Sequence[str], backbone: BackboneLike | None, panel: Sequence[BackboneLike], device: str | None
) -> list[Metric]:
    vit = None if backbone is None and (device is None or device == "cpu") else _backbone(backbone, device)
    made = resolve_metrics(_named(names), vit, [_backbone(one, device) for one in panel])
    if not made:
        raise InputError("no metric named; vitiq.list_metrics() lists them")
    return made


def _backbone(given: BackboneLike | None, device: str | None) -> Backbone:
    if given is None or isinstance(given, str | os.PathLike):
        return backbone(given, device=device)
    if device is not None:
        raise InputError("device: given beside a backbone that is loaded already; give it to vitiq.backbone instead")
    return given


def _spec(
    metrics: str | Sequence[str],
    backbone: str | os.PathLike[str] | None,
    panel: Sequence[str | os.PathLike[str]],
    device: str | None,
) -> MetricSpec:
    from vitiq.evaluation.metric_spec import MetricSpec  # noqa: PLC0415

    path = None if backbone is None else as_path(backbone, "backbone")
    return MetricSpec(",".join(_named(metrics)), path, as_paths(panel, "panel"), device_name(device))


def _both(reference: ImageLike, distorted: ImageLike) -> tuple[Taken, Taken]:
    left, right = to_images(reference, "reference"), to_images(distorted, "distorted")
    if left.batch != right.batch or len(left.images) != len(right.images):
        sizes = [f"a batch of {len(side.images)}" if side.batch else "one image" for side in (left, right)]
        raise InputError(f"{sizes[0]} as reference and {sizes[1]} as distorted given, as many of both expected")
    return left, right
