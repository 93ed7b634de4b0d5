"""What the parts of `models.py` share: a goal with the figure reached, the data, the readers."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from vitiq.image.io import read_image
from vitiq.models.backbones import Backbone, load_backbone
from vitiq.types import ImageU8

ROOT = Path(__file__).parents[1]
TEACHERS = (
    "vit_tiny_patch16_224.augreg_in21k_ft_in1k.safetensors",
    "deit_tiny_patch16_224.safetensors",
)


class AbsentError(Exception):
    """Data that a part needs is not there; says what."""


@dataclass(frozen=True)
class Figure:
    """One line of the table. `target` is None for a figure given for orientation."""

    name: str
    value: float
    target: float | None = None
    at_least: bool = True
    unit: str = ""
    note: str = ""

    def line(self) -> str:
        sign = "≥" if self.at_least else "≤"
        goal = "–" if self.target is None else f"{sign} {self.target:g}{self.unit}"
        met = self.target is not None and (self.value >= self.target if self.at_least else self.value <= self.target)
        verdict = "–" if self.target is None else ("reached" if met else "not reached")
        return f"| {self.name} | {goal} | {self.value:.4g}{self.unit} | {verdict} | {self.note} |"


T = TypeVar("T")
Part = Callable[[Path], Iterator[Figure]]


def data_folder() -> Path:
    """The folder that $VITIQ_DATA names."""
    if "VITIQ_DATA" not in os.environ:
        raise AbsentError("VITIQ_DATA is not set: let it name the folder of the data that vitiq does not ship")
    return Path(os.environ["VITIQ_DATA"])


def needed(path: Path) -> Path:
    """The path, if it is there."""
    if not path.exists():
        raise AbsentError(f"{path} is not there")
    return path


def kodak(data: Path) -> list[ImageU8]:
    """The Kodak images at hand."""
    return [read_image(path) for path in sorted(needed(data / "kodak_odd").glob("*.png"))]


def teachers(data: Path) -> list[Backbone]:
    """Both real ViTs."""
    paths = [needed(data / "weights" / name) for name in TEACHERS]
    return [load_backbone("vit", path) for path in paths]


def short(backbone: Backbone) -> str:
    """deit or vit, for people."""
    return "DeiT-Ti" if backbone.name.startswith("deit") else "ViT-Ti" if "tiny" in backbone.name else "embedded ViT"


def psnr(a: ImageU8, b: ImageU8) -> float:
    """Peak signal-to-noise ratio over all three channels, dB."""
    error = np.square(a.astype(np.float64) - b).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-10)))


def scores(backbone: Backbone, references: Sequence[ImageU8], distorted: Sequence[ImageU8]) -> np.ndarray:
    """ViT-Scores (K = 100)."""
    a, b = backbone.logits(references), backbone.logits(distorted)
    first, second = (np.argsort(-x, axis=1, kind="stable")[:, :100] for x in (a, b))
    return np.array([np.intersect1d(x, y).size / 100 for x, y in zip(first, second, strict=True)])


def best(work: Callable[[], T], times: int = 5, *, clock: Callable[[], float] = time.perf_counter) -> tuple[float, T]:
    """Least seconds of several, and the result."""
    seconds = []
    for _ in range(times):
        start = clock()
        result = work()
        seconds.append(clock() - start)
    return min(seconds), result
