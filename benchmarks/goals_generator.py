"""The embedded generator: inversion at the thesis's byte count, scored by real ViTs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from goals import Figure, kodak, psnr, scores, short, teachers

from vitiq.codecs.classical.downscaled import DownscaledAvif, DownscaledWebP
from vitiq.codecs.inversion.codec import Inversion
from vitiq.codecs.rate_target import encode_nearest
from vitiq.types import Bytes, ImageU8, Quality

BYTES, SIDE = 1540, 512


def part(data: Path) -> Iterator[Figure]:
    """Mean PSNR and ViT-Score of Kodak images, centre-cropped, and of downscaled AVIF and WebP at the same bytes."""
    real = teachers(data)
    crops = []
    for image in kodak(data):
        top, left = (image.shape[0] - SIDE) // 2, (image.shape[1] - SIDE) // 2
        crops.append(np.ascontiguousarray(image[top : top + SIDE, left : left + SIDE]))
    codec = Inversion()
    files = [codec.encode(crop, Quality(BYTES)) for crop in crops]
    rebuilt = [codec.decode(file) for file in files]
    note = f"{len(crops)} Kodak images, 512×512"

    def fidelity(
        name: str, rebuilt: list[ImageU8], note: str, goals: tuple[float | None, float | None]
    ) -> Iterator[Figure]:
        quality = float(np.mean([psnr(a, b) for a, b in zip(crops, rebuilt, strict=True)]))
        yield Figure(f"{name}: mean PSNR", quality, goals[0], unit=" dB", note=note)
        for backbone in real:
            value = float(scores(backbone, crops, rebuilt).mean())
            yield Figure(f"{name}: mean ViT-Score, scored by {short(backbone)}", value, goals[1], note=note)

    largest = max(len(file) for file in files)
    yield Figure("inversion: largest file", largest, BYTES, at_least=False, unit=" bytes", note=note)
    yield from fidelity("inversion", rebuilt, f"mean {np.mean([len(f) for f in files]):.0f} bytes", (22, 0.4))
    for other in (DownscaledAvif(), DownscaledWebP()):
        made = [encode_nearest(other, crop, Bytes(len(file))).data for crop, file in zip(crops, files, strict=True)]
        size = f"mean {np.mean([len(d) for d in made]):.0f} bytes"
        yield from fidelity(other.title, [other.decode(d) for d in made], size, (None, None))
