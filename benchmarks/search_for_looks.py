"""The thesis's byte count with a search of each image's latents for looks, scored by real ViTs.

    VITIQ_DATA=FOLDER python benchmarks/search_for_looks.py

`generative[tune=perceptual,effort=1]` at no more than 1540 bytes on the middle of the Kodak images. Prints the
rows of a Markdown table, as `benchmarks/models.py` does. Half an hour on two cores.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from goals import Figure, data_folder, kodak, psnr, scores, short, teachers
from goals_generator import BYTES, crops_of, made

from vitiq.codecs.rate_target import encode_within
from vitiq.codecs.transform.codec import Generative
from vitiq.metrics.semantic.vit_tokens import VitTokens
from vitiq.metrics.sets.vit import PatchFidVit
from vitiq.types import Bytes

LEAST_SCORE = 0.62


def figures(data: Path) -> Iterator[Figure]:
    """PSNR, ViT-Score, tokens and patch-FID of the middle of the Kodak images.

    The search looks through the embedded ViT, which both readers taught: they are not independent of it, and the goal
    is read by the one that trained no codec.
    """
    real, crops = teachers(data), crops_of(kodak(data))
    codec = Generative(tune="perceptual", effort=1)
    rebuilt, sizes = made(codec, [encode_within(codec, crop, Bytes(BYTES)).data for crop in crops])
    note = f"mean {np.mean(sizes):.0f} bytes, at most {max(sizes)}"
    name = "generative[tune=perceptual,effort=1]"
    quality = float(np.mean([psnr(a, b) for a, b in zip(crops, rebuilt, strict=True)]))
    yield Figure(f"{name}: mean PSNR", quality, None, unit=" dB", note=note)
    for backbone in real:
        by = short(backbone)
        value = float(scores(backbone, crops, rebuilt).mean())
        least = LEAST_SCORE if by == "DeiT-Ti" else None
        yield Figure(f"{name}: mean ViT-Score, scored by {by}", value, least, note=note)
        tokens = [VitTokens(backbone)(a, b).value for a, b in zip(crops, rebuilt, strict=True)]
        yield Figure(f"{name}: mean tokens, by {by}", float(np.mean(tokens)), None, note=note)
        found = float(PatchFidVit(backbone)(crops, rebuilt).value)
        yield Figure(f"{name}: patch-FID, by {by}", found, None, at_least=False, note=note)


if __name__ == "__main__":
    for figure in figures(data_folder()):
        print(figure.line(), flush=True)
