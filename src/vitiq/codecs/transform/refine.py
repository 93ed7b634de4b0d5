"""From an image to coded latents: by the analysis transform alone, or refined by a search through the synthesis."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from vitiq.codecs.transform import correction
from vitiq.codecs.transform.correction import Correction
from vitiq.codecs.transform.decoder import Decoder
from vitiq.codecs.transform.hyperprior_integer import LEVELS
from vitiq.codecs.transform.latent_coding import encode_groups, leading_pays
from vitiq.codecs.transform.networks.embedded import SynthesisName, TransformModel, padded_to_blocks
from vitiq.codecs.transform.networks.transform_codec import error_weight
from vitiq.codecs.viq_codec import symbols_crc
from vitiq.models.tensors import to_tensor
from vitiq.models.threads import search_threads
from vitiq.optimise.distortion import distortion
from vitiq.optimise.loop import minimise
from vitiq.optimise.rounding import gumbel_annealed, soft_rounded
from vitiq.optimise.settings import SearchSettings
from vitiq.types import ImageU8, ProgressCallback

CONTEXT_RDO_WEIGHT = 6.0
"""How many times its own error a symbol is worth, because others are predicted and rebuilt from it: of 1, 4, 6, 10,
12 and no choice but the nearest, the one of least cost on training images, where 6 to 12 are about equal."""

SEARCHED_RDO_WEIGHT = 100.0
"""As CONTEXT_RDO_WEIGHT, for latents whose search has weighed the bits already."""

LEADING_WEIGHT = 3.0
"""As CONTEXT_RDO_WEIGHT, for the choice whether all symbols of the leading channels are sent; of 1, 3, 6 the best."""

LEAST_SAVED = 0.005
"""Share of the latents' bits that a correction must be expected to save, before the image is rebuilt to find it."""

COLOURS = 3
"""Leading channels that are the mean colours of a block."""

SHORT = 30
"""Iterations of a short search. Longer ones take smaller steps, and random rounding for a larger share."""

STEP, STEP_POWER = 0.14, -0.25
"""Learning rate of Adam in a short search, in symbols an iteration, and how it goes with the iterations."""

ANNEALED, ANNEALED_POWER, LONGEST_ANNEALED = 0.3, 0.4, 0.6
"""Share of a short search in which rounding is random and annealed, how it grows with the iterations, and up to what.
In the rest rounding is soft, without noise: noise alone settles late, softness alone hardly moves a latent."""

TEMPERATURES = (0.5, 0.2)
"""Of the annealing, from its first iteration to its last."""

SHARPNESS = (10.0, 40.0)
"""Of soft rounding, likewise."""


class Coded(NamedTuple):
    """Coded latents.

    Attributes:
        data: bytes.
        crc: checksum of all symbols.
        symbols: of the latents, as `data` decodes to.
        leading_sent: as in `decode_groups`, which needs to know it.
        left: what rounding leaves of the three mean colours of each block, in levels; None for latents of a search.
    """

    data: bytes
    crc: int
    symbols: Int[np.ndarray, "c h w"]
    leading_sent: bool
    left: Float[np.ndarray, "3 h w"] | None = None


def code(model: TransformModel, image: ImageU8, level: int) -> Coded:
    """The latents of an image as the analysis transform gives them."""
    scaled, hyper = model.analyse_image(image, level)
    found = _coded(model, scaled, hyper, level, CONTEXT_RDO_WEIGHT)
    left = (scaled[:COLOURS] - found.symbols[:COLOURS]) / model.gain(level)[:COLOURS, None, None]
    return found._replace(left=left)


def corrected(
    decoder: Decoder, image: ImageU8, coded: Coded, level: int, synthesis: SynthesisName
) -> Correction | None:
    """The correction of what coded latents rebuild; None where it costs more than it saves or saves next to nothing."""
    prior, weight = decoder.model.integer_prior, lagrangian(level) / 3  # λ counts the mean of three colours
    if prior.context is None:
        return None
    size = (image.shape[0], image.shape[1])
    if coded.left is not None:
        saved = correction.expected_saving(correction.from_leading(coded.left, size), weight, prior.tables)
        if saved < LEAST_SAVED * 8 * len(coded.data):
            return None
    return correction.find(image, decoder.image(coded.symbols, level, synthesis, size), weight, prior.tables)


def lagrangian(level: int) -> float:
    """λ of a quality: bits that a squared error of 1 is worth, of the mean of a pixel's three colours (0-255)."""
    return float(error_weight(torch.tensor([level / (LEVELS - 1)], dtype=torch.float32)))


def rdo_weights(model: TransformModel, level: int, weight: float = CONTEXT_RDO_WEIGHT) -> Float[np.ndarray, " c"]:
    """Bits that a squared error of 1 is worth in each channel, in symbols; `weight` times its share of the image's."""
    # The transform is about orthonormal: a squared error of a latent is one of the three colours' sum.
    weights: np.ndarray = weight * lagrangian(level) / 3 / model.gain(level).astype(np.float64) ** 2
    return weights


def _coded(
    model: TransformModel,
    scaled: Float[np.ndarray, "c h w"],
    found: Float[np.ndarray, "z i j"],
    level: int,
    weight: float,
) -> Coded:
    """Scaled latents, coded under hyper-latents."""
    hyper = np.rint(found).astype(np.int64)
    prior = model.integer_prior
    context = prior.context is not None
    leading_sent = context and leading_pays(scaled, hyper, prior, level, rdo_weights(model, level, LEADING_WEIGHT))
    data, symbols = encode_groups(
        scaled,
        hyper,
        prior,
        level,
        rdo_weights(model, level, weight),
        context=context,
        leading_sent=leading_sent,
    )
    return Coded(data, symbols_crc([hyper, symbols]), symbols, leading_sent)


def step(iterations: int) -> float:
    """Learning rate of Adam for a search of so many iterations."""
    return STEP * math.pow(_longer(iterations), STEP_POWER)


def annealed_share(iterations: int) -> float:
    """Share of a search of so many iterations in which rounding is random."""
    return min(ANNEALED * math.pow(_longer(iterations), ANNEALED_POWER), LONGEST_ANNEALED)


def _longer(iterations: int) -> float:
    return max(iterations, SHORT) / SHORT


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
        analysed = model.analyse(padded_to_blocks(target), level)
        lost, quality = distortion(loss, target), model.quality(level)
        gain = model.gains(quality)
        weight = lagrangian(level) * 255**2
        latents, hyper_latents = (
            torch.from_numpy(found).to(model.device)[None].clone().requires_grad_() for found in analysed
        )
        noise = torch.Generator(model.device).manual_seed(seed)
        annealed = annealed_share(settings.iterations)

        def objective(iteration: int) -> tuple[Tensor, Tensor]:
            done = iteration / settings.iterations
            symbols, hyper = (_rounded(values, done, annealed, noise) for values in (latents, hyper_latents))
            bits = model.prior.bits(symbols, symbols, hyper, quality).sum()
            bits = bits + model.prior.hyper_bits(hyper, quality).sum()
            rebuilt = decoder.output(synthesis, symbols / gain, quality, size)[:, :, :height, :width]
            return bits / (height * width) + weight * lost(rebuilt), rebuilt

        minimise(objective, [latents, hyper_latents], settings, progress, short=True)
        searched = latents.detach()[0].cpu().numpy(), hyper_latents.detach()[0].cpu().numpy()
        least, best = math.inf, None
        for found, rdo_weight in ((analysed, CONTEXT_RDO_WEIGHT), (searched, SEARCHED_RDO_WEIGHT)):
            coded = _coded(model, *found, level, rdo_weight)
            with torch.no_grad():
                rebuilt = decoder.reconstruct(coded.symbols, level, synthesis, size).clamp(0, 1)
                cost = 8 * len(coded.data) / (height * width) + weight * float(lost(rebuilt))
            if best is None or cost < least:
                least, best = cost, coded
        assert best is not None
    return best


def _rounded(values: Float[Tensor, "1 c h w"], done: float, annealed: float, noise: torch.Generator) -> Tensor:
    """What stands in for rounding when a share `done` of a search is over, of which `annealed` is random."""
    if done < annealed:
        return gumbel_annealed(values, _between(TEMPERATURES, done / annealed), noise)
    return soft_rounded(values, _between(SHARPNESS, (done - annealed) / (1 - annealed)))


def _between(ends: tuple[float, float], share: float) -> float:
    """On the way from the first to the second, in equal ratios."""
    first, last = ends
    return first * math.pow(last / first, share)
