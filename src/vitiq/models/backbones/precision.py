"""Which precision a backbone's matrix products may have: as fast as the machine allows, with the same label sets.

bfloat16 is taken where the processor multiplies it natively (AVX512_BF16 or AMX), where the network is large enough for
products to be the work, and where its top 100 labels share at least 99 % with float32's on fixed probe images.
Otherwise float32. What was taken is part of the signature of every score.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from vitiq.models.backbones.packed import PackedViT
from vitiq.models.device import shielded
from vitiq.models.top_labels import shared_labels
from vitiq.models.vit import VisionTransformer

Precision = Literal["float32", "bfloat16"]

NATIVE_FLAGS = ("avx512_bf16", "amx_bf16")
LARGE = 20_000_000
"""Weights from which products are the work; smaller networks stay in float32, alike on every machine."""

MIN_OVERLAP = 0.99
PROBES = 8


@lru_cache(maxsize=1)
def native_bfloat16() -> bool:
    """True where the processor multiplies bfloat16 itself; elsewhere it would be emulated, slower than float32."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return any(flag in flags for flag in NATIVE_FLAGS)


def probe_images(side: int) -> Float[Tensor, "n 3 s s"]:
    """Fixed images with the 1/f amplitude spectrum of photographs, colours correlated, in about -1 … 1."""
    rng = np.random.default_rng(0)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :])
    frequency[0, 0] = np.inf
    noise = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(PROBES, 4, side, side))) / frequency, (side, side))
    noise /= noise.std(axis=(2, 3), keepdims=True)
    colours = 0.45 * noise[:, :1] + 0.2 * noise[:, 1:]
    return torch.from_numpy(colours.clip(-1, 1).astype(np.float32))


def label_overlap(model: VisionTransformer, inputs: Float[Tensor, "n 3 s s"]) -> float:
    """Mean share of the top 100 labels (10 % of other label counts) that bfloat16 products keep of float32's."""
    k = 100 if model.config.classes >= 1000 else max(1, model.config.classes // 10)
    with torch.inference_mode():
        networks = (PackedViT(model, dtype) for dtype in (torch.float32, torch.bfloat16))
        exact, fast = (model.classify(network.forward_class(inputs)).float().numpy() for network in networks)
    return float(shared_labels(exact, fast, k).mean() / k)


@shielded()
def choose_precision(model: VisionTransformer) -> Precision:
    """The rule above."""
    size = sum(p.numel() for p in model.parameters())
    if size < LARGE or not native_bfloat16():
        return "float32"
    keeps = label_overlap(model, probe_images(model.config.image_size)) >= MIN_OVERLAP
    return "bfloat16" if keeps else "float32"
