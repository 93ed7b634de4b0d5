"""Views of pictures for the training of the embedded ViT: crops, clean or degraded as codecs and small screens do."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image, ImageFilter
from torch import Tensor

from vitiq.models.generators.embedded import EmbeddedGenerator
from vitiq.training.crops import random_box
from vitiq.types import ImageU8

CODED: tuple[tuple[str, int, int, dict[str, Any]], ...] = (
    ("JPEG", 2, 40, {}),
    ("WEBP", 0, 30, {}),
    ("AVIF", 2, 50, {"speed": 10, "max_threads": 1}),
)
"""Codecs of degraded views: name, lowest and highest quality (not reached), other settings."""

PAINTED_SIDE = 256
"""Side at which the generator repaints views, a multiple of its coarsest stride."""


def degrade(rng: np.random.Generator, image: Image.Image) -> Image.Image:
    """A picture as codecs, small screens and noise leave it."""
    kind = int(rng.integers(0, 6))
    width, height = image.size
    if kind < len(CODED):
        buffer = io.BytesIO()
        form, low, high, settings = CODED[kind]
        image.save(buffer, form, quality=int(rng.integers(low, high)), **settings)
        return Image.open(buffer).convert("RGB")
    if kind == 3:
        return image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.5, 6.0))))
    if kind == 4:
        factor = math.exp(rng.uniform(math.log(1 / 18), math.log(1 / 2)))
        small = (max(4, round(width * factor)), max(4, round(height * factor)))
        back = (Image.Resampling.BICUBIC, Image.Resampling.BILINEAR)[int(rng.integers(0, 2))]
        return image.resize(small, Image.Resampling.LANCZOS).resize((width, height), back)
    noise = rng.normal(0, rng.uniform(3, 50), (height, width, 3))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def view(rng: np.random.Generator, picture: ImageU8, size: int, degraded_share: float) -> ImageU8:
    """A random resized crop (area 0.3 … 1, aspect 3/4 … 4/3), flipped at random, sometimes degraded."""
    image = Image.fromarray(picture).resize((size, size), Image.Resampling.BICUBIC, random_box(rng, picture, 0.3))
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if rng.random() < degraded_share:
        image = degrade(rng, image)
    return np.ascontiguousarray(image, dtype=np.uint8)


def to_input(pictures: Sequence[ImageU8]) -> Float[Tensor, "n 3 s s"]:
    """Stack of pictures, normalised with mean and standard deviation 0.5."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


@torch.no_grad()
def repainted(
    rng: np.random.Generator, views: Float[Tensor, "n 3 s s"], generator: EmbeddedGenerator, share: float
) -> Float[Tensor, "n 3 s s"]:
    """Views of which a share is painted again by the generator, from latents rounded to a random step of 0.5 … 4."""
    chosen = [i for i in range(len(views)) if rng.random() < share]
    if not chosen:
        return views
    side = views.shape[-1]
    target = F.interpolate(views[chosen] / 2 + 0.5, (PAINTED_SIDE, PAINTED_SIDE), mode="bilinear", antialias=True)
    step = math.exp(rng.uniform(math.log(0.5), math.log(4)))
    painted = generator.generate([torch.round(layer / step) * step for layer in generator.encode(target)])
    result = views.clone()
    result[chosen] = F.interpolate(painted.clamp(0, 1), (side, side), mode="bilinear", antialias=True) * 2 - 1
    return result
