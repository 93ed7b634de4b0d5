"""The Progressive GAN of pytorch_GAN_zoo (Karras et al. 2018, arXiv 1710.10196), as the thesis uses it.

The published files (celebAHQ-512, DTD, …) hold `avgG` or `netG`: a format layer from the latent to 4×4, two
convolutions a resolution, one to-RGB layer a resolution. Every layer is scaled at run time by He's constant
√(2 / fan-in), bias included, as upstream does.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vitiq.codecs.inversion.generators.base import Generator, LatentLayer
from vitiq.errors import InputError, WeightsError
from vitiq.models.building import as_alone
from vitiq.weights.checkpoint import checked_tensors, names_tensor
from vitiq.weights.checkpoint import read_checkpoint as read_checkpoint_file
from vitiq.weights.store import sha256_file

MAX_SCALES = 8
"""Doublings of the 4×4 start that are allowed: up to 1024×1024, the largest ever published."""

FIRST_LAYER = "formatLayer"
"""Begins the names of the tensors that turn a latent to 4×4, which every generator has."""


class _UpstreamConfig:
    """Stands in for upstream's configuration object inside the pickle, which holds plain values."""

    alpha: float = 0.0


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Generator tensors of a pytorch_GAN_zoo checkpoint, names without `.module`.

    Raises:
        WeightsError: damaged, or no such checkpoint.
    """
    try:
        loaded: Any = read_checkpoint_file(path, [(_UpstreamConfig, "models.utils.config.BaseConfig")])
    except WeightsError as error:
        raise WeightsError(f"{error} (no Progressive GAN of pytorch_GAN_zoo)") from error
    state = loaded
    for key in ("netG", "avgG"):
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            state = loaded[key]
    if not isinstance(state, Mapping) or not any(FIRST_LAYER in str(name) for name in state):
        raise WeightsError(f"{path}: holds no Progressive GAN generator; expected pytorch_GAN_zoo's netG or avgG")
    config = loaded.get("config")
    if isinstance(config, _UpstreamConfig) and config.alpha != 0:
        raise WeightsError(
            f"{path}: saved while its last resolution was still fading in (alpha {config.alpha}); give a finished one"
        )
    tensors = checked_tensors(path, state)
    return {name.replace(".module.", "."): value.float() for name, value in tensors.items()}


class ProgressiveGenerator(Generator):
    """A frozen Progressive GAN with the published single latent.

    Args:
        path: checkpoint of pytorch_GAN_zoo.

    Raises:
        WeightsError: damaged, or of another layout.
    """

    name = "pgan"

    @classmethod
    def detect(cls, path: Path) -> bool:
        """Whether pytorch_GAN_zoo wrote it."""
        return names_tensor(path, FIRST_LAYER)

    @as_alone()
    def __init__(self, path: Path | None = None) -> None:
        if path is None:
            raise WeightsError("a Progressive GAN needs a checkpoint; give --generator pgan:PATH")
        self._state = read_checkpoint(path)
        scales = {int(m.group(1)) for k in self._state if (m := re.match(r"scaleLayers\.(\d+)\.", k))}
        self._scales = len(scales)
        if self._scales > MAX_SCALES:
            raise WeightsError(
                f"{path}: {self._scales} doublings of the resolution given, at most {MAX_SCALES} expected"
            )
        try:
            latent = self._state["formatLayer.weight"].shape[1]
            # Draw an image once: a missing or misshapen tensor shows here, not in the middle of a search.
            self.resolution = 4 * 2**self._scales
            self.layers = (LatentLayer(latent, 1, 1),)
            with torch.no_grad():
                rebuilt = self.generate([torch.zeros(1, latent, 1, 1)])
        except (KeyError, IndexError, RuntimeError) as error:
            raise WeightsError(
                f"{path}: tensors do not form a Progressive GAN generator ({str(error).splitlines()[0]}); "
                f"expected the layout of pytorch_GAN_zoo's celebAHQ-512"
            ) from error
        if rebuilt.shape != (1, 3, self.resolution, self.resolution):
            raise WeightsError(f"{path}: gives images of shape {tuple(rebuilt.shape)}, RGB expected")
        self.output_range = (-1.0, 1.0)
        self.weights_sha256 = sha256_file(path)
        self.weights_bytes = path.stat().st_size

    def to(self, device: torch.device) -> ProgressiveGenerator:
        """The weights on a device."""
        self._state = {name: value.to(device) for name, value in self._state.items()}
        self.device = device
        return self

    def _conv(self, x: Tensor, name: str, padding: int = 1) -> Tensor:
        weight, bias = self._state[f"{name}.weight"], self._state[f"{name}.bias"]
        scale = math.sqrt(2.0 / weight[0].numel())
        return F.conv2d(x, weight, bias, padding=padding) * scale

    def generate(self, latents: Sequence[Float[Tensor, "n _ _ _"]]) -> Float[Tensor, "n c r r"]:
        """Images in about [-1, 1], not clipped; the latent is normalised first, as upstream does.

        Raises:
            InputError: not exactly one latent layer.
        """
        if len(latents) != 1:
            raise InputError(f"{len(latents)} latent layers given, the Progressive GAN has 1")
        weight, bias = self._state["formatLayer.weight"], self._state["formatLayer.bias"]
        x = _normalise(latents[0].flatten(1))
        x = F.linear(x, weight, bias) * math.sqrt(2.0 / weight.shape[1])
        x = _normalise(F.leaky_relu(x, 0.2).view(len(x), -1, 4, 4))
        x = _normalise(F.leaky_relu(self._conv(x, "groupScale0.0"), 0.2))
        for scale in range(self._scales):
            x = F.interpolate(x, scale_factor=2, mode="nearest")
            for index in (0, 1):
                x = _normalise(F.leaky_relu(self._conv(x, f"scaleLayers.{scale}.{index}"), 0.2))
        return self._conv(x, f"toRGBLayers.{self._scales}", padding=0)


def _normalise(x: Tensor) -> Tensor:
    """Each position's features divided by their root mean square."""
    return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8)
