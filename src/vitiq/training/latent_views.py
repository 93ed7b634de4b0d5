"""Training data of the classifier of latents: crops coded once at random qualities, with the teacher's labels of them.

Coded as the codec codes, so training reads what a file holds. Kept on disk in parts, so that a stopped run resumes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, Int16
from PIL import Image

from vitiq.codecs.transform.hyperprior_integer import LEVELS
from vitiq.codecs.transform.networks.embedded import TransformModel
from vitiq.codecs.transform.refine import code
from vitiq.files import open_output
from vitiq.models.vit import VisionTransformer
from vitiq.training.crops import random_box
from vitiq.training.data import ImageSet, kept_arrays
from vitiq.training.vit_views import to_input
from vitiq.types import ImageU8

PART = 50
"""Views of a file on disk."""


@dataclass(frozen=True, slots=True)
class LatentView:
    """One coded crop.

    Attributes:
        symbols: of the latents.
        height, width: of the crop in pixels.
        level: quality it was coded at.
        teacher: the teacher's logits of the crop before coding.
    """

    symbols: Int16[np.ndarray, "c h w"]
    height: int
    width: int
    level: int
    teacher: Float32[np.ndarray, " labels"]


Make = Callable[[Sequence[ImageU8], Sequence[int]], list[LatentView]]
"""Crops and their levels -> views."""


def crop_view(rng: np.random.Generator, image: ImageU8, smallest: int, largest: int) -> ImageU8:
    """A random crop (area 0.4 … 1, aspect 3/4 … 4/3), flipped at random, of smallest² … largest² pixels."""
    left, top, right, bottom = random_box(rng, image, 0.4)
    w, h = right - left, bottom - top
    # Enlarged a little at most: smooth images teach little.
    scale = min(1.25, float(rng.uniform(smallest, largest)) / math.sqrt(w * h))
    size = (max(16, round(w * scale)), max(16, round(h * scale)))
    crop = Image.fromarray(image).resize(size, Image.Resampling.BICUBIC, (left, top, right, bottom))
    if rng.random() < 0.5:
        crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return np.ascontiguousarray(crop, dtype=np.uint8)


@torch.no_grad()
def teacher_logits(teacher: VisionTransformer, images: Sequence[ImageU8]) -> Float32[np.ndarray, "n labels"]:
    """What the teacher reads in whole images of any size."""
    side = (teacher.config.image_size,) * 2
    resized = [np.asarray(Image.fromarray(p).resize(side, Image.Resampling.BICUBIC)) for p in images]
    logits: np.ndarray = teacher(to_input(resized)).numpy()
    return logits


def coded_views(
    codec: TransformModel, teacher: VisionTransformer, crops: Sequence[ImageU8], levels: Sequence[int]
) -> list[LatentView]:
    """Crops coded at their levels."""
    logits = teacher_logits(teacher, crops)
    return [
        LatentView(code(codec, crop, level).symbols.astype(np.int16), crop.shape[0], crop.shape[1], level, row)
        for crop, level, row in zip(crops, levels, logits, strict=True)
    ]


def training_views(  # noqa: PLR0917 - plain values
    images: ImageSet,
    indices: Sequence[int],
    count: int,
    sides: tuple[int, int],
    seed: int,
    make: Make,
    folder: Path,
) -> list[LatentView]:
    """`count` random views; parts that are on disk already are read."""

    def part(numbers: range) -> list[LatentView]:
        rngs = [np.random.default_rng([seed, 2, i]) for i in numbers]
        picks = [indices[int(rng.integers(len(indices)))] for rng in rngs]
        crops = [crop_view(rng, images[i], *sides) for rng, i in zip(rngs, picks, strict=True)]
        return make(crops, [int(rng.integers(LEVELS)) for rng in rngs])

    parts = [range(start, min(start + PART, count)) for start in range(0, count, PART)]
    return list(_kept(folder, "views", parts, part))


def held_out_views(
    images: ImageSet,
    indices: Sequence[int],
    levels: Sequence[int],
    make: Make,
    folder: Path,
) -> list[LatentView]:
    """Whole held-out images, each at all levels: by level, then image."""
    size = len(indices)

    def part(numbers: range) -> list[LatentView]:
        return make([images[i] for i in indices], [levels[numbers.start // size]] * size)

    parts = [range(size * k, size * (k + 1)) for k in range(len(levels)) if size]
    return list(_kept(folder, "held_out", parts, part))


def _kept(
    folder: Path, name: str, parts: Sequence[range], make: Callable[[range], list[LatentView]]
) -> Iterator[LatentView]:
    """Views part by part, from their file where it holds as many: the last part of a run of fewer views is shorter."""
    folder.mkdir(parents=True, exist_ok=True)
    for numbers in parts:
        path = folder / f"{name}_{numbers.start}.npz"
        views = _load(path)
        if len(views) != len(numbers):
            _save(path, make(numbers))
            views = _load(path)
        yield from views


def _save(path: Path, views: Sequence[LatentView]) -> None:
    with open_output(path) as file:
        np.savez_compressed(
            file,
            symbols=np.concatenate([v.symbols.ravel() for v in views]),
            metadata=np.array([(*v.symbols.shape, v.height, v.width, v.level) for v in views]),
            teacher=np.stack([v.teacher for v in views]).astype(np.float16),
        )


def _load(path: Path) -> list[LatentView]:
    """Views of a file; none where there is none, or it is damaged."""
    stored = kept_arrays(path)
    if stored is None or not {"symbols", "metadata", "teacher"} <= stored.keys():
        return []
    symbols, metadata, teacher = stored["symbols"], stored["metadata"].tolist(), stored["teacher"]
    views, at = [], 0
    for (c, h, w, height, width, level), row in zip(metadata, teacher, strict=True):
        own = symbols[at : at + c * h * w].reshape(c, h, w)
        views.append(LatentView(own, height, width, level, row.astype(np.float32)))
        at += c * h * w
    return views


def dequantised(view: LatentView, gain: Float[np.ndarray, " c"]) -> Float32[np.ndarray, "c h w"]:
    """Latents of a view."""
    return np.asarray(view.symbols / gain[:, None, None], dtype=np.float32)
