"""From an image to coded latents: by the analysis transform alone, or refined by a search through the synthesis."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from vitiq.codecs.transform.decoder import Decoder
from vitiq.codecs.transform.hyperprior_integer import LEVELS
from vitiq.codecs.transform.latent_coding import encode_groups
from vitiq.codecs.transform.networks.embedded import SynthesisName, TransformModel, padded_to_blocks
from vitiq.codecs.transform.networks.transform_codec import error_weight, straight_through
from vitiq.codecs.viq_codec import symbols_crc
from vitiq.models.tensors import to_tensor
from vitiq.models.threads import search_threads
from vitiq.optimise.distortion import distortion
from vitiq.optimise.loop import minimise
from vitiq.optimise.rounding import gumbel_annealed
from vitiq.optimise.settings import SearchSettings
from vitiq.types import ImageU8, ProgressCallback

CONTEXT_RDO_WEIGHT = 6.0
"""How many times its own error a symbol is worth, because others are predicted and rebuilt from it: of 1, 4, 6, 10,
12 and no choice but the nearest, the one of least cost on training images, where 6 to 12 are about equal."""

TEMPERATURES = (0.5, 0.025)
"""Of the annealing, at the first iteration and after the last."""


class Coded(NamedTuple):
    """Coded latents.

    Attributes:
        data: bytes.
        crc: checksum of all symbols.
        symbols: of the latents, as `data` decodes to.
    """

    data: bytes
    crc: int
    symbols: Int[np.ndarray, "c h w"]


def code(model: TransformModel, image: ImageU8, level: int) -> Coded:
    """The latents of an image as the analysis transform gives them."""
    return _coded(model, *model.analyse_image(image, level), level)


def lagrangian(level: int) -> float:
    """λ of a quality: bits that a squared error of 1 is worth, of the mean of a pixel's three colours (0-255)."""
    return float(error_weight(torch.tensor([level / (LEVELS - 1)], dtype=torch.float32)))


def rdo_weights(model: TransformModel, level: int) -> Float[np.ndarray, " c"]:
    """Bits that a squared error of 1 is worth in each channel, in symbols."""
    # The transform is about orthonormal: a squared error of a latent is one of the three colours' sum.
    weights: np.ndarray = CONTEXT_RDO_WEIGHT * lagrangian(level) / 3 / model.gain(level).astype(np.float64) ** 2
    return weights


def _coded(
    model: TransformModel, scaled: Float[np.ndarray, "c h w"], found: Float[np.ndarray, "z i j"], level: int
) -> Coded:
    """Scaled latents, coded under hyper-latents."""
    hyper = np.rint(found).astype(np.int64)
    prior = model.integer_prior
    data, symbols = encode_groups(
        scaled, hyper, prior, level, rdo_weights(model, level), context=prior.context is not None
    )
    return Coded(data, symbols_crc([hyper, symbols]), symbols)


def refine(
    decoder: Decoder,
    image: ImageU8,
    level: int,
    *,
    synthesis: SynthesisName,
    loss: str,
    settings: SearchSettings,
    seed: int,
    progress: ProgressCallback | None,
) -> Coded:
    """As `code`, with the latents searched for least bits + λ · distortion of this image.

    The searched latents are kept only where the coded file and the image rebuilt from it are better together
    than those of the analysis transform. The same seed gives the same file at any number of threads.
    """
    with search_threads():
        model = decoder.model
        target = to_tensor(image, model.device)
        height, width = size = target.shape[2], target.shape[3]
        scaled, _ = model.analyse(padded_to_blocks(target), level)
        lost, quality = distortion(loss, target), model.quality(level)
        gain = model.gains(quality)
        weight = lagrangian(level) * 255**2
        variable = torch.from_numpy(scaled).to(model.device)[None].clone().requires_grad_()
        noise = torch.Generator(model.device).manual_seed(seed)

        first, last = TEMPERATURES

        def objective(iteration: int) -> tuple[Tensor, Tensor]:
            symbols = gumbel_annealed(variable, first * (last / first) ** (iteration / settings.iterations), noise)
            hyper = straight_through(model.prior.analysis(variable))
            bits = model.prior.bits(symbols, symbols, hyper, quality).sum()
            bits = bits + model.prior.hyper_bits(hyper, quality).sum()
            rebuilt = decoder.output(synthesis, symbols / gain, quality, size)[:, :, :height, :width]
            return bits / (height * width) + weight * lost(rebuilt), rebuilt

        minimise(objective, [variable], settings, progress)
        least, best = math.inf, None
        for latents in (scaled, variable.detach()[0].cpu().numpy()):
            with torch.no_grad():
                found = model.prior.analysis(torch.from_numpy(latents).to(model.device)[None])[0].cpu().numpy()
            coded = _coded(model, latents, found, level)
            with torch.no_grad():
                rebuilt = decoder.reconstruct(coded.symbols, level, synthesis, size).clamp(0, 1)
                cost = 8 * len(coded.data) / (height * width) + weight * float(lost(rebuilt))
            if best is None or cost < least:
                least, best = cost, coded
        assert best is not None
    return best
