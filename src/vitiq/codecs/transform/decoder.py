"""From the generative codecs' latents to images, with what the classifier of latents understood of them."""

from __future__ import annotations

from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from vitiq.codecs.transform import latent_classifier
from vitiq.codecs.transform.latent_classifier import EmbeddedClassifier, load_classifier
from vitiq.codecs.transform.networks.embedded import (
    SMALLEST,
    WEIGHTS,
    SynthesisName,
    TransformModel,
    load_model,
    quality_of,
)
from vitiq.errors import WeightsError
from vitiq.models.threads import one_thread
from vitiq.weights.store import resolve


class Decoder:
    """The codec's networks, and the classifier whose features its perceptual synthesis aggregates.

    Args:
        path: weights of `vitiq train codec` or `vitiq train perceptual`; the classifier that they name is the one that
            ships with vitiq, or lies beside them.

    Attributes:
        model: networks of the codec.

    Raises:
        WeightsError: the weights are missing, damaged or of another format.
    """

    def __init__(self, path: Path = WEIGHTS) -> None:
        self.model: TransformModel = load_model(path)
        self._beside = path.with_name(latent_classifier.WEIGHTS.name)

    @cached_property
    def classifier(self) -> EmbeddedClassifier | None:
        """The classifier whose features are aggregated; None where none are.

        Raises:
            WeightsError: it is not at hand.
        """
        wanted = self.model.classifier_sha256
        if not wanted:
            return None
        for path in (latent_classifier.WEIGHTS, self._beside):
            if path.exists() and (found := load_classifier(path)).weights_sha256 == wanted:
                break
        else:
            try:
                found = load_classifier(resolve(wanted))
            except WeightsError as error:
                raise WeightsError(
                    f"the codec's perceptual synthesis needs the classifier with sha256 {wanted[:12]}…, which is not "
                    f"the one that ships with vitiq; put it at {self._beside} ({error})"
                ) from error
        found.check(self.model)
        return found

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
        with one_thread(), torch.no_grad():
            quality = quality_of(level)
            latents = torch.from_numpy(symbols).float()[None] / self.model.gains(quality)
            return self.output(name, latents, quality, size)[:, :, : size[0], : size[1]]


@lru_cache(maxsize=2)
def load_decoder(path: Path = WEIGHTS) -> Decoder:
    """The decoder of a weights file, read once.

    Raises:
        WeightsError: as `Decoder`.
    """
    return Decoder(path)
