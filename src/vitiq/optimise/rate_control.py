"""Control of the rate's weight in a loss, so that a search ends at a budget of bits."""

from __future__ import annotations

import math
from dataclasses import dataclass

RAMP = 0.6
"""Share of the iterations over which the rate comes down to the budget."""

GAIN, HORIZON = 0.6, 12
"""Gain of the (log) weight to a (log) rate off the ramp, an update, and how many updates ahead the rate is predicted.

The rate follows the weight only after many iterations; without looking ahead the weight overshoots, and quality that
the search has lost by it does not come back."""

LARGEST_CHANGE = 0.2

FIRST_GAIN = 3
"""Gain of the (log) weight to the first (log) rate against the budget: the slope met on photographs."""


@dataclass(slots=True)
class RateController:
    """Weight of the rate in the loss, steered so that the rate reaches a budget: a proportional-derivative control.

    Args:
        value: the weight to start with.
        budget: bits to reach.
        ramp: iterations in which to reach them.
    """

    value: float
    budget: float
    ramp: float
    _start: float | None = None
    _error: float | None = None

    def update(self, bits: float, iteration: int) -> None:
        """Change the weight after `bits` were met at `iteration`."""
        excess = math.log(max(bits, 1) / self.budget)
        if self._start is None:
            self._start = excess
            self.value *= math.exp(FIRST_GAIN * excess)
        error = excess - self._start * max(0.0, 1 - iteration / self.ramp)
        ahead = error + HORIZON * (error - (error if self._error is None else self._error))
        self._error = error
        self.value *= math.exp(max(-LARGEST_CHANGE, min(LARGEST_CHANGE, GAIN * ahead)))
