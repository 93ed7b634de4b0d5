"""The context of the hyper-latents that coding uses: whole numbers only, the exact twin of `hyper_context.py`.

Weights have WEIGHT_BITS fractional bits, biases, curves and activations FRACTION, as in `hyperprior_integer.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64

from vitiq.codecs.logistic import FRACTION
from vitiq.codecs.transform.hyper_context import (
    ACTIVATION_CLIP,
    CENTRED_CLIP,
    HYPER_CLIP,
    PASSES,
    neighbours,
    taps_of,
)
from vitiq.codecs.transform.whole_numbers import EXACT, WEIGHT_BITS, narrow, parabola, product, wide

PREFIX = "context."
"""Of the context's tensors among the prior's."""

BATCH = 2**11
"""Positions whose neighbours are in memory at once."""

_MATRICES = ("linear", "near.weight", "hidden.weight", "out.weight")
_LARGEST = {"linear": HYPER_CLIP + 2**9, "near.weight": CENTRED_CLIP}


class _Positions(NamedTuple):
    """Some positions of a pass, and where their neighbours lie."""

    own: Int64[np.ndarray, " n"]
    near: Int64[np.ndarray, "taps n"]
    known: Bool[np.ndarray, "taps n"]


def fraction_bits(name: str) -> int:
    """Fractional bits of a tensor of the context."""
    return WEIGHT_BITS if name.endswith(_MATRICES) else FRACTION


def _clip(x: Float64[np.ndarray, "*n"], limit: float) -> Float64[np.ndarray, "*n"]:
    return np.asarray(np.clip(x, -limit * 2**FRACTION, limit * 2**FRACTION))


def _rectify(x: Float64[np.ndarray, "*n"]) -> Float64[np.ndarray, "*n"]:
    return np.asarray(np.clip(x, 0, ACTIVATION_CLIP * 2**FRACTION))


class _Pass:
    """Integer weights of one pass."""

    def __init__(self, tensors: Mapping[str, np.ndarray], number: int) -> None:
        start = f"{PREFIX}passes.{number}."
        own = {
            name[len(start) :]: value.astype(np.float64) for name, value in tensors.items() if name.startswith(start)
        }
        for name, value in own.items():
            _check_exact(start + name, name, value)
        self.always = own["always.weight"]
        self.taps = len(taps_of(number))
        if self.taps:
            self.linear = own["linear"]
            if len(self.linear) != self.taps:
                raise ValueError(f"{start}linear has {len(self.linear)} taps, {self.taps} expected")
            self.near, self.hidden, self.out = (
                np.ascontiguousarray(own[f"{name}.weight"].T) for name in ("near", "hidden", "out")
            )
            self.quality, self.bias = own["quality.weight"], wide(own["hidden.bias"])

    def predict(
        self, centred: Float64[np.ndarray, "taps n z"], known: Bool[np.ndarray, "taps n"], level: int, last: int
    ) -> Float64[np.ndarray, "n two_z"]:
        """Changes of means, then of log-scales, FRACTION fractional bits; as `PassContext.forward`."""
        count, channels = centred.shape[1:]
        change = np.broadcast_to(parabola(self.always, level, last), (count, 2 * channels)).copy()
        if not self.taps:
            return change
        mask = known[..., None]
        expected = narrow((centred * mask * self.linear[:, None]).sum(axis=0))
        left = _clip(centred - expected, CENTRED_CLIP) * mask
        sizes = np.minimum(np.abs(centred), CENTRED_CLIP * 2**FRACTION) * mask
        read = np.concatenate([left, sizes], axis=2).transpose(1, 0, 2).reshape(count, -1)
        x = _rectify(narrow(product(read, self.near)) + parabola(self.quality, level, last))
        x = _rectify(narrow(product(x, self.hidden) + self.bias))
        change += narrow(product(x, self.out))
        change[:, :channels] += expected
        return change


def _check_exact(name: str, kind: str, value: np.ndarray) -> None:
    """Raises ValueError where a sum could leave the whole numbers that float64 holds."""
    if kind not in _MATRICES:
        return
    fan = float(np.abs(value).sum(axis=0 if kind == "linear" else 1).max(initial=0))
    if fan * _LARGEST.get(kind, ACTIVATION_CLIP) * 2**FRACTION >= EXACT / 4:
        raise ValueError(f"weights {name} sum to {fan:.3g}, too large for exact sums")


class IntegerHyperContext:
    """What hyper-latents add to the means and log-scales of those that are coded after them.

    Args:
        tensors: the prior's integer tensors, the context's among them.

    Raises:
        ValueError: the tensors do not fit, or could make sums that float64 does not hold exactly.
        KeyError: one is missing.
    """

    def __init__(self, tensors: Mapping[str, np.ndarray]) -> None:
        self._passes = [_Pass(tensors, number) for number in range(PASSES)]

    def walk(
        self,
        hyper: Int64[np.ndarray, "p z"],
        mean: Float64[np.ndarray, " z"],
        size: tuple[int, int],
        level: int,
        last: int,
    ) -> Iterator[tuple[Int64[np.ndarray, " n"], Float64[np.ndarray, "n z"], Float64[np.ndarray, "n z"]]]:
        """Positions in coding order, and what is added to their means and log-scales, FRACTION fractional bits.

        Args:
            hyper: symbols by flat position, filled in by the caller as they become known; others are not read.
            mean: of each channel by the quality alone.
            size: height and width of the grid.
            level, last: quality, and the highest one.
        """
        for number, own in enumerate(self._passes):
            for part in _batches(number, *size):
                symbols = np.clip(hyper[part.near], -HYPER_CLIP, HYPER_CLIP).astype(np.float64)
                change = own.predict(symbols * 2**FRACTION - mean, part.known, level, last)
                mean_change, wider = np.split(change, 2, axis=1)
                yield part.own, mean_change, wider


def _batches(number: int, height: int, width: int) -> Iterator[_Positions]:
    own, near, known = neighbours(number, height, width)
    for start in range(0, len(own), BATCH):
        part = slice(start, start + BATCH)
        yield _Positions(own[part], near[:, part], known[:, part])
