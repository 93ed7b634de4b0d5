"""The thesis's byte count: inversion, the generative codec and downscaled AVIF and WebP, scored by real ViTs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from goals import Figure, kodak, psnr, scores, short, teachers

from vitiq.codecs.base import Codec
from vitiq.codecs.classical.downscaled import DownscaledAvif, DownscaledWebP
from vitiq.codecs.inversion.codec import Inversion
from vitiq.codecs.rate_target import encode_nearest, encode_within
from vitiq.codecs.transform.codec import Generative, GenerativeMse
from vitiq.metrics.sets.vit import PatchFidVit
from vitiq.types import Bytes, ImageU8, Quality

BYTES, SIDE = 1540, 512


Made = tuple[list[ImageU8], list[int]]
"""Reconstructions and bytes."""


def crops_of(images: Sequence[ImageU8]) -> list[ImageU8]:
    """The middle of each image."""
    corners = [((image.shape[0] - SIDE) // 2, (image.shape[1] - SIDE) // 2) for image in images]
    return [
        np.ascontiguousarray(image[top : top + SIDE, left : left + SIDE])
        for image, (top, left) in zip(images, corners, strict=True)
    ]


def made(codec: Codec, files: Sequence[bytes]) -> Made:
    """What files decode to, and their bytes."""
    return [codec.decode(file) for file in files], [len(file) for file in files]


def generative(crops: Sequence[ImageU8]) -> dict[str, Made]:
    """The learned codec at no more bytes than the thesis's, by both syntheses."""
    codecs = (Generative(), GenerativeMse())
    return {c.title: made(c, [encode_within(c, crop, Bytes(BYTES)).data for crop in crops]) for c in codecs}


def part(data: Path) -> Iterator[Figure]:
    """PSNR, ViT-Score and patch-FID of Kodak images, centre-cropped."""
    real, crops = teachers(data), crops_of(kodak(data))
    codec = Inversion()
    files = [codec.encode(crop, Quality(BYTES)) for crop in crops]
    note = f"{len(crops)} Kodak images, 512×512"
    yield Figure("inversion: largest file", max(map(len, files)), BYTES, at_least=False, unit=" bytes", note=note)
    results = {"inversion": made(codec, files)} | generative(crops)
    for other in (DownscaledAvif(), DownscaledWebP()):
        near = [encode_nearest(other, crop, Bytes(len(file))).data for crop, file in zip(crops, files, strict=True)]
        results[other.title] = made(other, near)
    goals = {"inversion": (22, 0.4), Generative.title: (None, 0.62)}
    fids = {}
    for name, (rebuilt, sizes) in results.items():
        size = f"mean {np.mean(sizes):.0f} bytes, at most {max(sizes)}"
        quality = float(np.mean([psnr(a, b) for a, b in zip(crops, rebuilt, strict=True)]))
        least_psnr, least_score = goals.get(name, (None, None))
        yield Figure(f"{name}: mean PSNR", quality, least_psnr, unit=" dB", note=size)
        for backbone in real:
            by = short(backbone)
            value = float(scores(backbone, crops, rebuilt).mean())
            yield Figure(f"{name}: mean ViT-Score, scored by {by}", value, least_score, note=size)
            fids[name, by] = float(PatchFidVit(backbone)(crops, rebuilt).value)
            least = fids["inversion", by] if name == Generative.title else None
            yield Figure(f"{name}: patch-FID, by {by}", fids[name, by], least, at_least=False, note=size)
