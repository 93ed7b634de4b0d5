"""Search of layered latents for the least distortion within a number of bits.

Additive uniform noise stands in for rounding at first, as in the generator's training: it gives the rate a smooth
gradient; straight-through rounding does not. From half of the iterations on, latents are annealed between their
neighbouring whole numbers, so that what is searched comes to be what is coded. Every few iterations the latents are
rounded and looked at as they would be coded: the weight of the rate is then steered so that the rate comes down to the
budget along a ramp. At the end a dead zone of the rounding, as narrow as the coder allows, brings the file to the last
bytes of its budget.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from vitiq.codecs.inversion.generators import Generator
from vitiq.codecs.inversion.prior import LatentPrior
from vitiq.codecs.inversion.prior_integer import step_size
from vitiq.errors import InputError, WeightsError
from vitiq.models.tensors import to_tensor, to_unit_range
from vitiq.optimise.distortion import Distortion, distortion
from vitiq.optimise.loop import minimise
from vitiq.optimise.rate_control import RAMP, RateController
from vitiq.optimise.rounding import gumbel_annealed
from vitiq.optimise.settings import SearchSettings
from vitiq.types import ImageU8, ProgressCallback

STEPS = range(120, 129)
"""Quantisation steps tried, up to the one trained at: coarser ones cost more quality than the rate's weight does."""

MARGIN = 0.985
"""Share of the budget that the estimated rate is steered to; the exact coder decides at the end."""


TRAINED_WEIGHT = 1 / (512 * 512 * 255**2 * 4e-4)
"""Mean squared error that one bit is worth at step 1, as the generator was trained (1 / (pixels · 255² · λ))."""


SETTLING, SETTLING_ROUNDS = 40, 5
"""Iterations after the search, a round and rounds at most, while the rate is above the budget."""

LOOK_EVERY = 4
"""Iterations between looks at the rounded latents."""

ANNEALED_FROM = 0.5
"""Share of the iterations after which latents are annealed instead of noisy: before, they have far to go."""

TEMPERATURES = (0.5, 0.1)
"""Of the annealing, at its first iteration and after the last; its worth: `benchmarks/annealed_search.py`."""

DEAD_ZONES = 32
"""Widths of the dead zone of the last rounding that are tried; the widest makes zeros of all within ±1."""

Pack = Callable[[Sequence[Int64[np.ndarray, "_ _ _"]], int], bytes]
"""Symbols and step number -> a whole file."""


def search_within(
    generator: Generator,
    image: ImageU8,
    budget: int,
    pack: Pack,
    *,
    overhead: int,
    loss: str,
    settings: SearchSettings,
    restarts: int,
    seed: int,
    progress: ProgressCallback | None,
) -> bytes:
    """The best file of `image` (of the generator's size) of at most `budget` bytes.

    Args:
        pack: makes files to measure; the exact size decides.
        overhead: bytes of a file that are not latents.

    Raises:
        InputError: the budget cannot hold even an empty image.
        WeightsError: the generator has no prior or no encoder.
    """
    target = to_tensor(image, generator.device)
    low, high = generator.output_range
    encoded = generator.encode(target * (high - low) + low)
    if encoded is None or generator.prior is None:
        raise WeightsError(f"generator {generator.name!r} has no prior or no encoder; use codec inversion-vector")
    search = BudgetSearch(generator, generator.prior, distortion(loss, target), 8 * (budget - overhead) * MARGIN)
    step = search.first_step(encoded)
    total = restarts * settings.iterations
    found: list[tuple[float, bytes]] = []
    for restart in range(restarts):
        random = torch.Generator().manual_seed(seed + restart)
        start = encoded if restart == 0 else [torch.randn(v.shape, generator=random).to(v.device) for v in encoded]
        for latents in search.run(start, step, settings, progress, restart * settings.iterations, total, seed):
            symbols, data = fit(latents, lambda symbols: pack(symbols, step), budget)
            found.append((search.distortion(symbols, step), data))
    return min(found, key=lambda pair: pair[0])[1]


class BudgetSearch:
    """Rate-constrained search of the latents of one image."""

    def __init__(self, generator: Generator, prior: LatentPrior, distort: Distortion, budget_bits: float) -> None:
        self._generator, self._prior, self._distort, self._budget = generator, prior, distort, budget_bits

    def bits(self, symbols: Sequence[Tensor], step: int) -> Tensor:
        """Estimated bits of all layers."""
        log_step = torch.full((1, 1, 1, 1), math.log(step_size(step)), dtype=torch.float32).to(self._generator.device)
        return torch.stack([layer.sum() for layer in self._prior.bits(symbols, log_step)]).sum()

    @torch.no_grad()
    def first_step(self, latents: Sequence[Tensor]) -> int:
        """The finest step at which the encoder's latents already meet the budget, else the coarsest."""
        for step in STEPS:
            if float(self.bits([torch.round(v / step_size(step)) for v in latents], step)) <= self._budget:
                return step
        return STEPS[-1]

    def run(  # noqa: PLR0917 - one call site
        self,
        start: Sequence[Float[Tensor, "1 _ _ _"]],
        step: int,
        settings: SearchSettings,
        progress: ProgressCallback | None,
        done: int,
        total: int,
        seed: int,
    ) -> list[list[Float[np.ndarray, "_ _ _"]]]:
        """Search from `start`; returns the last latents in units of the step, and the best that met the budget."""
        size = step_size(step)
        variables = [(v.detach() / size).clone().requires_grad_() for v in start]
        best: tuple[float, list[np.ndarray]] | None = None
        searched, over = 0, False
        low_high = self._generator.output_range
        # Bits are weighed against distortion as in training at this step, then steered to the budget.
        weight = RateController(TRAINED_WEIGHT * size**2.5, self._budget, RAMP * settings.iterations)
        noise = torch.Generator(self._generator.device).manual_seed(seed)

        @torch.no_grad()
        def look(iteration: int) -> None:
            nonlocal best, over
            symbols = [torch.round(v) for v in variables]
            used, lost = float(self.bits(symbols, step)), self.distortion([s[0].cpu().numpy() for s in symbols], step)
            if used <= self._budget and (best is None or lost < best[0]):
                best = lost, _copies(variables)
            weight.update(used, searched + iteration)
            over = used > self._budget

        def objective(iteration: int) -> tuple[Tensor, Tensor]:
            if iteration % LOOK_EVERY == 0 or iteration == settings.iterations - 1:
                look(iteration)
            share = (searched + iteration) / settings.iterations
            symbols = [relaxed(v, share, noise) for v in variables]
            image = to_unit_range(self._generator.generate([s * size for s in symbols]), low_high)
            return self._distort(image) + weight.value * self.bits(symbols, step), image

        minimise(objective, variables, settings, progress, done=done, total=total)
        searched = settings.iterations
        settling = replace(settings, iterations=SETTLING, optimiser="adam", learning_rate=settings.rate / 4)
        for _ in range(SETTLING_ROUNDS):
            if not over:
                break
            minimise(objective, variables, settling)
        last = _copies(variables)
        return [last] if best is None else [last, best[1]]

    @torch.no_grad()
    def distortion(self, symbols: Sequence[np.ndarray], step: int) -> float:
        """Loss of the image rebuilt from `symbols`."""
        latents = [torch.from_numpy(s * step_size(step)).to(self._generator.device).float()[None] for s in symbols]
        return float(self._distort(to_unit_range(self._generator.generate(latents), self._generator.output_range)))


def relaxed(values: Float[Tensor, "1 c h w"], share: float, noise: torch.Generator) -> Float[Tensor, "1 c h w"]:
    """What stands in for rounded latents when `share` of the iterations is done."""
    if share < ANNEALED_FROM:
        return values + torch.rand(values.shape, generator=noise, device=noise.device, dtype=torch.float32) - 0.5
    first, last = TEMPERATURES
    done = min(1.0, (share - ANNEALED_FROM) / (1 - ANNEALED_FROM))
    return gumbel_annealed(values, first * (last / first) ** done, noise)


def _copies(variables: Sequence[Tensor]) -> list[Float[np.ndarray, "_ _ _"]]:
    return [v.detach()[0].cpu().numpy().copy() for v in variables]


def fit(
    latents: Sequence[Float[np.ndarray, "_ _ _"]],
    pack: Callable[[Sequence[Int64[np.ndarray, "_ _ _"]]], bytes],
    budget: int,
) -> tuple[list[Int64[np.ndarray, "_ _ _"]], bytes]:
    """Round `latents`, the finest layer with the narrowest dead zone whose file meets the budget.

    Coarser layers are rounded plainly: the prior reads the finer ones from them.

    Returns:
        The symbols and their file.

    Raises:
        InputError: even an empty image does not fit.
    """
    symbols = [np.round(v).astype(np.int64) for v in latents]
    finest = np.abs(latents[-1])
    for width in range(DEAD_ZONES + 1):
        kept = np.floor(finest + 0.5 - 0.5 * width / DEAD_ZONES)
        symbols[-1] = (np.sign(latents[-1]) * kept).astype(np.int64)
        data = pack(symbols)
        if len(data) <= budget:
            return symbols, data
    return thin(symbols, pack, budget)


def thin(
    symbols: list[Int64[np.ndarray, "_ _ _"]],
    pack: Callable[[Sequence[Int64[np.ndarray, "_ _ _"]]], bytes],
    budget: int,
) -> tuple[list[Int64[np.ndarray, "_ _ _"]], bytes]:
    """Drop symbols, finest layer and smallest first, until the file meets the budget."""
    layers = [s.copy() for s in symbols]
    for layer in reversed(layers):
        for limit in (1, 2, 4, 8, 16, 2**15):
            layer[np.abs(layer) <= limit] = 0
            data = pack(layers)
            if len(data) <= budget:
                return layers, data
    raise InputError(f"a budget of {budget} bytes cannot hold an empty image; give more bytes")
