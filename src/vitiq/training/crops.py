"""Training crops: random squares of images, and flat graphics that are drawn, since photographs lack them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw
from torch import Tensor

from vitiq.errors import InputError
from vitiq.training.config import Phase
from vitiq.training.data import ImageSet
from vitiq.types import ImageU8

ENLARGED = 0.25
"""Share of crops that are enlarged, where any are."""


def phase_at(phases: Sequence[Phase], step: int) -> Phase:
    """The phase that 0-based step `step` belongs to; the last one after all of them."""
    for phase in phases:
        if step < phase.steps:
            return phase
        step -= phase.steps
    return phases[-1]


def random_box(rng: np.random.Generator, image: ImageU8, smallest_share: float) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of a random part: area `smallest_share` … 1 of the image's, aspect 3/4 … 4/3."""
    height, width, _ = image.shape
    area = height * width * rng.uniform(smallest_share, 1.0)
    aspect = math.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3)))
    w = min(width, max(8, round(math.sqrt(area * aspect))))
    h = min(height, max(8, round(math.sqrt(area / aspect))))
    left, top = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
    return left, top, left + w, top + h


class SamplerConfig(Protocol):
    """What `Sampler` reads of a configuration."""

    @property
    def crop_sizes(self) -> frozenset[int]: ...  # noqa: D102
    @property
    def graphic_share(self) -> float: ...  # noqa: D102
    @property
    def largest_shrink(self) -> float: ...  # noqa: D102
    @property
    def largest_enlargement(self) -> float: ...  # noqa: D102


class Sampler:
    """Random crops: every pixel of the images that are large enough is about as likely."""

    def __init__(self, images: ImageSet, indices: Sequence[int], config: SamplerConfig) -> None:
        self._images, self._config = images, config
        self._by_size: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        for size in config.crop_sizes:
            large = [i for i in indices if min(images.shape(i)) >= size]
            if not large:
                raise InputError(f"no training image of at least {size}×{size} pixels; give larger images")
            areas = np.array([float(np.prod(images.shape(i))) for i in large])
            self._by_size[size] = np.array(large), np.cumsum(areas) / areas.sum()

    def crop(self, rng: np.random.Generator, size: int) -> ImageU8:
        """One image of size×size."""
        if rng.random() < self._config.graphic_share:
            return draw_graphic(rng, size)
        indices, shares = self._by_size[size]
        index = int(indices[min(int(np.searchsorted(shares, rng.random())), len(indices) - 1)])
        config = self._config
        return random_crop(rng, self._images[index], size, config.largest_shrink, config.largest_enlargement)

    def batch(self, seed: Sequence[int], phase: Phase, which: Sequence[int] | None = None) -> UInt8[Tensor, "n s s 3"]:
        """A batch, or those of its images that are asked for; each comes from the seed and its number."""
        which = range(phase.batch) if which is None else which
        return stacked([self.crop(np.random.default_rng([*seed, i]), phase.crop) for i in which])


def held_out_crops(
    images: ImageSet,
    held_out: Sequence[int],
    others: Sequence[int],
    config: SamplerConfig,
    *,
    seed: int,
    count: int,
) -> UInt8[Tensor, "n s s 3"]:
    """The same `count` crops of the largest size each time, of `others` where no held-out image is large enough."""
    size = max(config.crop_sizes)
    large = [i for i in held_out if min(images.shape(i)) >= size] or others
    return Sampler(images, large, config).batch([seed], Phase(1, size, count))


def zoomed_crops(images: ImageSet, indices: Sequence[int], size: int, seed: int) -> UInt8[Tensor, "n s s 3"]:
    """The same square of most of each image each time."""
    return stacked([zoomed_crop(np.random.default_rng([seed, i]), images[i], size) for i in indices])


def random_crop(
    rng: np.random.Generator, image: ImageU8, size: int, largest_shrink: float, largest_enlargement: float = 1.0
) -> ImageU8:
    """A square of `size` pixels of the image, at times scaled; flipped and turned on its side at random."""
    height, width, _ = image.shape
    most = min(largest_shrink, min(height, width) / size)
    side = round(size * float(rng.uniform(1.0, most)) if rng.random() < 0.5 else size)
    if largest_enlargement > 1 and rng.random() < ENLARGED:
        side = max(1, round(size / float(rng.uniform(1.0, largest_enlargement))))
    top, left = int(rng.integers(0, height - side + 1)), int(rng.integers(0, width - side + 1))
    crop = image[top : top + side, left : left + side]
    if side != size:
        resample = Image.Resampling.LANCZOS if side > size else Image.Resampling.BICUBIC
        crop = np.asarray(Image.fromarray(crop).resize((size, size), resample), dtype=np.uint8)
    flipped = crop[:, ::-1] if rng.random() < 0.5 else crop
    # Photographs lie on their side in files often enough, and few images teach more so.
    return np.ascontiguousarray(flipped.transpose(1, 0, 2) if rng.random() < 0.3 else flipped)


def zoomed_crop(rng: np.random.Generator, image: ImageU8, size: int) -> ImageU8:
    """A square of at least `size` pixels, downscaled to `size`, flipped at random; of a small image most, enlarged."""
    height, width, _ = image.shape
    short = min(height, width)
    side = round(short * rng.uniform(0.8, 1.0) if short <= size else size * (short / size) ** rng.random())
    top, left = int(rng.integers(0, height - side + 1)), int(rng.integers(0, width - side + 1))
    crop = Image.fromarray(image[top : top + side, left : left + side])
    resample = Image.Resampling.BICUBIC if side < size else Image.Resampling.LANCZOS
    resized = np.asarray(crop.resize((size, size), resample), dtype=np.uint8)
    return np.ascontiguousarray(resized[:, ::-1] if rng.random() < 0.5 else resized)


def draw_graphic(rng: np.random.Generator, size: int) -> ImageU8:
    """A flat graphic: a few anti-aliased shapes of flat colours on a mostly white ground."""
    side = 2 * size
    ground = (255, 255, 255) if rng.random() < 0.7 else tuple(int(v) for v in rng.integers(0, 256, 3))
    image = Image.new("RGB", (side, side), ground)
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(1, 9))):
        colour = tuple(int(v) for v in rng.integers(0, 256, 3))
        x, y = (int(v) for v in rng.integers(0, side, 2))
        w, h = (int(v) for v in rng.integers(side // 16, side // 2, 2))
        kind = int(rng.integers(0, 4))
        box = (x - w // 2, y - h // 2, x + w // 2, y + h // 2)
        if kind == 0:
            draw.ellipse(box, fill=colour)
        elif kind == 1:
            draw.rounded_rectangle(box, radius=min(w, h) // 8, fill=colour)
        elif kind == 2:
            corners = rng.integers(-side // 4, side // 4, (int(rng.integers(3, 7)), 2)) + np.array([x, y])
            draw.polygon([(int(a), int(b)) for a, b in corners], fill=colour)
        else:
            draw.arc(box, int(rng.integers(0, 360)), int(rng.integers(0, 360)), fill=colour, width=side // 24)
    return np.ascontiguousarray(image.resize((size, size), Image.Resampling.BOX), dtype=np.uint8)


def stacked(images: Sequence[ImageU8]) -> UInt8[Tensor, "n s s 3"]:
    """Images as one tensor of bytes: what travels to the device.

    Raises:
        InputError: none are given, as where nothing is held out for validation.
    """
    if not images:
        raise InputError("no image held out for validation; give two images or more, and held_out = 1 or more")
    return torch.from_numpy(np.stack(images))


def in_unit_range(images: UInt8[Tensor, "n s s 3"]) -> Float[Tensor, "n 3 s s"]:
    """Float32 in [0, 1], on the same device; channels lie last in memory."""
    return images.permute(0, 3, 1, 2).float() / 255
