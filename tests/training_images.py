"""Folders of images that trainings of the tests learn from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def write_gradients(folder: Path, *, height: int = 260, width: int = 280) -> Path:
    """Five noisy gradients, by default large enough for every crop; gives the folder."""
    rng = np.random.default_rng(0)
    for k in range(5):
        ramp = np.linspace(0, 200, width)[None, :, None] + rng.normal(0, 12, (height, width, 3)) + 10 * k
        Image.fromarray(ramp.clip(0, 255).astype(np.uint8)).save(folder / f"{k}.png")
    return folder


def write_blurred(folder: Path, count: int) -> Path:
    """Blurred noise of 80×60 pixels; gives the folder."""
    rng = np.random.default_rng(0)
    for index in range(count):
        low = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(low).resize((80, 60), Image.Resampling.BICUBIC).save(folder / f"{index}.png")
    return folder
