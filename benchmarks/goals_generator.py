"""The embedded generator: inversion at the thesis's byte count, judged by real ViTs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from goals import Figure, kodak, psnr, scores, short, teachers

from vitiq.codecs.inversion import Inversion

BYTES, SIDE = 1540, 512


def part(data: Path) -> Iterator[Figure]:
    """Mean PSNR and ViT-Score of the Kodak pictures, centre-cropped."""
    real = teachers(data)
    crops = []
    for image in kodak(data):
        top, left = (image.shape[0] - SIDE) // 2, (image.shape[1] - SIDE) // 2
        crops.append(np.ascontiguousarray(image[top : top + SIDE, left : left + SIDE]))
    codec = Inversion()
    files = [codec.encode(crop, quality=BYTES) for crop in crops]
    painted = [codec.decode(file) for file in files]
    note = f"{len(crops)} Kodak pictures, 512×512"
    largest = max(len(file) for file in files)
    yield Figure("inversion: largest file", largest, BYTES, at_least=False, unit=" bytes", note=note)
    quality = float(np.mean([psnr(a, b) for a, b in zip(crops, painted, strict=True)]))
    yield Figure("inversion: mean PSNR", quality, 22, unit=" dB", note=note)
    for backbone in real:
        value = float(scores(backbone, crops, painted).mean())
        yield Figure(f"inversion: mean ViT-Score, judged by {short(backbone)}", value, 0.4, note=note)
