"""A backbone: a Vision Transformer with its labels and its preprocessing, from pictures to labels and tokens."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32
from PIL import Image
from torch import Tensor

from vitiq.models.vit import VisionTransformer
from vitiq.types import ImageU8

T = TypeVar("T")

BATCH = 16
CACHED = 512
"""Predictions kept, by content of the picture."""


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Plain resize of the whole picture to a square, then normalisation, as the thesis does."""

    size: int
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    filter: str = "bicubic"

    def __str__(self) -> str:
        mean, std = ("/".join(f"{v:g}" for v in values) for values in (self.mean, self.std))
        return f"resize:{self.filter}-{self.size}|mean:{mean}|std:{std}"


class Backbone:
    """A frozen Vision Transformer with labels.

    Args:
        name: for records ("vit-embedded", or the checkpoint's file name).
        model: in evaluation mode.
        labels: one name a class.
        preprocessing: how pictures become inputs.
        weights_sha256: hash of the weights file.
        weights_bytes: its size.
    """

    def __init__(  # noqa: PLR0917 - plain facts
        self,
        name: str,
        model: VisionTransformer,
        labels: tuple[str, ...],
        preprocessing: Preprocessing,
        weights_sha256: str,
        weights_bytes: int,
    ) -> None:
        self.name, self.labels, self.preprocessing = name, labels, preprocessing
        self.image_size = preprocessing.size
        self.weights_sha256, self.weights_bytes = weights_sha256, weights_bytes
        self._model = model.eval().requires_grad_(False)
        self._cache: OrderedDict[bytes, tuple[np.ndarray, np.ndarray]] = OrderedDict()
        self._mean = torch.tensor(preprocessing.mean)[:, None, None]
        self._std = torch.tensor(preprocessing.std)[:, None, None]

    def signature(self) -> str:
        """Name, weights and preprocessing: everything that changes logits, but for rounding."""
        return f"{self.name}|weights:{self.weights_sha256[:12]}|{self.preprocessing}|float32"

    def logits(self, images: Sequence[ImageU8]) -> Float32[np.ndarray, "n labels"]:
        """Logits of pictures of any size."""
        found = self._predict(images)
        return np.stack([found[key][0] for key in map(_key, images)])

    def features(self, images: Sequence[ImageU8]) -> Float32[np.ndarray, "n d"]:
        """Class token after the last norm."""
        found = self._predict(images)
        return np.stack([found[key][1] for key in map(_key, images)])

    def probabilities(self, images: Sequence[ImageU8]) -> Float32[np.ndarray, "n labels"]:
        """Softmax of the logits."""
        logits = self.logits(images).astype(np.float64)
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(p / p.sum(axis=1, keepdims=True), dtype=np.float32)

    def tokens(self, images: Sequence[ImageU8]) -> Float32[np.ndarray, "n t d"]:
        """Tokens after the last norm, class token first; not cached."""
        with torch.inference_mode():
            parts = [self._model.forward_features(self._inputs(b)) for b in _batches(images)]
        return np.asarray(torch.cat(parts).numpy(), dtype=np.float32)

    def tokens_tensor(self, pictures: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n t d"]:
        """As `tokens`, from tensors in [0, 1]; differentiable with respect to the pictures."""
        side = self.image_size
        resized = F.interpolate(pictures, (side, side), mode="bicubic", antialias=True, align_corners=False)
        return self._model.forward_features((resized - self._mean) / self._std)

    def _predict(self, images: Sequence[ImageU8]) -> dict[bytes, tuple[np.ndarray, np.ndarray]]:
        """Logits and class token by content hash; only pictures not seen lately are run."""
        found: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}
        missing: dict[bytes, ImageU8] = {}
        for image in images:
            key = _key(image)
            if key in self._cache:
                self._cache.move_to_end(key)
                found[key] = self._cache[key]
            else:
                missing[key] = image
        for keys in _batches(list(missing)):
            with torch.inference_mode():
                tokens = self._model.forward_features(self._inputs([missing[key] for key in keys]))[:, 0]
                logits = self._model.head(tokens).numpy()
            for key, row, token in zip(keys, logits, tokens.numpy(), strict=True):
                found[key] = self._cache[key] = (row, token)
        while len(self._cache) > CACHED:
            self._cache.popitem(last=False)
        return found

    def _inputs(self, images: Sequence[ImageU8]) -> Float[Tensor, "n 3 s s"]:
        side, resample = self.image_size, Image.Resampling[self.preprocessing.filter.upper()]
        resized = [np.asarray(Image.fromarray(image).resize((side, side), resample)) for image in images]
        pictures = torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2).float() / 255
        return (pictures - self._mean) / self._std


def _key(image: ImageU8) -> bytes:
    return hashlib.blake2b(image.tobytes() + str(image.shape).encode(), digest_size=16).digest()


def _batches(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[i : i + BATCH] for i in range(0, len(items), BATCH)]
