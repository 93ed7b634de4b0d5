"""From the generative codecs' latents to images, with what the classifier of latents understood of them."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from vitiq.codecs.transform import latent_classifier
from vitiq.codecs.transform.correction import Means, upsampled
from vitiq.codecs.transform.hyperprior_integer import STRIP
from vitiq.codecs.transform.latent_classifier import EmbeddedClassifier, find_classifier, load_classifier
from vitiq.codecs.transform.networks.block_dct import BLOCK
from vitiq.codecs.transform.networks.embedded import (
    SMALLEST,
    WEIGHTS,
    SynthesisName,
    TransformModel,
    load_model,
)
from vitiq.errors import WeightsError
from vitiq.models.strips import Tile, by_strips, give_back, in_order, tiles
from vitiq.models.tensors import to_image
from vitiq.models.threads import one_thread
from vitiq.types import ImageU8
from vitiq.weights.kept import kept

AT_ONCE = 768
"""Latent positions of a strip of an image that is not in tiles: 768×512 pixels are two strips."""


class Decoder:
    """The codec's networks, and the classifier whose features its perceptual synthesis aggregates.

    Args:
        path: weights of `vitiq train codec` or `vitiq train perceptual`; the classifier that they name is the one that
            ships with vitiq, or lies beside them.
        device: where both run; None for the CPU.

    Attributes:
        model: networks of the codec.

    Raises:
        WeightsError: the weights are missing, damaged or of another format.
    """

    def __init__(self, path: Path = WEIGHTS, device: torch.device | None = None) -> None:
        self._path, self._device = path, device
        self.model: TransformModel = load_model(path, device)
        self._beside = path.with_name(latent_classifier.WEIGHTS.name)

    @cached_property
    def classifier(self) -> EmbeddedClassifier | None:
        """The classifier whose features are aggregated; None where none are.

        Raises:
            WeightsError: it is not found.
        """
        wanted = self.model.classifier_sha256
        if not wanted:
            return None
        found = load_classifier(find_classifier(wanted, self._path), self._device)
        found.check(self.model)
        return found

    def label_classifier(self) -> EmbeddedClassifier:
        """The classifier that reads labels in the codec's latents: the one beside its weights, or the shipped one.

        Raises:
            WeightsError: neither was trained on these latents.
        """
        if self._beside.exists():
            beside = load_classifier(self._beside, self._device)
            if beside.latent_space == self.model.latent_space:
                return beside
        shipped = load_classifier(latent_classifier.WEIGHTS, self._device)
        try:
            shipped.check(self.model)
        except WeightsError as error:
            raise WeightsError(f"{error}, and put it at {self._beside}") from error
        return shipped

    def features(
        self, latents: Float[Tensor, "n c h w"], quality: Float[Tensor, "n 3"], size: tuple[int, int]
    ) -> Float[Tensor, "n f g g"] | None:
        """What the perceptual synthesis aggregates, of images of `size` (height, width) pixels; without gradient."""
        return None if self.classifier is None else self.classifier.features(latents, *size, quality)

    def output(
        self,
        name: SynthesisName,
        latents: Float[Tensor, "n c h w"],
        quality: Float[Tensor, "n 3"],
        size: tuple[int, int],
    ) -> Float[Tensor, "n 3 16*h 16*w"]:
        """Images in about [0, 1] of dequantised latents of images of `size` (height, width) pixels."""
        height, width = (max(side, SMALLEST) for side in size)
        features = self.features(latents, quality, (height, width)) if name == "perceptual" else None
        result: Tensor = self.model.synthesis(name)(latents, quality, features)
        return result

    def reconstruct(
        self, symbols: np.ndarray, level: int, name: SynthesisName, size: tuple[int, int]
    ) -> Float[Tensor, "1 3 height width"]:
        """Image of `size` in about [0, 1] of latent symbols C×h×w; the same at any number of threads."""
        synthesis = self.model.synthesis(name)
        with torch.no_grad():
            with one_thread():
                quality = self.model.quality(level)
                gains = self.model.gains(quality)
                latents = torch.from_numpy(symbols).to(quality.device).float()[None] / gains
                aggregated = self._aggregated(latents, quality, size) if name == "perceptual" else None
            area = AT_ONCE if latents.device.type == "cpu" else symbols[0].size
            with by_strips(symbols.shape[1], symbols.shape[2], area) as each:
                found = synthesis.rebuilt(latents, quality, aggregated, each=each)
            return found[:, :, : size[0], : size[1]]

    def image(
        self,
        symbols: np.ndarray,
        level: int,
        name: SynthesisName,
        size: tuple[int, int],
        means: Means | None = None,
    ) -> ImageU8:
        """The 8-bit image of `size` of latent symbols C×h×w, in tiles where it is large; `means` corrects its cells.

        The same at any number of threads. Tiles overlap by all that a pixel is made of, so that their borders differ
        from a whole image's by the rounding of sums.
        """
        synthesis = self.model.synthesis(name)
        parts = tiles(symbols.shape[1], symbols.shape[2], STRIP, synthesis.halo)
        if len(parts) == 1:
            found = self.reconstruct(symbols, level, name, size)
            with one_thread():
                return to_image(_corrected(found, means, (0, 0)))
        quality = self.model.quality(level)
        with one_thread(), torch.no_grad():
            gains = self.model.gains(quality)
            aggregated = None
            if name == "perceptual":
                whole = torch.from_numpy(symbols.astype(np.float32)).to(gains.device)[None].div_(gains)
                aggregated = self._aggregated(whole, quality, size)
                del whole
                give_back()

        def rebuilt(tile: Tile) -> ImageU8:
            down, across = tile.seen
            with torch.no_grad():
                latents = torch.from_numpy(symbols[:, down, across].astype(np.float32)).to(gains.device)[None] / gains
                features = None if aggregated is None else aggregated[:, :, down, across]
                found = synthesis.rebuilt(latents, quality, features, tile.margins)
                return to_image(_corrected(found, means, (tile.rows.start * BLOCK, tile.columns.start * BLOCK)))

        image: ImageU8 = np.empty((*size, 3), dtype=np.uint8)
        for tile, part in zip(parts, in_order(rebuilt, parts), strict=True):
            y, x = tile.rows.start * BLOCK, tile.columns.start * BLOCK
            own = image[y : y + part.shape[0], x : x + part.shape[1]]
            own[:] = part[: own.shape[0], : own.shape[1]]
        return image

    def _aggregated(
        self, latents: Float[Tensor, "1 c h w"], quality: Float[Tensor, "1 3"], size: tuple[int, int]
    ) -> Float[Tensor, "1 k h w"] | None:
        """What the classifier's features of the whole image add to the perceptual synthesis at each latent."""
        height, width = (max(side, SMALLEST) for side in size)
        features = self.features(latents, quality, (height, width))
        return None if features is None else self.model.synthesis("perceptual").aggregated(features, *latents.shape[2:])


def _corrected(
    pixels: Float[Tensor, "1 3 h w"], means: Means | None, start: tuple[int, int]
) -> Float[Tensor, "1 3 h w"]:
    """Pixels that begin at `start` (row, column), with the offsets of their cells added."""
    if means is None:
        return pixels
    rows, columns = (slice(first, first + side) for first, side in zip(start, pixels.shape[2:], strict=True))
    offsets = torch.from_numpy(upsampled(means, rows, columns)).to(pixels.device)
    return pixels + offsets.permute(2, 0, 1)[None] / 255


@kept(2)
def load_decoder(path: Path = WEIGHTS, device: torch.device | None = None) -> Decoder:
    """The decoder of a weights file on a device, read once; the last two are kept.

    Raises:
        WeightsError: as `Decoder`.
    """
    return Decoder(path, device)
