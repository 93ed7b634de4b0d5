"""The hyperprior that coding uses: whole numbers only, so that encoder and decoder agree on any machine.

Weights of `hyperprior.py` are rounded once, at export, to WEIGHT_BITS fractional bits, biases and activations to
FRACTION. Sums are carried out by float64 matrix products, which are fast everywhere and exact here: every
product and every partial sum is a whole number below 2**53, whatever the order of addition; this is checked
when the weights are loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64, Int64

from vitiq.codecs.entropy_coding import Code, Layer, SymbolGroup
from vitiq.codecs.logistic import FRACTION, frequency_tables, mean_and_offset, read_tables, scale_index
from vitiq.codecs.transform.hyperprior import (
    ACTIVATION_CLIP,
    CLIP,
    GROUPS,
    HYPER_CHANNELS,
    HYPER_CLIP,
    HYPER_STRIDE,
    LEADING,
    LINEAR_CLIP,
    passes,
    phase,
)
from vitiq.codecs.transform.networks.block_dct import CHANNELS
from vitiq.models.threads import one_thread

WEIGHT_BITS = 12
LEVELS = 64
"""Qualities 0 … 63 that tables exist for; t = level / 63."""

LARGEST_MEAN = 2**13
SKIP_SCALE = 3
"""A symbol whose scale has this index or a lower one (0.07 symbols) is not coded: it is the rounded mean."""

HYPER, LATENTS = 0, 1
"""Layers, in their coding order."""

EXACT = 2.0**53
_SQUARE = tuple((dy, dx) for dy in range(3) for dx in range(3))
_RING = tuple(tap for tap in _SQUARE if tap != (1, 1))

Values = Float64[np.ndarray, "*grid c"]
Plane = Float64[np.ndarray, "h w c"]
Padded = Float64[np.ndarray, "h+2 w+2 c"]
"""Whole numbers carried in float64, channels last."""


def export_hyperprior(prior: Any) -> dict[str, np.ndarray]:
    """Integer tensors of a trained `Hyperprior` (all but its analysis), and the frequency tables."""
    tensors: dict[str, np.ndarray] = {"tables": frequency_tables().astype(np.int32)}
    for name, value in prior.state_dict().items():
        if name.startswith("analysis."):
            continue
        bits = WEIGHT_BITS if value.ndim == 4 else FRACTION
        rounded = np.rint(value.detach().cpu().double().numpy() * 2**bits).astype(np.int64)
        tensors[name] = rounded.astype(np.int16 if np.abs(rounded).max() < 2**15 else np.int32)
    return tensors


def float_tensors(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The float prior's tensors that the integer ones stand for, for training and refinement."""
    floats = {}
    for name, value in tensors.items():
        if name != "tables":
            bits = WEIGHT_BITS if value.ndim == 4 else FRACTION
            floats[name] = (value.astype(np.float64) / 2**bits).astype(np.float32)
    return floats


def _taps(weight: np.ndarray, taps: tuple[tuple[int, int], ...]) -> Float64[np.ndarray, "taps c o"]:
    return np.stack([weight[:, :, dy, dx].T for dy, dx in taps]).astype(np.float64)


def _product(a: Float64[np.ndarray, "n c"], b: Float64[np.ndarray, "c o"]) -> Float64[np.ndarray, "n o"]:
    """Matrix product by torch, whose threads `walk` limits; NumPy starts some that cost more than they do."""
    return np.asarray((torch.from_numpy(np.ascontiguousarray(a)) @ torch.from_numpy(b)).numpy())


def _convolve(
    padded: Float64[np.ndarray, "i j c"], weights: Float64[np.ndarray, "taps c o"], taps: tuple[tuple[int, int], ...]
) -> Float64[np.ndarray, "i-2 j-2 o"]:
    """3×3 convolution of an array padded by one on each side, by one matrix product a tap."""
    height, width, channels = padded.shape[0] - 2, padded.shape[1] - 2, padded.shape[2]
    total = np.zeros((height * width, weights.shape[2]))
    for (dy, dx), weight in zip(taps, weights, strict=True):
        total += _product(padded[dy : dy + height, dx : dx + width].reshape(-1, channels), weight)
    return total.reshape(height, width, -1)


def _with_zeros(x: Plane) -> Padded:
    return np.pad(x, ((1, 1), (1, 1), (0, 0)))


def _extended(x: Plane) -> Padded:
    """As `hyperprior.extended`."""
    return np.pad(x, ((1, 1), (1, 1), (0, 0)), mode="edge")


def _reflected(x: Plane) -> Padded:
    """As `hyperprior.reflected`."""
    for pad, side in ((((1, 1), (0, 0), (0, 0)), x.shape[0]), (((0, 0), (1, 1), (0, 0)), x.shape[1])):
        x = np.pad(x, pad, mode="reflect" if side > 1 else "edge")
    return x


def _shuffle(x: Float64[np.ndarray, "h w rrc"], factor: int = 2) -> Float64[np.ndarray, "rh rw c"]:
    """Sub-pixel shuffle, in torch's order of channels."""
    height, width, channels = x.shape
    kept = channels // factor**2
    split = x.reshape(height, width, kept, factor, factor).transpose(0, 3, 1, 4, 2)
    return split.reshape(factor * height, factor * width, kept)


def _rectify(x: Values) -> Values:
    return np.asarray(np.clip(x, 0, ACTIVATION_CLIP * 2**FRACTION))


def _signs_and_sizes(symbols: Plane) -> Float64[np.ndarray, "h w 2*c"]:
    clipped = np.clip(symbols, -CLIP, CLIP)
    return np.concatenate([clipped, np.abs(clipped)], axis=-1)


class _Group:
    """Integer weights of one group."""

    def __init__(self, tensors: Mapping[str, np.ndarray], prefix: str) -> None:
        def matrix(name: str) -> Values:
            return np.ascontiguousarray(tensors[prefix + name][:, :, 0, 0].T.astype(np.float64))

        self.hyper, self.hyper_bias = matrix("hyper.weight"), _wide(tensors[prefix + "hyper.bias"])
        before = tensors.get(prefix + "before.weight")
        self.before = None if before is None else _taps(before, _SQUARE)
        self.near = _taps(tensors[prefix + "near.weight"], _RING)
        linear = tensors[prefix + "linear.weight"]
        self.linear = np.stack([linear[:, 0, dy, dx] for dy, dx in _RING]).astype(np.float64)
        self.later = tensors[prefix + "later"].astype(np.float64)
        self.quality = tensors[prefix + "quality.weight"].astype(np.float64)
        self.hidden, self.hidden_bias = matrix("hidden.weight"), _wide(tensors[prefix + "hidden.bias"])
        self.out, self.out_bias = matrix("out.weight"), _wide(tensors[prefix + "out.bias"])

    def predict(
        self,
        shared: Float64[np.ndarray, "h w k"],
        own: Plane,
        direct: Plane,
        coded: tuple[int, np.ndarray] | None,
        positions: Int64[np.ndarray, " n"],
    ) -> tuple[Float64[np.ndarray, "n c"], Float64[np.ndarray, "n c"]]:
        """Mean and log-scale at some positions, FRACTION fractional bits; as `GroupPrior.predict`.

        Args:
            direct: with FRACTION fractional bits.
            coded: number of the pass, and which positions are coded already; None in the first pass.
        """
        count = shared.shape[0] * shared.shape[1]
        x = shared.reshape(count, -1)[positions]
        if coded is not None:
            number, done = coded
            near = _convolve(_reflected(_signs_and_sizes(own * done)), self.near, _RING).reshape(count, -1)
            x = x + _narrow(near[positions], WEIGHT_BITS - FRACTION) + self.later[number - 1]
        x = _rectify(_narrow(_product(_rectify(x), self.hidden) + self.hidden_bias))
        mean, log_scale = np.split(_narrow(_product(x, self.out) + self.out_bias), 2, axis=1)
        mean = mean + direct.reshape(count, -1)[positions]
        if coded is not None:
            limit = LINEAR_CLIP * 2**FRACTION
            left = np.clip(own * 2**FRACTION - direct, -limit, limit) * coded[1]
            linear = _depthwise(_reflected(left), self.linear).reshape(count, -1)
            mean = mean + _narrow(linear[positions])
        return mean, log_scale


def _wide(bias: np.ndarray) -> Values:
    """A bias at the scale of products of activations and weights."""
    return np.asarray(bias.astype(np.float64) * 2**WEIGHT_BITS)


def _narrow(x: Values, bits: int = WEIGHT_BITS) -> Values:
    """Back to FRACTION fractional bits; rounds down."""
    return np.asarray(np.floor(x / 2**bits))


class IntegerHyperprior:
    """The exact twin of `Hyperprior`, with its frequency tables.

    Args:
        tensors: integer tensors as `export_hyperprior` names them.

    Attributes:
        tables: frequencies as in `IntegerPrior`.

    Raises:
        ValueError: the tensors do not fit, or could make sums that float64 does not hold exactly.
    """

    def __init__(self, tensors: Mapping[str, np.ndarray]) -> None:
        self.tables = read_tables(tensors["tables"])
        _check_exact(tensors)
        self._hyper_mean = tensors["hyper_mean.weight"].astype(np.float64)
        self._hyper_scale = tensors["hyper_log_scale.weight"].astype(np.float64)
        self._direct = _taps(tensors["synthesis.direct.weight"], _SQUARE)
        self._first = _taps(tensors["synthesis.first.weight"], _SQUARE)
        self._first_bias = tensors["synthesis.first.bias"].astype(np.float64)
        self._second = _taps(tensors["synthesis.second.weight"], _SQUARE)
        self._second_bias = _wide(tensors["synthesis.second.bias"])
        self._quality = tensors["synthesis.quality.weight"].astype(np.float64)
        self._groups = [_Group(tensors, f"groups.{k}.") for k in range(len(GROUPS))]

    def walk(self, level: int, height: int, width: int, code: Code) -> tuple[Layer, Layer]:
        """Symbols of the hyper-latents and of the latents of height×width; see `HyperpriorModel`."""
        hyper = self._walk_hyper(level, -(-height // HYPER_STRIDE), -(-width // HYPER_STRIDE), code)
        clipped = _extended(np.clip(hyper, -HYPER_CLIP, HYPER_CLIP))
        features = self._features(clipped, level)[:height, :width]
        direct = _shuffle(_convolve(clipped[..., :LEADING], self._direct, _SQUARE), HYPER_STRIDE)[:height, :width]
        known = np.zeros((height, width, CHANNELS))
        start = 0
        for number, (group, size) in enumerate(zip(self._groups, GROUPS, strict=True)):
            channels = slice(start, start + size)
            shared = _product(features.reshape(height * width, -1), group.hyper) + group.hyper_bias
            shared = shared.reshape(height, width, -1)
            if group.before is not None:
                read = _convolve(_with_zeros(_signs_and_sizes(known[..., :start])), group.before, _SQUARE)
                shared += read * 2**FRACTION
            shared = _narrow(shared) + _parabola(group.quality, level)
            when = phase(height, width, number)[0, 0].numpy().ravel()
            for later in passes(number):
                positions = np.flatnonzero(when == later)
                if len(positions) == 0:
                    continue
                expected = _narrow(direct, WEIGHT_BITS - FRACTION) if number == 0 else np.zeros((height, width, size))
                first = later == passes(number)[0]
                # Symbols that are not coded yet are zeros in `known`; what is expected of them must not count either.
                coded = (when < later).reshape(height, width, 1)
                mean, log_scale = group.predict(
                    shared, known[..., channels], expected, None if first else (later, coded), positions
                )
                flat = known.reshape(height * width, CHANNELS)
                whole, offset, scale = _table_of(mean, log_scale)
                group_of = SymbolGroup(LATENTS, channels, positions, whole, offset, scale, scale > SKIP_SCALE)
                flat[positions, channels] = code(group_of)
            start += size
        return _layer(hyper), _layer(known)

    def _walk_hyper(self, level: int, height: int, width: int, code: Code) -> Plane:
        mean = np.broadcast_to(_parabola(self._hyper_mean, level), (height * width, HYPER_CHANNELS))
        log_scale = np.broadcast_to(_parabola(self._hyper_scale, level), (height * width, HYPER_CHANNELS))
        whole, offset, scale = _table_of(mean, log_scale)
        # Hyper-latents are always sent: every latent hangs on them.
        scale = np.maximum(scale, SKIP_SCALE + 1)
        channels, positions = slice(0, HYPER_CHANNELS), np.arange(height * width)
        symbols = code(SymbolGroup(HYPER, channels, positions, whole, offset, scale))
        return symbols.reshape(height, width, HYPER_CHANNELS).astype(np.float64)

    def _features(self, hyper: Float64[np.ndarray, "i j z"], level: int) -> Float64[np.ndarray, "h w f"]:
        """From padded hyper-latents, features at the latents' resolution, FRACTION fractional bits."""
        x = _convolve(hyper, self._first, _SQUARE)
        x = _shuffle(_narrow(x, WEIGHT_BITS - FRACTION) + self._first_bias)
        x = _rectify(x + _parabola(self._quality, level))
        x = _convolve(_extended(x), self._second, _SQUARE) + self._second_bias
        return _rectify(_shuffle(_narrow(x)))


def _depthwise(
    padded: Float64[np.ndarray, "i j c"], weights: Float64[np.ndarray, "taps c"]
) -> Float64[np.ndarray, "i-2 j-2 c"]:
    height, width = padded.shape[0] - 2, padded.shape[1] - 2
    total = np.zeros((height, width, padded.shape[2]))
    for (dy, dx), weight in zip(_RING, weights, strict=True):
        total += padded[dy : dy + height, dx : dx + width] * weight
    return total


def _parabola(coefficients: Float64[np.ndarray, "c 3"], level: int) -> Float64[np.ndarray, " c"]:
    """a + b·t + c·t² at t = level / (LEVELS - 1), rounded down, FRACTION fractional bits."""
    last = LEVELS - 1
    a, b, c = coefficients.T
    return np.asarray(np.floor((a * last**2 + b * (last * level) + c * level**2) / last**2))


def _table_of(
    mean: Values, log_scale: Values
) -> tuple[Int64[np.ndarray, "*n"], Int64[np.ndarray, "*n"], Int64[np.ndarray, "*n"]]:
    """Integer part of the mean, its offset, and the index of the scale."""
    return *mean_and_offset(mean.astype(np.int64), LARGEST_MEAN), scale_index(log_scale.astype(np.int64))


def _layer(values: Plane) -> Layer:
    return np.ascontiguousarray(values.transpose(2, 0, 1)).astype(np.int64)


class HyperpriorModel:
    """`IntegerHyperprior` at work on the latents of one image, as an `EntropyModel`: hyper-latents, then latents.

    Args:
        level: quality, 0 … LEVELS - 1.
        height, width: of the latents.
    """

    exact = True

    def __init__(self, prior: IntegerHyperprior, level: int, height: int, width: int) -> None:
        self._prior, self._of, self.tables = prior, (level, height, width), prior.tables

    def walk(self, code: Code, known: Sequence[Layer] | None = None) -> tuple[Layer, ...]:  # noqa: ARG002
        """Visit the hyper-latents, then each half of each group of channels."""
        with one_thread():
            return self._prior.walk(*self._of, code)


def _check_exact(tensors: Mapping[str, np.ndarray]) -> None:
    """Raises ValueError where a sum could leave the whole numbers that float64 holds."""
    largest = ACTIVATION_CLIP * 2**FRACTION
    for name, value in tensors.items():
        if value.ndim == 4:
            fan = float(np.abs(value.astype(np.float64)).sum(axis=(1, 2, 3)).max())
            # Sums of symbols are brought to the scale of activations before they are added.
            scale = (
                LINEAR_CLIP * 2**FRACTION if name.split(".")[-2] in {"before", "near", "linear", "first"} else largest
            )
            if fan * scale >= EXACT / 4:
                raise ValueError(f"weights {name} sum to {fan:.3g}, too large for exact sums")
