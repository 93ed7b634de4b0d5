"""The generative codec: speed, BD-rates of the synthesis for squared error, and the perceptual one at lowest rates."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from goals import AbsentError, Figure, best, kodak, psnr, scores, short, teachers
from PIL import Image

from vitiq.analysis.bd_rate import bd_rate
from vitiq.analysis.curve import within
from vitiq.codecs.base import Codec
from vitiq.codecs.classical.pillow import Avif, Jpeg, Jpeg2000, WebP
from vitiq.codecs.rate_target import encode_nearest
from vitiq.codecs.transform.codec import Generative, GenerativeMse
from vitiq.errors import InputError
from vitiq.metrics.sets.vit import PatchFidVit
from vitiq.types import Bytes, ImageU8, Quality

Curve = tuple[np.ndarray, np.ndarray]
LADDERS: dict[type[Codec], Sequence[float]] = {
    GenerativeMse: (0, 7, 14, 21, 28, 35, 42, 49, 56, 63),
    Avif: (2, 10, 18, 26, 34, 42, 50, 58),
    WebP: (0, 4, 10, 20, 35, 55),
    Jpeg2000: (0.03, 0.06, 0.1, 0.16, 0.25, 0.4, 0.6),
    Jpeg: (3, 6, 10, 15, 22, 32),
}
HALF: dict[type[Codec], Sequence[float]] = {Avif: (10, 25, 40, 55, 65, 75), WebP: (0, 2, 5, 10, 16, 25, 45)}
RATES, LOWEST = (0.06, 0.5), (0.02, 0.12)
TINY = 0.08
PUBLISHED = {
    "cheng2020-anchor": "compressai-cheng2020-anchor_mse_cuda.json",
    "mbt2018-mean": "compressai-mbt2018-mean_mse_cuda.json",
    "bmshj2018-hyperprior": "compressai-bmshj2018-hyperprior_mse_cuda.json",
    "VTM": "vtm.json",
}


def curve(codec: Codec, qualities: Sequence[float], images: Sequence[ImageU8], shrink: int = 1) -> Curve:
    """Mean bits per pixel and mean PSNR at each quality; `shrink` codes smaller images and enlarges them again."""
    points = []
    for quality in qualities:
        rows = []
        for image in images:
            data = codec.encode(resized(image, 1 / shrink), Quality(quality))
            found = resized(codec.decode(data), shrink)
            rows.append((8 * len(data) / image[..., 0].size, psnr(image, found)))
        points.append(np.mean(rows, axis=0))
    rates, qualities_reached = np.array(points).T
    keep = np.concatenate([[True], np.diff(np.maximum.accumulate(qualities_reached)) > 0])
    return rates[keep], qualities_reached[keep]


def resized(image: ImageU8, factor: float) -> ImageU8:
    """Lanczos; factor 1 leaves the image alone."""
    if factor == 1:
        return image
    size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
    return np.ascontiguousarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))


def compared(
    name: str, anchor: Curve, own: Curve, rates: tuple[float, float], *, goal: float | None = None, note: str = ""
) -> Figure:
    """BD-rate of our codec against an anchor, between two rates."""
    try:
        found = bd_rate(*within(*anchor, *rates), *within(*own, *rates))
    except InputError as error:
        return Figure(name, float("nan"), goal, at_least=False, note=str(error))
    span = f"{rates[0]}–{rates[1]} bpp, {found.overlap:.0%} overlap"
    return Figure(name, found.percent, goal, at_least=False, unit=" %", note=f"{span}; {note}" if note else span)


def published(data: Path, file: str) -> Curve:
    """A published curve on Kodak."""
    path = data / "rd_tables" / "compressai" / "image" / "kodak" / file
    if not path.is_file():
        raise AbsentError(f"{path} is not there")
    results = json.loads(path.read_text(encoding="utf-8"))["results"]
    quality = results.get("psnr-rgb") or results["psnr"]
    return np.array(results["bpp"], dtype=np.float64), np.array(quality, dtype=np.float64)


def speed(images: Sequence[ImageU8]) -> Iterator[Figure]:
    """Seconds at 768×512 on two threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    codec, image = GenerativeMse(), images[0]
    note = f"{image.shape[1]}×{image.shape[0]}, quality 27, 2 threads, best of 5"
    seconds, data = best(lambda: codec.encode(image, Quality(27)))
    yield Figure("generative: seconds to encode", seconds, 1.5, at_least=False, unit=" s", note=note)
    seconds, _ = best(lambda: codec.decode(data))
    yield Figure("generative: seconds to decode", seconds, 0.8, at_least=False, unit=" s", note=note)
    torch.set_num_threads(threads)


def rates(data: Path, images: Sequence[ImageU8]) -> Iterator[Figure]:
    """BD-rates of the synthesis for squared error."""
    curves = {kind: curve(kind(), ladder, images) for kind, ladder in LADDERS.items()}
    own = curves.pop(GenerativeMse)
    for kind, anchor in curves.items():
        goal = 0.0 if kind is Avif else None
        yield compared(f"generative-mse: BD-rate against {kind.title}", anchor, own, RATES, goal=goal)
    for kind, ladder in HALF.items():
        anchor = curve(kind(), ladder, images, shrink=2)
        yield compared(f"generative-mse: BD-rate against half-size {kind.title}", anchor, own, LOWEST, note="enlarged")
    note = f"published for all 24 images, ours on {len(images)} of them"
    for name, file in PUBLISHED.items():
        yield compared(f"generative-mse: BD-rate against {name}", published(data, file), own, RATES, note=note)


def largest_within(codec: Codec, image: ImageU8, limit: int) -> bytes:
    """The file of the highest quality that is not above `limit` bytes, or the smallest."""
    found = encode_nearest(codec, image, Bytes(limit))
    quality = found.quality
    data = found.data
    while len(data) > limit and quality > 0:
        quality -= 1
        data = codec.encode(image, Quality(quality))
    return data


def perceptual(data: Path, images: Sequence[ImageU8]) -> Iterator[Figure]:
    """The perceptual synthesis at the lowest rates, beside AVIF and WebP at equal bytes."""
    own = Generative()
    files = [largest_within(own, p, int(TINY * p[..., 0].size / 8)) for p in images]
    rebuilt_by = {own.title: ([own.decode(f) for f in files], [len(f) for f in files])}
    for codec in (Avif(), WebP(), GenerativeMse()):
        near = [encode_nearest(codec, p, Bytes(len(f))).data for p, f in zip(images, files, strict=True)]
        rebuilt_by[codec.title] = ([codec.decode(f) for f in near], [len(f) for f in near])
    backbones = teachers(data)
    values = {}
    for title, (rebuilt, sizes) in rebuilt_by.items():
        for backbone in backbones:
            values[title, "ViT-Score", short(backbone)] = float(scores(backbone, images, rebuilt).mean())
            fid = PatchFidVit(backbone)(images, rebuilt).value
            values[title, "patch-FID", short(backbone)] = float(fid)
        sizes_note = f"mean {np.mean(sizes):.0f} bytes"
        for backbone in backbones:
            for kind, at_least in (("ViT-Score", True), ("patch-FID", False)):
                value = values[title, kind, short(backbone)]
                yield Figure(
                    f"≤ {TINY} bpp: {kind} of {title}, by {short(backbone)}", value, None, at_least, note=sizes_note
                )
    for backbone in backbones:
        for kind, sign in (("ViT-Score", 1), ("patch-FID", -1)):
            ours = values[own.title, kind, short(backbone)]
            for other in (Avif.title, WebP.title):
                ahead = sign * (ours - values[other, kind, short(backbone)])
                yield Figure(f"≤ {TINY} bpp: {kind} ahead of {other}, by {short(backbone)}", ahead, 0.0)


def part(data: Path) -> Iterator[Figure]:
    """All of it."""
    images = kodak(data)
    yield from speed(images)
    yield from rates(data, images)
    yield from perceptual(data, images)
