"""Scoring from Python: `vitiq.score`, `score_folder`, `score_sets`, `load_image`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any, overload

from vitiq.api.given import as_path, image_of, images_of
from vitiq.api.metrics import ALONE, SIDES, both_sides, made_alone, made_metrics, names_of, some_names_of, spec_of
from vitiq.api.progress import bar, set_total
from vitiq.api.types import BackboneLike, DeviceLike, ImageLike, Metrics, OneImage, Scored, Several, Single, Summary
from vitiq.errors import InputError
from vitiq.image.arrays import own
from vitiq.metrics.alone import score_alone
from vitiq.metrics.base import Metric, SetMetric
from vitiq.metrics.scoring import resolve_metrics
from vitiq.metrics.scoring import score_pairs as score_image_pairs
from vitiq.metrics.scoring import score_sets as score_image_sets
from vitiq.metrics.spec import DEFAULT_SETS, named_in
from vitiq.types import ImageU8, Score


class Scores(dict[str, Score]):
    """Metric key -> Score (`value`, `signature`, `details`), in the order asked for.

    Attributes:
        notes: what was changed to fit an image into 8-bit sRGB (grey, transparency, profile, depth); of two sets each
            change once, of folders what was left out.
    """

    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "\n".join(_line(key, score) for key, score in self.items()) or "no scores"


def _line(key: str, score: Score) -> str:
    """One score to read: NaN with its reason."""
    reason = score.details.get("undefined")
    return f"{key:20} {score.value:.6g}" + (f"  ({reason})" if reason else "")


def load_image(image: OneImage) -> ImageU8:
    """Load or convert an image to H×W×3 uint8, sRGB.

    Args:
        image: a path, a Pillow image, NumPy uint8 H×W×3, or floating point in [0, 1] (NumPy or torch, H×W×3 or 3×H×W).
            Greyscale is repeated in three channels, transparency composited on white, floating point rounded to 8 bits.

    Returns:
        A new, writable array.

    Raises:
        InputError: anything else; the message says what was given and what to do.

    Example:
        >>> import numpy as np, vitiq
        >>> vitiq.load_image(np.ones((2, 2))).tolist()[0][0]
        [255, 255, 255]
    """
    return own(image_of(image)[0], image)


@overload
def score(
    reference: Single,
    distorted: OneImage | None = ...,
    metrics: Metrics = ...,
    *,
    backbone: BackboneLike | None = ...,
    panel: Sequence[BackboneLike] = ...,
    device: DeviceLike | None = ...,
) -> Scores: ...
@overload
def score(
    reference: OneImage,
    distorted: Single,
    metrics: Metrics = ...,
    *,
    backbone: BackboneLike | None = ...,
    panel: Sequence[BackboneLike] = ...,
    device: DeviceLike | None = ...,
) -> Scores: ...
@overload
def score(
    reference: Several,
    distorted: Several | None = ...,
    metrics: Metrics = ...,
    *,
    backbone: BackboneLike | None = ...,
    panel: Sequence[BackboneLike] = ...,
    device: DeviceLike | None = ...,
) -> list[Scores]: ...
@overload
def score(
    reference: ImageLike,
    distorted: ImageLike | None = ...,
    metrics: Metrics = ...,
    *,
    backbone: BackboneLike | None = ...,
    panel: Sequence[BackboneLike] = ...,
    device: DeviceLike | None = ...,
) -> Any: ...
def score(
    reference: ImageLike,
    distorted: ImageLike | None = None,
    metrics: Metrics = "default",
    *,
    backbone: BackboneLike | None = None,
    panel: Sequence[BackboneLike] = (),
    device: DeviceLike | None = None,
) -> Scores | list[Scores]:
    """Score `distorted` against `reference`, with the values of `vitiq score` for the same pixels.

    With `reference` alone: the metrics that need none, as `vitiq score IMAGE`.

    Args:
        reference, distorted: images of one size, each a path (of a compressed file too), a Pillow image, NumPy uint8
            H×W×3, or floating point in [0, 1] (NumPy or torch, H×W×3 or 3×H×W). Two batches (N×3×H×W, or lists of
            images) give a list.
        metrics: comma-separated names or a list of names; also "default", "all" or "jpeg-ai-cttc". An own metric, an
            instance of a subclass of `vitiq.plugins.PairMetric`, may stand in the list. Of images alone "default" and
            "all" are the metrics that need no reference.
        backbone: the ViT for the `vit-…` metrics: a path, or a backbone from `vitiq.backbone`.
        panel: additional backbones, for `vit-panel`.
        device: "cuda" or "auto" for the backbones.

    Returns:
        Metric key -> Score. A metric that is undefined for these images is NaN, with the reason in
        `details["undefined"]`.

    Raises:
        InputError: images in none of these forms, or of different sizes; a metric of two, without `distorted`.
        UnknownNameError: no such metric.
        WeightsError: a checkpoint that `backbone` or `panel` names is missing, damaged or of an unknown architecture.

    Example:
        >>> import numpy as np, vitiq
        >>> image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        >>> scores = vitiq.score(image, image // 2, metrics="psnr-rgb,ssim")
        >>> {name: round(score.value, 2) for name, score in scores.items()}
        {'psnr-rgb': 10.71, 'ssim': 0.64}
        >>> scores["psnr-rgb"].signature
        'psnr-rgb|range:255|v1'
    """
    if distorted is None:
        return _score_alone(reference, made_alone(metrics, backbone, panel, device))
    made = made_metrics(metrics, backbone, panel, device)
    names = ",".join(names_of(metrics))
    if sets := [m.name for m in made if isinstance(m, SetMetric) and named_in(names, m.name)]:
        verb = "compares" if len(sets) == 1 else "compare"
        raise InputError(f"{', '.join(sets)} {verb} sets of images; use vitiq.score_sets")
    left, right = both_sides(reference, distorted)
    found = score_image_pairs(left.images, right.images, made)
    results = [
        _noted(scores, [f"{side}: {note}" for side, own in zip(SIDES, notes, strict=True) for note in own])
        for scores, *notes in zip(found, left.notes, right.notes, strict=True)
    ]
    return results if left.batch else results[0]


def _score_alone(image: ImageLike, made: Sequence[Metric]) -> Scores | list[Scores]:
    """Scores of images without references."""
    taken = images_of(image, ALONE)
    found = score_image_pairs(taken.images, taken.images, made)
    results = [
        _noted({key: score_alone(score) for key, score in scores.items()}, notes)
        for scores, notes in zip(found, taken.notes, strict=True)
    ]
    return results if taken.batch else results[0]


def _noted(scores: Mapping[str, Score], notes: Iterable[str]) -> Scores:
    result = Scores(scores)
    result.notes = tuple(notes)
    return result


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
        return "\n".join(lines + [_line(name, score) for name, score in self.sets.items()])


def score_folder(
    reference: str | os.PathLike[str],
    distorted: str | os.PathLike[str],
    metrics: str | Sequence[str] = "default",
    *,
    backbone: str | os.PathLike[str] | None = None,
    panel: Sequence[str | os.PathLike[str]] = (),
    device: DeviceLike | None = None,
    jobs: int | None = None,
    progress: bool | None = None,
) -> FolderScores:
    """Score two folders, paired by relative path, or by relative stem if suffixes differ, as `vitiq score` does.

    Args:
        reference, distorted: folders.
        metrics: as for `vitiq.score`; metrics of sets too.
        backbone, panel: checkpoints (paths), which worker processes load.
        device: as for `vitiq.score`.
        jobs: maximum number of worker processes; None for one per core, or a few that share a GPU.
        progress: whether to show a progress bar; None for in notebooks and terminals only.

    Raises:
        InputError: no metric is named, a folder does not exist, or no image of it has a partner.
        UnknownNameError: no such metric.
    """
    from vitiq.evaluation.aggregate import Aggregate  # noqa: PLC0415
    from vitiq.evaluation.pairs import pair_up  # noqa: PLC0415
    from vitiq.evaluation.scoring import score_pairs  # noqa: PLC0415

    spec = spec_of(some_names_of(metrics), backbone, panel, device)
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
            scored.append(replace(one, rows=({}, {})))  # many times what the scores take
    return FolderScores(scored, aggregate.summaries(), aggregate.sets() if scored else {}, problems)


def score_sets(
    reference: str | os.PathLike[str] | ImageLike,
    distorted: str | os.PathLike[str] | ImageLike,
    metrics: str | Sequence[str] = DEFAULT_SETS,
    *,
    backbone: BackboneLike | None = None,
    device: DeviceLike | None = None,
    jobs: int | None = None,
    progress: bool | None = None,
) -> Scores:
    """Compare two sets of images by distribution: FID, KID, Inception Score, precision, recall.

    Args:
        reference, distorted: folders of unpaired images, statistics files (.npz) of `vitiq stats`,
            pytorch-fid or clean-fid, or batches of images; one of each too.
        metrics: comma-separated names or a list of names.
        backbone: the ViT for the `…-vit` metrics; a path if a folder or a file is given.
        device: as for `vitiq.score`.
        jobs: maximum number of worker processes for folders; None for one per core.
        progress: whether to show a progress bar for folders; None for in notebooks and terminals only.

    Raises:
        InputError: no metric is named, no such folder, or images in none of the stated forms.
        WeightsError: the network that the metrics need is not found (`vitiq models fetch`).
    """
    from vitiq.evaluation.sets import score_sets_of  # noqa: PLC0415

    for asked in some_names_of(metrics):
        kinds = resolve_metrics(asked)
        if not any(isinstance(kind, SetMetric) for kind in kinds):
            raise InputError(f"{asked} compares pairs of images; use vitiq.score or vitiq.score_folder")
    sides = (reference, distorted)
    as_files = [isinstance(side, str | os.PathLike) for side in sides]
    taken = [
        None if is_file else images_of(side, name) for is_file, side, name in zip(as_files, sides, SIDES, strict=True)
    ]
    notes = [
        f"{name}: {note}" for name, side in zip(SIDES, taken, strict=True) if side for own in side.notes for note in own
    ]
    left, right = taken
    if left and right:
        result = Scores(score_image_sets(left.images, right.images, made_metrics(metrics, backbone, (), device)))
        result.notes = tuple(dict.fromkeys(notes))
        return result
    if backbone is not None and not isinstance(backbone, str | os.PathLike):
        raise InputError("backbone: an object given; give the path of its checkpoint for folders")
    spec = spec_of(metrics, backbone, (), device)
    shown = bar(None, "score", "image", shown=progress)

    def step(total: int) -> None:
        if shown.total is None:
            set_total(shown, total)
        else:
            shown.update()

    with shown:
        one, other = (
            as_path(side, name) if images is None else images.images
            for side, name, images in zip(sides, SIDES, taken, strict=True)
        )
        found = score_sets_of(one, other, spec, jobs=jobs, step=step)
    result = Scores(found.scores)
    result.notes = tuple(dict.fromkeys([*notes, *found.problems]))
    return result
