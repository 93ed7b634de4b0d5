"""A backbone: a Vision Transformer with its labels and its preprocessing, from images to labels and tokens."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy, deepcopy
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32
from PIL import Image
from torch import Tensor

from vitiq.errors import InputError, UndefinedError
from vitiq.models.backbones.cache import Cache
from vitiq.models.backbones.packed import ROWS, PackedViT, PlainViT
from vitiq.models.backbones.precision import Precision, choose_precision
from vitiq.models.device import shielded
from vitiq.models.vit import VisionTransformer
from vitiq.types import ImageU8, check_image

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Plain resize of the whole image to a square, then normalisation, as the thesis does."""

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
        preprocessing: how images become inputs.
        weights_sha256: hash of the weights file.
        weights_bytes: its size.
        precision: of the matrix products, see `precision.py`; None to choose by its rule.

    Attributes:
        package: name and version of the package of the plug-in that made it; "" for vitiq's own.
    """

    package: str = ""

    @shielded()
    def __init__(  # noqa: PLR0917 - plain metadata
        self,
        name: str,
        model: VisionTransformer,
        labels: tuple[str, ...],
        preprocessing: Preprocessing,
        weights_sha256: str,
        weights_bytes: int,
        precision: Precision | None = None,
    ) -> None:
        self.name, self.labels, self.preprocessing = name, labels, preprocessing
        self.image_size = preprocessing.size
        self.weights_sha256, self.weights_bytes = weights_sha256, weights_bytes
        self._model = model.eval().requires_grad_(False)
        self._precision = precision
        self._cache = Cache()
        self._device = torch.device("cpu")
        self._mean = torch.tensor(preprocessing.mean, dtype=torch.float32)[:, None, None]
        self._std = torch.tensor(preprocessing.std, dtype=torch.float32)[:, None, None]

    def __getstate__(self) -> dict[str, object]:
        """For copies and pickles: all but what is packed for the products at first use."""
        return {name: value for name, value in vars(self).items() if name != "_network"}

    def __repr__(self) -> str:
        size = self.image_size
        return f"<backbone {self.name}: {len(self.labels)} labels, {size}×{size} pixels, on {self._device}>"

    def to(self, device: torch.device) -> Backbone:
        """The network on a device; on any but the CPU its products are in float32, whatever was chosen here."""
        if device != self._device:
            self._model.to(device)
            self._mean, self._std = self._mean.to(device), self._std.to(device)
            self._device = device
            self.__dict__.pop("_network", None)
        return self

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self._device

    def on(self, device: torch.device) -> Backbone:
        """This backbone where it is there already, else a copy of it on the device: others may share this one."""
        if device == self._device:
            return self
        placed = copy(self)  # with what a plug-in has set on it
        placed._model, placed._cache = deepcopy(self._model), Cache()
        return placed.to(device)

    @property
    def precision(self) -> Precision:
        """Precision of the matrix products, chosen at first use."""
        if self._device.type != "cpu":
            return "float32"
        if self._precision is None:
            self._precision = choose_precision(self._model)
        return self._precision

    @property
    def model(self) -> VisionTransformer:
        """The network itself, frozen, in float32."""
        return self._model

    @property
    def patch(self) -> int:
        """Side of a patch in pixels of the input."""
        return self._model.config.patch

    def signature(self) -> str:
        """Name, weights, preprocessing and precision: everything that changes logits, but for rounding."""
        package = f"|{self.package}" if self.package else ""
        return f"{self.name}|weights:{self.weights_sha256[:12]}|{self.preprocessing}|{self.precision}{package}"

    def logits(self, images: Sequence[ImageU8]) -> Float32[np.ndarray, "n labels"]:
        """Logits of images of any size.

        Raises:
            InputError: anything but a list of one image or more, H×W×3 of uint8.
            UndefinedError: the network's output is not finite. So for `features`, `tokens`, `levels` and the rest too.
        """
        return self._finite([found[: len(self.labels)] for found in self._predictions(images)])

    def features(self, images: Sequence[ImageU8]) -> Float32[np.ndarray, "n d"]:
        """Class token after the last norm."""
        return self._finite([found[len(self.labels) :] for found in self._predictions(images)])

    def probabilities(self, images: Sequence[ImageU8]) -> Float32[np.ndarray, "n labels"]:
        """Softmax of the logits."""
        logits = self.logits(images).astype(np.float64)
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(p / p.sum(axis=1, keepdims=True), dtype=np.float32)

    @shielded()
    def tokens(self, images: Sequence[ImageU8]) -> Float32[np.ndarray, "n t d"]:
        """Tokens after the last norm, class token first."""

        _check_list(images)

        def compute(missing: list[ImageU8]) -> list[np.ndarray]:
            return [row for batch in self._batches(missing) for row in self._final(self._inputs(batch)).cpu().numpy()]

        return self._finite(self._cache.get("tokens", images, compute))

    @shielded()
    def levels(self, images: Sequence[ImageU8]) -> Float32[np.ndarray, "n level p d"]:
        """Patch tokens of images of the network's own size: before the first block, after each of the later half
        of the blocks, and after the last norm.

        Raises:
            InputError: an image of another size.
        """
        _check_list(images)
        side = self.image_size
        for image in images:
            if image.shape[:2] != (side, side):
                raise InputError(f"image of {image.shape[1]}×{image.shape[0]} pixels given, {side}×{side} expected")

        def compute(missing: list[ImageU8]) -> list[np.ndarray]:
            with torch.inference_mode():
                parts = [self._network.forward_levels(self._inputs(batch)).cpu() for batch in self._batches(missing)]
            return [row for part in parts for row in part.numpy()]

        return self._finite(self._cache.get("levels", images, compute))

    @shielded()
    def rollout(self, image: ImageU8) -> Float32[np.ndarray, "rows columns"]:
        """Attention rollout of the class token over the patches of the whole image; sums to 1.

        Abnar & Zuidema 2020, "Quantifying Attention Flow in Transformers", section 3 (arXiv 2005.00928).
        """
        check_image(image)
        with torch.inference_mode():
            flow = self._model.rollout(self._inputs([image]))[0, 0, self._model.config.prefix :]
        grid = self._model.config.grid
        return np.asarray(self._finite([(flow / flow.sum()).view(grid, grid).cpu().numpy()])[0], dtype=np.float32)

    def tokens_tensor(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n t d"]:
        """As `tokens`, from tensors in [0, 1]; differentiable with respect to the images, always in float32."""
        return self._model.forward_features(self.normalised(images))

    def logits_tensor(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n labels"]:
        """As `logits`, from tensors in [0, 1]; differentiable with respect to the images, always in float32."""
        result: Tensor = self._model(self.normalised(images))
        return result

    def levels_tensor(self, tiles: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n level p d"]:
        """As `levels`, from tensors in [0, 1]; differentiable with respect to them, always in float32."""
        return self._model.forward_levels(self.normalised(tiles))

    def normalised(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 s s"]:
        """Tensors in [0, 1] at the network's size, scale and type; torch's antialiased bicubic, close to Pillow's."""
        side = self.image_size
        if images.shape[-2:] != (side, side):
            images = F.interpolate(images, (side, side), mode="bicubic", antialias=True, align_corners=False)
        return ((images - self._mean) / self._std).to(next(self._model.parameters()).dtype)

    @shielded()
    def _predictions(self, images: Sequence[ImageU8]) -> list[np.ndarray]:
        """Logits and class token in one row an image; only images not seen lately are run."""
        _check_list(images)

        def compute(missing: list[ImageU8]) -> list[np.ndarray]:
            rows: list[np.ndarray] = []
            for batch in self._batches(missing):
                with torch.inference_mode():
                    first = self._network.forward_class(self._inputs(batch))
                    # One by one: a product of one row is summed in another order than one of several.
                    logits = torch.cat([self._model.classify(one) for one in torch.split(first, 1)])
                    rows.extend(torch.cat([logits, first[:, 0]], dim=1).cpu().numpy())
            return rows

        return self._cache.get("predictions", images, compute)

    def _final(self, inputs: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n t d"]:
        with torch.inference_mode():
            return self._network.forward_features(inputs)

    @cached_property
    def _network(self) -> PackedViT | PlainViT:
        if self._device.type != "cpu":
            return PlainViT(self._model)
        return PackedViT(self._model, torch.bfloat16 if self.precision == "bfloat16" else torch.float32)

    def _finite(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        """The rows as one array: no metric may make a value of what is not a number."""
        array = np.stack(rows)
        if not np.isfinite(array).all():
            raise UndefinedError(f"{self.name}: the network's output is not finite for these images")
        return array

    def _batches(self, items: Sequence[T]) -> list[Sequence[T]]:
        """Batches of about equal size with at most `ROWS` tokens."""
        most = max(1, ROWS // (self._model.config.grid**2 + 1))
        count = max(1, -(-len(items) // most))
        ends = [round(i * len(items) / count) for i in range(count + 1)]
        return [items[a:b] for a, b in pairwise(ends)]

    def _inputs(self, images: Sequence[ImageU8]) -> Float[Tensor, "n 3 s s"]:
        side, resample = self.image_size, Image.Resampling[self.preprocessing.filter.upper()]
        inputs = torch.empty(len(images), 3, side, side, dtype=torch.float32)
        moments = (self.preprocessing.mean, self.preprocessing.std)
        mean, std = (torch.tensor(v, dtype=torch.float32)[:, None, None] for v in moments)
        for row, image in zip(inputs, images, strict=True):
            resized = np.array(Image.fromarray(image).resize((side, side), resample))
            # In place, image by image: it stays in the cache.
            row.copy_(torch.from_numpy(resized).permute(2, 0, 1)).div_(255).sub_(mean).div_(std)
        return inputs.to(self._device)


def _check_list(images: object) -> None:
    """Raises InputError for anything but a list, a tuple or an array N×H×W×3 of images, with one or more."""
    single = isinstance(images, np.ndarray) and images.ndim != 4
    if single or not isinstance(images, Sequence | np.ndarray) or isinstance(images, str | bytes):
        given = f"an array of shape {images.shape}" if isinstance(images, np.ndarray) else type(images).__name__
        raise InputError(f"{given} given, a list of images H×W×3 of uint8 expected; give one image as [image]")
    if not len(images):
        raise InputError("an empty list of images given, one image or more expected")
    for image in images:
        check_image(image)
