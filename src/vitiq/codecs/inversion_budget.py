"""Search of layered latents for the least distortion within a number of bits.

The latents are searched on the integer grid that is coded (straight-through rounding) under the generator's own
prior; the weight of the rate answers a rate above or below the budget.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from vitiq.codecs.inversion_common import SearchSettings
from vitiq.codecs.inversion_search import minimise, to_tensor, unit
from vitiq.errors import InputError, WeightsError
from vitiq.models.entropy.integer_prior import step_size
from vitiq.models.entropy.prior import LatentPrior
from vitiq.models.generators import Generator
from vitiq.models.losses import Distortion, LossName, distortion
from vitiq.types import ImageU8, ProgressCallback

STEPS = range(120, 137)
"""Quantisation steps tried: a factor of two around the one trained at."""

MARGIN = 0.985
"""Share of the budget that the estimated rate is steered to; the exact coder decides at the end."""


TRAINED_WEIGHT = 1 / (512 * 512 * 255**2 * 4e-4)
"""Mean squared error that one bit is worth at step 1, as the generator was trained (1 / (pixels · 255² · λ))."""


PROPORTIONAL_GAIN, INTEGRAL_GAIN = 4.0, 0.05
"""How fast the weight of the rate answers a rate above or below the budget."""


Pack = Callable[[Sequence[Int64[np.ndarray, "c h w"]], int], bytes]
"""Symbols and step number -> a whole file."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Symbols met during the search, their distortion and estimated bits."""

    symbols: list[Int64[np.ndarray, "c h w"]]
    distortion: float
    bits: float


def search_within(
    generator: Generator,
    image: ImageU8,
    budget: int,
    pack: Pack,
    *,
    overhead: int,
    loss: LossName,
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
        InputError: the budget cannot hold even an empty picture.
        WeightsError: the generator has no prior or no encoder.
    """
    target = to_tensor(image)
    low, high = generator.output_range
    guess = generator.encode(target * (high - low) + low)
    if guess is None or generator.prior is None:
        raise WeightsError(f"generator {generator.name!r} has no prior or no encoder; use codec inversion-vector")
    search = BudgetSearch(generator, generator.prior, distortion(loss, target), 8 * (budget - overhead) * MARGIN)
    step = search.first_step(guess)
    total = restarts * settings.iterations
    snapshots: list[Snapshot] = []
    for restart in range(restarts):
        random = torch.Generator().manual_seed(seed + restart)
        start = guess if restart == 0 else [torch.randn(v.shape, generator=random) for v in guess]
        snapshots += search.run(start, step, settings, progress, restart * settings.iterations, total)
    for snapshot in sorted(snapshots, key=lambda s: s.distortion):
        data = pack(snapshot.symbols, step)
        if len(data) <= budget:
            return data
    smallest = min(snapshots, key=lambda s: s.bits)
    return thin(smallest.symbols, lambda symbols: pack(symbols, step), budget)


class BudgetSearch:
    """Rate-constrained search of the latents of one picture."""

    def __init__(self, generator: Generator, prior: LatentPrior, distort: Distortion, budget_bits: float) -> None:
        self._generator, self._prior, self._distort = generator, prior, distort
        self._budget = budget_bits

    def bits(self, symbols: Sequence[Tensor], step: int) -> Tensor:
        """Estimated bits of all layers."""
        log_step = torch.full((1, 1, 1, 1), math.log(step_size(step)))
        return torch.stack([layer.sum() for layer in self._prior.bits(symbols, log_step)]).sum()

    @torch.no_grad()
    def first_step(self, latents: Sequence[Tensor]) -> int:
        """The finest step at which the encoder's guess already meets the budget, else the coarsest."""
        for step in STEPS:
            if float(self.bits([torch.round(v / step_size(step)) for v in latents], step)) <= self._budget:
                return step
        return STEPS[-1]

    def run(  # noqa: PLR0917 - one call site
        self,
        start: Sequence[Float[Tensor, "1 c h w"]],
        step: int,
        settings: SearchSettings,
        progress: ProgressCallback | None,
        done: int,
        total: int,
    ) -> list[Snapshot]:
        """Search from `start`; returns snapshots that are estimated to meet the budget."""
        size = step_size(step)
        variables = [(v.detach() / size).clone().requires_grad_() for v in start]
        snapshots: list[Snapshot] = []
        # Bits are weighed against distortion as in training at this step, then steered to the budget.
        weight = TRAINED_WEIGHT * size**2.5
        state = {"weight": weight}

        def objective(_: int) -> tuple[Tensor, Tensor]:
            symbols = [v + (torch.round(v) - v).detach() for v in variables]
            bits = self.bits(symbols, step)
            painted = unit(self._generator.generate([s * size for s in symbols]), self._generator.output_range)
            lost = self._distort(painted)
            used, value = float(bits.detach()), float(lost.detach())
            if used <= self._budget / MARGIN:
                snapshots.append(Snapshot(_integers(symbols), value, used))
                snapshots.sort(key=lambda s: s.distortion)
                del snapshots[12:]
            over = max(-0.5, min(0.5, used / self._budget - 1))
            state["weight"] *= math.exp(INTEGRAL_GAIN * over)
            return lost + state["weight"] * math.exp(PROPORTIONAL_GAIN * over) * bits, painted

        minimise(objective, variables, settings, progress, done=done, total=total)
        if not snapshots:
            with torch.no_grad():
                symbols = [torch.round(v) for v in variables]
                snapshots.append(Snapshot(_integers(symbols), math.inf, float(self.bits(symbols, step))))
        return snapshots


def _integers(symbols: Sequence[Tensor]) -> list[Int64[np.ndarray, "c h w"]]:
    return [s.detach()[0].round().to(torch.int64).numpy() for s in symbols]


def thin(
    symbols: list[Int64[np.ndarray, "c h w"]],
    pack: Callable[[Sequence[Int64[np.ndarray, "c h w"]]], bytes],
    budget: int,
) -> bytes:
    """Drop symbols, finest layer and smallest first, until the file meets the budget."""
    layers = [s.copy() for s in symbols]
    for layer in reversed(layers):
        for limit in (1, 2, 4, 8, 16, 2**15):
            layer[np.abs(layer) <= limit] = 0
            data = pack(layers)
            if len(data) <= budget:
                return data
    raise InputError(f"a budget of {budget} bytes cannot hold an empty picture; give more bytes")
