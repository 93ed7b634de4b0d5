"""Search of layered latents for the least distortion within a number of bits.

Additive uniform noise stands in for rounding, as in the generator training: it gives the rate a smooth gradient;
straight-through rounding does not. Every few iterations the latents are rounded and looked at as they would be coded:
the weight of the rate then answers a rate above or below the budget, and the best symbols are kept.
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

STEPS = range(120, 129)
"""Quantisation steps tried, up to the one trained at: coarser ones cost more quality than the rate's weight does."""

MARGIN = 0.985
"""Share of the budget that the estimated rate is steered to; the exact coder decides at the end."""


TRAINED_WEIGHT = 1 / (512 * 512 * 255**2 * 4e-4)
"""Mean squared error that one bit is worth at step 1, as the generator was trained (1 / (pixels · 255² · λ))."""


GAIN = 0.12
"""How fast the weight of the rate answers a rate above or below the budget, a look."""

LOOK_EVERY = 4
"""Iterations between looks at the rounded latents."""

TIERS = (1.0, 0.99, 0.98, 0.96, 0.93, 0.9)
"""Shares of the budget for each of which the best symbols are kept, since the exact size is known only at the end."""

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
        snapshots += search.run(start, step, settings, progress, restart * settings.iterations, total, seed)
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
        seed: int,
    ) -> list[Snapshot]:
        """Search from `start`; returns snapshots that are estimated to meet the budget."""
        size = step_size(step)
        variables = [(v.detach() / size).clone().requires_grad_() for v in start]
        best: dict[float, Snapshot] = {}
        # Bits are weighed against distortion as in training at this step, then steered to the budget.
        state = {"weight": TRAINED_WEIGHT * size**2.5}
        noise = torch.Generator().manual_seed(seed)
        low_high = self._generator.output_range

        @torch.no_grad()
        def look() -> None:
            symbols = [torch.round(v) for v in variables]
            used = float(self.bits(symbols, step))
            value = float(self._distort(unit(self._generator.generate([s * size for s in symbols]), low_high)))
            for tier in TIERS:
                if used <= tier * self._budget and (tier not in best or value < best[tier].distortion):
                    best[tier] = Snapshot(_integers(symbols), value, used)
            state["weight"] *= math.exp(GAIN * max(-0.5, min(1.0, 4 * (used / self._budget - 1))))

        def objective(iteration: int) -> tuple[Tensor, Tensor]:
            if iteration % LOOK_EVERY == 0 or iteration == settings.iterations - 1:
                look()
            symbols = [v + torch.rand(v.shape, generator=noise) - 0.5 for v in variables]
            painted = unit(self._generator.generate([s * size for s in symbols]), low_high)
            return self._distort(painted) + state["weight"] * self.bits(symbols, step), painted

        minimise(objective, variables, settings, progress, done=done, total=total)
        if not best:
            with torch.no_grad():
                symbols = [torch.round(v) for v in variables]
                best[1.0] = Snapshot(_integers(symbols), math.inf, float(self.bits(symbols, step)))
        return list(best.values())


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
