"""What an eye sees of the generative codec beside AVIF at equal bytes: the weave, saturated colours, the twin's score.

- **Weave**: power of the luma's spectrum at a period of 4 pixels over that of its neighbours, in the median block of
  64×64 pixels; about 1 for an image without a pattern of that period, as most originals are.
- **Pattern of any period**: the same at every frequency from 1/8 cycle a pixel on, as the training weighs it
  (`vitiq.training.lattice`), in the median block; the largest. Patterns whose sign changes from one 16 pixels to the
  next lie between the frequencies of the weave, which does not see them.
- **Saturated colours**: mean CIEDE2000 (Sharma et al. 2005, DOI 10.1002/col.20070) over the pixels whose CIELAB chroma
  is 30 or more.
- ViT-Score by DeiT-Ti of `generative` and of its squared-error twin at equal bytes: on how many images is which ahead?
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from goals import Figure, kodak, scores, short, teachers
from skimage.color import deltaE_ciede2000, rgb2lab

from vitiq.codecs.base import Codec
from vitiq.codecs.classical.pillow import Avif
from vitiq.codecs.rate_target import encode_nearest, encode_within
from vitiq.codecs.transform.codec import Generative, GenerativeMse
from vitiq.models.tensors import to_tensor
from vitiq.training.lattice import contrast
from vitiq.types import Bytes, ImageU8

RATES = (0.08, 0.15)
"""Bits per pixel."""

SATURATED = 30.0
"""CIELAB chroma from which a pixel counts as saturated."""

PERIOD = 4
SIDE = 64
"""Of a block, in pixels."""

NEAR, APART = 0.012, (0.03, 0.08)
"""Frequencies, in cycles a pixel, within NEAR of 1 / PERIOD are the pattern's; those APART from it its neighbours."""


def weave(image: ImageU8) -> float:
    """Spectral power at a period of 4 pixels over that beside it: the median of the image's blocks, each along the axis
    that has more of it.
    """
    luma = image.astype(np.float64) @ (0.2126, 0.7152, 0.0722)
    rows, columns = (side // SIDE for side in luma.shape)
    blocks = luma[: rows * SIDE, : columns * SIDE].reshape(rows, SIDE, columns, SIDE).transpose(0, 2, 1, 3)
    distance = np.abs(np.fft.rfftfreq(SIDE - 1) - 1 / PERIOD)
    beside = (distance >= APART[0]) & (distance <= APART[1])
    found = []
    for axis in (2, 3):
        # Differences along the axis flatten the spectrum of photographs; the window keeps edges from leaking.
        lines = np.moveaxis(np.diff(blocks, axis=axis), axis, 3)
        power = (np.abs(np.fft.rfft(lines * np.hanning(SIDE - 1), axis=3)) ** 2).mean(axis=2)
        found.append(power[..., distance <= NEAR].mean(axis=-1) / power[..., beside].mean(axis=-1))
    return float(np.median(np.maximum(*found)))


def pattern(image: ImageU8) -> float:
    """Spectral power at a frequency over that beside it, in the image's median block; the largest of all frequencies
    and both axes.
    """
    found = contrast(to_tensor(image))
    return float(found.flatten(1, 3).median(dim=1).values.max().exp())


def colour_error(reference: ImageU8, image: ImageU8) -> float:
    """Mean CIEDE2000 over the reference's saturated pixels; NaN where it has none."""
    lab = rgb2lab(reference)
    saturated = np.hypot(lab[..., 1], lab[..., 2]) >= SATURATED
    difference = deltaE_ciede2000(lab[saturated], rgb2lab(image)[saturated])
    return float(difference.mean()) if saturated.any() else float("nan")


def part(data: Path) -> Iterator[Figure]:
    """All of it."""
    images = kodak(data)
    yield Figure("weave of the originals: median", float(np.median([weave(image) for image in images])))
    yield Figure("pattern of any period in them: median", float(np.median([pattern(image) for image in images])))
    deit = next(reader for reader in teachers(data) if short(reader) == "DeiT-Ti")
    for rate in RATES:
        files = [encode_within(Generative(), image, Bytes(int(rate * image[..., 0].size / 8))).data for image in images]
        rebuilt = {Generative.name: [Generative().decode(file) for file in files]}
        others: tuple[Codec, ...] = (Avif(), GenerativeMse())
        for codec in others:
            pairs = zip(images, files, strict=True)
            rebuilt[codec.name] = [
                codec.decode(encode_nearest(codec, image, Bytes(len(file))).data) for image, file in pairs
            ]
        for name, found in rebuilt.items():
            yield from _seen(f"{rate} bpp: {name}", images, found)
        values = {name: scores(deit, images, found) for name, found in rebuilt.items()}
        for name in (Avif.name, GenerativeMse.name):
            ahead = int((values[Generative.name] > values[name]).sum())
            note = f"means {values[Generative.name].mean():.3f} and {values[name].mean():.3f}, of {len(images)} images"
            yield Figure(f"{rate} bpp: images on which generative is ahead of {name} by DeiT-Ti", ahead, note=note)


def _seen(name: str, images: list[ImageU8], found: list[ImageU8]) -> Iterator[Figure]:
    patterns = [weave(image) for image in found]
    colours = [colour_error(image, other) for image, other in zip(images, found, strict=True)]
    goals = (1.1, 1.3) if "generative" in name else (None, None)
    yield Figure(f"{name}: weave, median", float(np.median(patterns)), goals[0], at_least=False)
    yield Figure(f"{name}: weave, at worst", float(np.max(patterns)), goals[1], at_least=False)
    yield Figure(f"{name}: pattern of any period, median", float(np.median([pattern(image) for image in found])))
    yield Figure(f"{name}: CIEDE2000 of saturated pixels", float(np.nanmean(colours)))
