"""The generative codec: BD-rates of the synthesis for squared error, and the perceptual one at lowest rates."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from goals import AbsentError, Figure, kodak, psnr, scores, short, teachers
from PIL import Image

from vitiq.analysis.bd_rate import bd_rate
from vitiq.analysis.curve import within
from vitiq.codecs.base import Codec
from vitiq.codecs.classical.pillow import Avif, Jpeg, Jpeg2000, WebP
from vitiq.codecs.rate_target import encode_nearest, encode_within
from vitiq.codecs.transform.codec import Generative, GenerativeMse
from vitiq.errors import InputError
from vitiq.metrics.semantic.vit_tokens import VitTokens
from vitiq.metrics.sets.vit import PatchFidVit
from vitiq.models.backbones import Backbone
from vitiq.types import Bytes, ImageU8, Quality

Curve = tuple[np.ndarray, np.ndarray]
LADDERS: dict[type[Codec], Sequence[float]] = {
    GenerativeMse: (-48, -36, -24, -12, 0, 7, 14, 21, 28, 35, 42, 49, 56, 63),
    Avif: (2, 10, 18, 26, 34, 42, 50, 58),
    WebP: (0, 4, 10, 20, 35, 55),
    Jpeg2000: (0.03, 0.06, 0.1, 0.16, 0.25, 0.4, 0.6),
    Jpeg: (6, 10, 15, 22, 32, 45, 60),
}
HALF: dict[type[Codec], Sequence[float]] = {Avif: (10, 25, 40, 55, 65, 75), WebP: (0, 2, 5, 10, 16, 25, 45)}
RATES, JPEG_RATES, LOWEST = (0.06, 0.5), (0.06, 1.0), (0.02, 0.12)
"""Bits per pixel between which curves are compared: JPEG has the quality of ours at twice the rate."""
LOW_RATES = (0.08, 0.15, 0.25)
"""Bits per pixel at which the perceptual synthesis is compared with AVIF."""
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


def rates(data: Path, images: Sequence[ImageU8]) -> Iterator[Figure]:
    """BD-rates of the synthesis for squared error."""
    curves = {kind: curve(kind(), ladder, images) for kind, ladder in LADDERS.items()}
    own = curves.pop(GenerativeMse)
    for kind, anchor in curves.items():
        goal = 0.0 if kind is Avif else None
        span = JPEG_RATES if kind is Jpeg else RATES
        yield compared(f"generative-mse: BD-rate against {kind.title}", anchor, own, span, goal=goal)
    for kind, ladder in HALF.items():
        anchor = curve(kind(), ladder, images, shrink=2)
        yield compared(f"generative-mse: BD-rate against half-size {kind.title}", anchor, own, LOWEST, note="enlarged")
    note = f"published for all 24 images, ours on {len(images)} of them"
    for name, file in PUBLISHED.items():
        yield compared(f"generative-mse: BD-rate against {name}", published(data, file), own, RATES, note=note)


def perceptual(data: Path, images: Sequence[ImageU8]) -> Iterator[Figure]:
    """The perceptual synthesis beside AVIF at equal bytes; at the lowest rate also WebP and the other synthesis."""
    for rate in LOW_RATES:
        others: tuple[Codec, ...] = (Avif(), WebP(), GenerativeMse()) if rate == LOW_RATES[0] else (Avif(),)
        own = Generative()
        files = [encode_within(own, p, Bytes(int(rate * p[..., 0].size / 8))).data for p in images]
        rebuilt_by = {own.title: ([own.decode(f) for f in files], [len(f) for f in files])}
        for codec in others:
            near = [encode_nearest(codec, p, Bytes(len(f))).data for p, f in zip(images, files, strict=True)]
            rebuilt_by[codec.title] = ([codec.decode(f) for f in near], [len(f) for f in near])
        for backbone in teachers(data):
            yield from _by(backbone, f"≤ {rate} bpp", images, rebuilt_by)


def _by(
    backbone: Backbone, at: str, images: Sequence[ImageU8], rebuilt_by: dict[str, tuple[list[ImageU8], list[int]]]
) -> Iterator[Figure]:
    """Scores of all codecs by one backbone, and how far the first is ahead of each other one but its twin."""
    values = {}
    for title, (rebuilt, sizes) in rebuilt_by.items():
        tokens = [VitTokens(backbone)(a, b) for a, b in zip(images, rebuilt, strict=True)]
        values[title] = {
            "ViT-Score": float(scores(backbone, images, rebuilt).mean()),
            "tokens": float(np.mean([score.value for score in tokens])),
            "patch-FID": float(PatchFidVit(backbone)(images, rebuilt).value),
        }
        for kind, value in values[title].items():
            least = kind != "patch-FID"
            note = f"mean {np.mean(sizes):.0f} bytes"
            yield Figure(f"{at}: {kind} of {title}, by {short(backbone)}", value, None, at_least=least, note=note)
    for other in (Avif.title, WebP.title):
        for kind, ours in values[Generative.title].items():
            if other in values:
                ahead = (ours - values[other][kind]) * (-1 if kind == "patch-FID" else 1)
                yield Figure(f"{at}: {kind} ahead of {other}, by {short(backbone)}", ahead, 0.0)


def part(data: Path) -> Iterator[Figure]:
    """All of it."""
    images = kodak(data)
    yield from rates(data, images)
    yield from perceptual(data, images)
