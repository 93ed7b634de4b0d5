"""Frozen generators for inversion, by name or path."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from vitiq.errors import WeightsError
from vitiq.models.generators.base import Generator, LatentLayer

__all__ = ["Generator", "LatentLayer", "load_generator"]


@lru_cache(maxsize=2)
def load_generator(name: str = "embedded") -> Generator:
    """A generator: "embedded", or the path of a weights file.

    `.safetensors` is the embedded generator's own format; `.pt`, `.pth` and `.pkl` are checkpoints of pytorch_GAN_zoo's
    Progressive GAN. The last two loaded are kept.

    Raises:
        WeightsError: no such file, or not weights of a known generator.
    """
    from vitiq.models.generators.embedded import EmbeddedGenerator  # noqa: PLC0415 - imported where used

    if name == "embedded":
        return EmbeddedGenerator()
    path = Path(name)
    if not path.exists():
        raise WeightsError(f"{name}: no such generator; give 'embedded' or the path of a weights file")
    if path.suffix == ".safetensors":
        return EmbeddedGenerator(path)
    from vitiq.models.generators.pgan import ProgressiveGenerator  # noqa: PLC0415 - imported where used

    return ProgressiveGenerator(path)
