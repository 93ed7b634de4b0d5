"""Images to the features and label probabilities of InceptionV3, resized in one of three ways that tools use.

The resize moves FID by points (Parmar, Zhang & Zhu 2022, "On Aliased Resizing and Surprising Subtleties in GAN
Evaluation", arXiv 2104.11222), so it is named:

- `clean`: Pillow's antialiased bicubic in float, a channel at a time, clipped to 0 … 255 (clean-fid "clean"),
- `tf1`: TensorFlow 1's bilinear, whose grid starts at the corner, not antialiased (the original FID, torch-fidelity,
  torchmetrics, clean-fid "legacy_tensorflow"),
- `pytorch`: torch's bilinear, not antialiased (pytorch-fid, clean-fid "legacy_pytorch").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32
from PIL import Image
from torch import Tensor

from vitiq.errors import InputError, UndefinedError, WeightsError
from vitiq.models.backbones.cache import Cache
from vitiq.models.backbones.formats import read_state
from vitiq.models.building import as_alone
from vitiq.models.device import shielded
from vitiq.models.inception import DIMENSIONS, OUTPUTS, SIDE, InceptionV3
from vitiq.types import ImageU8
from vitiq.weights.store import model_info, sha256_file

NAME = "inception-fid"
BATCH = 8
CACHE = 64 * 2**20

Pixels = Float32[np.ndarray, "299 299 3"]


def resize_clean(image: ImageU8) -> Pixels:
    """299×299 in 0 … 255 by Pillow's bicubic in float."""
    channels = [Image.fromarray(image[:, :, i].astype(np.float32)) for i in range(3)]
    resized = [np.asarray(channel.resize((SIDE, SIDE), Image.Resampling.BICUBIC)) for channel in channels]
    return np.stack(resized, axis=2).clip(0, 255)


def resize_tf1(image: ImageU8) -> Pixels:
    """299×299 in 0 … 255 as TensorFlow 1's `resize_bilinear` without aligned corners: output i reads input i·n/299."""

    def along(values: Float32[np.ndarray, "n ..."]) -> Float32[np.ndarray, "299 ..."]:
        n = len(values)
        at = np.arange(SIDE, dtype=np.float32) * np.float32(n / SIDE)
        low = at.astype(np.int64)
        share = (at - low).astype(np.float32).reshape(-1, *[1] * (values.ndim - 1))
        below = values[low]
        return np.asarray(below + (values[np.minimum(low + 1, n - 1)] - below) * share)

    wide = along(image.astype(np.float32).transpose(1, 0, 2)).transpose(1, 0, 2)
    return along(wide)


def resize_pytorch(image: ImageU8) -> Pixels:
    """299×299 in 0 … 255 by torch's bilinear without antialiasing."""
    pixels = torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None]
    resized = F.interpolate(pixels, (SIDE, SIDE), mode="bilinear", align_corners=False)
    return np.asarray(resized[0].permute(1, 2, 0).numpy())


RESIZES: dict[str, tuple[Callable[[ImageU8], Pixels], float]] = {
    "clean": (resize_clean, 128.0),
    "tf1": (resize_tf1, 128.0),
    "pytorch": (resize_pytorch, 127.5),
}
"""How images become 299×299, and the middle c of the scale (x - c) / c that the tool of that name uses."""


class InceptionReader:
    """InceptionV3 with given weights.

    Args:
        weights: the FID weights.
        resize: one of `RESIZES`.

    Raises:
        WeightsError: missing, damaged, or of another layout.
        InputError: no such resize.
    """

    def __init__(self, weights: Path, resize: str = "clean") -> None:
        if resize not in RESIZES:
            raise InputError(f"resize {resize!r} given, expected one of {', '.join(RESIZES)}")
        self._resize, self._middle = RESIZES[resize]
        self._name = resize
        self._model = _load(weights)
        self._sha256 = sha256_file(weights)
        self._cache = Cache(CACHE)

    def signature(self) -> str:
        """Weights, resize and scale."""
        return f"inception-v3|weights:{self._sha256[:12]}|resize:{self._name}-{SIDE}|middle:{self._middle:g}"

    def features(self, images: Sequence[ImageU8]) -> Float32[np.ndarray, "n 2048"]:
        """Features of images of any size."""
        return _finite([row[:DIMENSIONS] for row in self._read(images)])

    def probabilities(self, images: Sequence[ImageU8]) -> Float32[np.ndarray, "n 1008"]:
        """Softmax of the outputs without bias."""
        return _finite([row[DIMENSIONS:] for row in self._read(images)])

    def features_tensor(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 2048"]:
        """As `features` of the resize `clean`, from tensors in [0, 1]; differentiable with respect to them."""
        resized = F.interpolate(images, (SIDE, SIDE), mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
        found: Tensor = self._model((255 * resized - self._middle) / self._middle)
        return found

    @shielded()
    def _read(self, images: Sequence[ImageU8]) -> list[np.ndarray]:
        def compute(missing: list[ImageU8]) -> list[np.ndarray]:
            return [row for i in range(0, len(missing), BATCH) for row in self._batch(missing[i : i + BATCH])]

        return self._cache.get("inception", images, compute)

    def _batch(self, images: Sequence[ImageU8]) -> Float32[np.ndarray, "n 3056"]:
        pixels = torch.from_numpy(np.stack([self._resize(image) for image in images])).permute(0, 3, 1, 2)
        with torch.inference_mode():
            features = self._model((pixels - self._middle) / self._middle)
            return np.asarray(torch.cat([features, self._model.logits(features).softmax(dim=1)], dim=1).numpy())


def _finite(rows: Sequence[np.ndarray]) -> np.ndarray:
    array = np.stack(rows)
    if not np.isfinite(array).all():
        raise UndefinedError("InceptionV3: the network's output is not finite for these images")
    return array


@as_alone()
def _load(path: Path) -> InceptionV3:
    state = {name: value.float() for name, value in read_state(path).items() if "num_batches_tracked" not in name}
    model = InceptionV3()
    expected = {name: value.shape for name, value in model.state_dict().items() if "num_batches_tracked" not in name}
    wrong = [name for name in expected if name not in state or state[name].shape != expected[name]]
    wrong += [name for name in state if name not in expected]
    if wrong:
        raise WeightsError(
            f"{path}: not InceptionV3 with {OUTPUTS} outputs ({len(wrong)} tensors missing, unknown or of another "
            f"shape, first {wrong[0]}); expected {model_info(NAME).file}"
        )
    model.load_state_dict(state, strict=False)
    return model.eval().requires_grad_(False)


@lru_cache(maxsize=3)
@torch.inference_mode(False)  # kept for training too, whoever asks first
def fid_reader(resize: str = "clean") -> InceptionReader:
    """InceptionV3 with the FID weights, fetched before.

    Raises:
        WeightsError: not fetched, or not the published file.
        InputError: no such resize.
    """
    info = model_info(NAME)
    if not info.path.is_file():
        raise WeightsError(
            f"InceptionV3's FID weights are missing: run `vitiq models fetch {NAME}` (96 MB), or without a network "
            f"`vitiq models fetch {NAME} --from {info.file}`; the -vit metrics need none"
        )
    if sha256_file(info.path) != info.sha256:
        raise WeightsError(f"{info.path}: not the published FID weights; delete it and run `vitiq models fetch {NAME}`")
    return InceptionReader(info.path, resize)
