"""Views of images for the training of the embedded ViT: crops, clean or degraded as codecs and small screens do."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from PIL import Image, ImageFilter
from torch import Tensor

from vitiq.codecs.inversion.generators.embedded import EmbeddedGenerator
from vitiq.training.crops import Sampler, random_box, stacked
from vitiq.training.data import ImageSet
from vitiq.types import ImageU8

CODED: tuple[tuple[str, int, int, dict[str, Any]], ...] = (
    ("JPEG", 2, 40, {}),
    ("WEBP", 0, 30, {}),
    ("AVIF", 2, 50, {"speed": 10, "max_threads": 1}),
)
"""Codecs of degraded views: name, lowest and highest quality (not reached), other settings."""

JPEG2000_RATES = (15.0, 250.0)
"""Least and most that JPEG 2000 shrinks an image of degraded views, in times."""

GENERATED_SIDE = 256
"""Side at which the generator makes views, a multiple of its coarsest stride."""


def degrade(rng: np.random.Generator, image: Image.Image) -> Image.Image:
    """An image as codecs, small screens and noise leave it."""
    kind = int(rng.integers(0, 7))
    width, height = image.size
    if kind < len(CODED):
        form, low, high, settings = CODED[kind]
        return _coded(image, form, {"quality": int(rng.integers(low, high)), **settings})
    if kind == 6:
        least, most = JPEG2000_RATES
        rate = math.exp(rng.uniform(math.log(least), math.log(most)))
        return _coded(image, "JPEG2000", {"quality_mode": "rates", "quality_layers": [rate], "irreversible": True})
    if kind == 3:
        return image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.5, 6.0))))
    if kind == 4:
        factor = math.exp(rng.uniform(math.log(1 / 18), math.log(1 / 2)))
        small = (max(4, round(width * factor)), max(4, round(height * factor)))
        back = (Image.Resampling.BICUBIC, Image.Resampling.BILINEAR)[int(rng.integers(0, 2))]
        return image.resize(small, Image.Resampling.LANCZOS).resize((width, height), back)
    noise = rng.normal(0, rng.uniform(3, 50), (height, width, 3))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def _coded(image: Image.Image, form: str, settings: dict[str, Any]) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, form, **settings)
    return Image.open(buffer, formats=[form]).convert("RGB")


def view(rng: np.random.Generator, image: ImageU8, size: int, degraded_share: float) -> ImageU8:
    """A random resized crop (area 0.3 … 1, aspect 3/4 … 4/3), flipped at random, sometimes degraded."""
    crop = Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC, random_box(rng, image, 0.3))
    if rng.random() < 0.5:
        crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return _sometimes_degraded(rng, crop, degraded_share)


def _sometimes_degraded(rng: np.random.Generator, image: Image.Image, share: float) -> ImageU8:
    if rng.random() < share:
        image = degrade(rng, image)
    return np.ascontiguousarray(image, dtype=np.uint8)


def normalised(images: UInt8[Tensor, "n s s 3"]) -> Float[Tensor, "n 3 s s"]:
    """Images normalised with mean and standard deviation 0.5."""
    return images.permute(0, 3, 1, 2).float() / 127.5 - 1


class ViewsConfig(Protocol):
    """What `TrainingViews` reads of a configuration."""

    @property
    def seed(self) -> int: ...  # noqa: D102
    @property
    def batch(self) -> int: ...  # noqa: D102
    @property
    def degraded_share(self) -> float: ...  # noqa: D102
    @property
    def detail_share(self) -> float: ...  # noqa: D102
    @property
    def graphic_share(self) -> float: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class _Detail:
    """How crops at about an image's own resolution, as the tiles of `vit-tiles` have it, are taken."""

    crop_sizes: frozenset[int]
    graphic_share: float
    largest_shrink: float = 1.6
    largest_enlargement: float = 1.0


class TrainingViews:
    """Batches of views of training images; those of a step come from the seed and the step."""

    def __init__(self, config: ViewsConfig, images: ImageSet, indices: Sequence[int], size: int) -> None:
        self._config, self._images, self._indices, self._size = config, images, indices, size
        sizes = frozenset([size] if config.detail_share > 0 else [])
        self._details = Sampler(images, indices, _Detail(sizes, config.graphic_share))

    def batch(self, step: int, indices: Sequence[int]) -> UInt8[Tensor, "n s s 3"]:
        """Those views of a step's batch that are asked for."""
        rng = np.random.default_rng([self._config.seed, 1, step])
        chosen = rng.integers(0, len(self._indices), self._config.batch)
        seeds = rng.integers(0, 2**32, self._config.batch)
        return stacked([self._one(np.random.default_rng(int(seeds[k])), int(chosen[k])) for k in indices])

    def _one(self, rng: np.random.Generator, number: int) -> ImageU8:
        degraded = self._config.degraded_share
        if rng.random() < self._config.detail_share:
            return _sometimes_degraded(rng, Image.fromarray(self._details.crop(rng, self._size)), degraded)
        return view(rng, self._images[self._indices[number]], self._size, degraded)


def to_input(images: Sequence[ImageU8]) -> Float[Tensor, "n 3 s s"]:
    """Stack of images, normalised with mean and standard deviation 0.5."""
    return normalised(stacked(images))


def mixed(rng: np.random.Generator, views: Float[Tensor, "n 3 s s"], share: float) -> Float[Tensor, "n 3 s s"]:
    """Sometimes, every view mixed with the next one in a random proportion.

    What the teachers say of such images is worth learning too: Beyer et al. 2022, "Knowledge distillation: A good
    teacher is patient and consistent", section 3 (arXiv 2106.05237), after mixup (Zhang et al. 2018, arXiv 1710.09412).
    """
    if rng.random() >= share:
        return views
    weight = torch.from_numpy(rng.random(len(views), dtype=np.float32)).to(views.device).view(-1, 1, 1, 1)
    return weight * views + (1 - weight) * views.roll(1, 0)


@torch.no_grad()
def regenerated(
    rng: np.random.Generator, views: Float[Tensor, "n 3 s s"], generator: EmbeddedGenerator, share: float
) -> Float[Tensor, "n 3 s s"]:
    """Views of which a share is reconstructed by the generator, from latents rounded to a random step of 0.5 … 4."""
    chosen = [i for i in range(len(views)) if rng.random() < share]
    if not chosen:
        return views
    side = views.shape[-1]
    target = F.interpolate(views[chosen] / 2 + 0.5, (GENERATED_SIDE, GENERATED_SIDE), mode="bilinear", antialias=True)
    step = math.exp(rng.uniform(math.log(0.5), math.log(4)))
    found = generator.generate([torch.round(layer / step) * step for layer in generator.encode(target)])
    result = views.clone()
    result[chosen] = F.interpolate(found.clamp(0, 1), (side, side), mode="bilinear", antialias=True) * 2 - 1
    return result
