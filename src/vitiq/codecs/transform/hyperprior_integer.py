"""The hyperprior that coding uses: whole numbers only, so that encoder and decoder agree on any machine.

Weights of `hyperprior.py` are rounded once, at export, to WEIGHT_BITS fractional bits, biases and activations to
FRACTION. Sums are carried out by float64 matrix products, which are fast everywhere and exact here: every
product and every partial sum is a whole number below 2**53, whatever the order of addition; this is checked
when the weights are loaded. So large grids can be worked on in strips, on several threads, without a difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int, Int16, Int64

from vitiq.codecs.entropy_coding import Code, Layer, SymbolGroup
from vitiq.codecs.logistic import FRACTION, frequency_tables, mean_and_offset, read_tables, scale_index
from vitiq.codecs.transform.hyper_context import ACTIVATION_CLIP, HYPER_CLIP
from vitiq.codecs.transform.hyper_context_integer import PREFIX, IntegerHyperContext, fraction_bits
from vitiq.codecs.transform.hyperprior import (
    CLIP,
    GROUPS,
    HYPER_CHANNELS,
    HYPER_STRIDE,
    LEADING,
    LINEAR_CLIP,
    passes,
    phase,
)
from vitiq.codecs.transform.networks.block_dct import CHANNELS
from vitiq.codecs.transform.whole_numbers import (
    EXACT,
    RING,
    SQUARE,
    WEIGHT_BITS,
    Neighbours,
    Plane,
    Values,
    around,
    convolve,
    narrow,
    parabola,
    product,
    shuffle,
    taps,
    wide,
)
from vitiq.models.strips import in_order, strips

LEVELS = 64
"""Qualities 0 … 63 that are trained; t = level / 63. Below 0 the parabolas in t continue."""

LARGEST_MEAN = 2**13
SKIP_SCALE = 3
"""A symbol whose scale has this index or a lower one (0.07 symbols) is not coded: it is the rounded mean."""

HYPER, LATENTS = 0, 1
"""Layers, in their coding order."""

STRIP = 2**12
"""Latent positions of a strip or tile, one megapixel: it bounds the memory of large images."""

Whole = Int[np.ndarray, "_ _ _"]
"""Whole numbers on a grid: height × width × channels."""


def _bits(name: str, dimensions: int) -> int:
    """Fractional bits of a tensor."""
    if name.startswith(PREFIX):
        return fraction_bits(name)
    return WEIGHT_BITS if dimensions == 4 else FRACTION


def export_hyperprior(prior: Any) -> dict[str, np.ndarray]:
    """Integer tensors of a trained `Hyperprior` (all but its analysis), and the frequency tables."""
    own = {name: value for name, value in prior.state_dict().items() if not name.startswith("analysis.")}
    return {"tables": frequency_tables().astype(np.int32), **export_tensors(own)}


def export_tensors(values: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Whole numbers of torch tensors of a `Hyperprior`, by their names in it."""
    tensors = {}
    for name, value in values.items():
        rounded = np.rint(value.detach().cpu().double().numpy() * 2 ** _bits(name, value.ndim)).astype(np.int64)
        tensors[name] = rounded.astype(np.int16 if np.abs(rounded).max(initial=0) < 2**15 else np.int32)
    return tensors


def float_tensors(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The float prior's tensors that the integer ones stand for, for training and refinement."""
    floats = {}
    for name, value in tensors.items():
        if name != "tables":
            bits = _bits(name, value.ndim)
            floats[name] = (value.astype(np.float64) / 2**bits).astype(np.float32)
    return floats


def _rectify(x: Values) -> Values:
    return np.asarray(np.clip(x, 0, ACTIVATION_CLIP * 2**FRACTION))


def _signs_and_sizes(symbols: Plane) -> Float64[np.ndarray, "h w 2*c"]:
    clipped = np.clip(symbols, -CLIP, CLIP)
    return np.concatenate([clipped, np.abs(clipped)], axis=-1)


class _Coded(NamedTuple):
    """What earlier passes coded of a group.

    Attributes:
        number: of this pass.
        when: pass of each position, h×w×1.
        symbols: of the group.
        hinted: what the hyper-latents alone predict of them, FRACTION fractional bits; None for nothing.
    """

    number: int
    when: Whole
    symbols: Whole
    hinted: Float64[np.ndarray, "_ _ _"] | None


class _Group:
    """Integer weights of one group."""

    def __init__(self, tensors: Mapping[str, np.ndarray], prefix: str) -> None:
        def matrix(name: str) -> Float64[np.ndarray, "i o"]:
            return np.ascontiguousarray(tensors[prefix + name][:, :, 0, 0].T.astype(np.float64))

        self.hyper, self.hyper_bias = matrix("hyper.weight"), wide(tensors[prefix + "hyper.bias"])
        before = tensors.get(prefix + "before.weight")
        self.before = None if before is None else taps(before, SQUARE)
        self.near = taps(tensors[prefix + "near.weight"], RING)
        linear = tensors[prefix + "linear.weight"]
        self.linear = np.stack([linear[:, 0, dy, dx] for dy, dx in RING]).astype(np.float64)
        self.later = tensors[prefix + "later"].astype(np.float64)
        self.quality = tensors[prefix + "quality.weight"].astype(np.float64)
        self.hidden, self.hidden_bias = matrix("hidden.weight"), wide(tensors[prefix + "hidden.bias"])
        self.out, self.out_bias = matrix("out.weight"), wide(tensors[prefix + "out.bias"])

    def shared(self, features: np.ndarray, before: Whole, rows: slice, level: int) -> Plane:
        """What all passes read, of a strip; as `GroupPrior.shared`."""
        height, width = rows.stop - rows.start, features.shape[1]
        found = product(features[rows].reshape(height * width, -1).astype(np.float64), self.hyper) + self.hyper_bias
        found = found.reshape(height, width, -1)
        if self.before is not None:
            read = convolve(_signs_and_sizes(around(before, rows, "zeros")), self.before, SQUARE)
            found += read * 2**FRACTION
        return np.asarray(narrow(found) + parabola(self.quality, level, LEVELS - 1))

    def predict(
        self,
        shared: Float64[np.ndarray, "h w k"],
        hinted: Float64[np.ndarray, "h w c"] | None,
        coded: _Coded | None,
        rows: slice,
        positions: Int64[np.ndarray, " n"],
    ) -> tuple[Float64[np.ndarray, "n c"], Float64[np.ndarray, "n c"]]:
        """Mean and log-scale at some positions of a strip, FRACTION fractional bits; as `GroupPrior.predict`.

        Args:
            shared, hinted: of the strip.
            coded: None in the first pass.
            positions: counted in the strip.
        """
        x = shared.reshape(-1, shared.shape[2])[positions]
        linear: Float64[np.ndarray, "n c"] | float = 0.0
        if coded is not None:
            done = (around(coded.when, rows, "mirror") < coded.number).astype(np.float64)
            own = around(coded.symbols, rows, "mirror")
            around_them = Neighbours(done, positions)
            near = around_them.convolve(_signs_and_sizes(own), self.near)
            x = x + narrow(near, WEIGHT_BITS - FRACTION) + self.later[coded.number - 1]
            limit = LINEAR_CLIP * 2**FRACTION
            expected = 0.0 if coded.hinted is None else around(coded.hinted, rows, "mirror")
            left = np.clip(own * 2**FRACTION - expected, -limit, limit)
            linear = narrow(around_them.depthwise(left, self.linear))
        x = _rectify(narrow(product(_rectify(x), self.hidden) + self.hidden_bias))
        mean, log_scale = np.split(narrow(product(x, self.out) + self.out_bias), 2, axis=1)
        if hinted is not None:
            mean = mean + hinted.reshape(-1, hinted.shape[2])[positions]
        return mean + linear, log_scale


class _Grids(NamedTuple):
    """What a group is coded from.

    Attributes:
        features: of the hyper-latents, FRACTION fractional bits.
        hinted: what the hyper-latents alone predict of the group; None for nothing.
        known: symbols of all groups, of those that come later zeros.
        everywhere: whether all symbols are sent, not only those that the prior is unsure of.
    """

    features: Float32[np.ndarray, "_ _ _"]
    hinted: Float64[np.ndarray, "_ _ _"] | None
    known: Int16[np.ndarray, "_ _ _"]
    everywhere: bool


class IntegerHyperprior:
    """The exact twin of `Hyperprior`, with its frequency tables.

    Args:
        tensors: integer tensors as `export_hyperprior` names them.

    Attributes:
        tables: frequencies as in `IntegerPrior`.
        context: what predicts hyper-latents from each other; None for weights without.

    Raises:
        ValueError: the tensors do not fit, or could make sums that float64 does not hold exactly.
    """

    def __init__(self, tensors: Mapping[str, np.ndarray]) -> None:
        self.tables = read_tables(tensors["tables"])
        _check_exact(tensors)
        self._hyper_mean = tensors["hyper_mean.weight"].astype(np.float64)
        self._hyper_scale = tensors["hyper_log_scale.weight"].astype(np.float64)
        self._direct = taps(tensors["synthesis.direct.weight"], SQUARE)
        self._first = taps(tensors["synthesis.first.weight"], SQUARE)
        self._first_bias = tensors["synthesis.first.bias"].astype(np.float64)
        self._second = taps(tensors["synthesis.second.weight"], SQUARE)
        self._second_bias = wide(tensors["synthesis.second.bias"])
        self._quality = tensors["synthesis.quality.weight"].astype(np.float64)
        self._groups = [_Group(tensors, f"groups.{k}.") for k in range(len(GROUPS))]
        self.context = IntegerHyperContext(tensors) if any(name.startswith(PREFIX) for name in tensors) else None

    def walk(
        self,
        level: int,
        height: int,
        width: int,
        code: Code,
        *,
        context: bool = True,
        leading_sent: bool = False,
        groups: int = len(GROUPS),
    ) -> tuple[Layer, Layer]:
        """Symbols of the hyper-latents and of the latents of height×width; see `HyperpriorModel`."""
        size = -(-height // HYPER_STRIDE), -(-width // HYPER_STRIDE)
        hyper = self._walk_hyper(level, *size, code, self.context if context else None)
        clipped = np.clip(hyper, -HYPER_CLIP, HYPER_CLIP)
        features = self._features(clipped, level)[:height, :width]
        leading = convolve(around(clipped[..., :LEADING], slice(0, len(clipped)), "repeat"), self._direct, SQUARE)
        hinted = narrow(shuffle(leading, HYPER_STRIDE)[:height, :width], WEIGHT_BITS - FRACTION)
        known = np.zeros((height, width, CHANNELS), dtype=np.int16)
        for number in range(groups):
            everywhere = leading_sent and number == 0
            self._walk_group(number, level, _Grids(features, hinted if number == 0 else None, known, everywhere), code)
        # A view: symbols of a large image are not copied.
        return _layer(hyper.astype(np.int32)), _layer(known)

    def _walk_group(self, number: int, level: int, grids: _Grids, code: Code) -> None:
        """Code one group, and write its symbols into the grid of those that are known."""
        features, hinted, known, everywhere = grids
        height, width, _ = known.shape
        channels = slice(sum(GROUPS[:number]), sum(GROUPS[: number + 1]))
        group, parts = self._groups[number], strips(height, width, STRIP)
        before, own = known[..., : channels.start], known[..., channels]
        shared = list(in_order(lambda rows: _smaller(group.shared(features, before, rows, level)), parts))
        when = phase(height, width, number)[0, 0, :, :, None].numpy().astype(np.int64)

        def predicted(job: tuple[int, int]) -> SymbolGroup | None:
            later, strip = job
            rows = parts[strip]
            positions = np.flatnonzero(when[rows] == later)
            if len(positions) == 0:
                return None
            # Symbols that are not coded yet may be written by now: what `when` says of them leaves them out.
            coded = None if later == passes(number)[0] else _Coded(later, when, own, hinted)
            mean, log_scale = group.predict(
                shared[strip].astype(np.float64), None if hinted is None else hinted[rows], coded, rows, positions
            )
            whole, offset, scale = _table_of(mean, log_scale)
            at = positions + rows.start * width
            sent = None if everywhere else scale > SKIP_SCALE
            return SymbolGroup(LATENTS, channels, at, whole, offset, scale, sent, width)

        flat = known.reshape(height * width, CHANNELS)
        for later in passes(number):
            for found in in_order(predicted, [(later, strip) for strip in range(len(parts))]):
                if found is not None:
                    flat[found.positions, channels] = code(found)

    def _walk_hyper(
        self, level: int, height: int, width: int, code: Code, context: IntegerHyperContext | None
    ) -> Plane:
        last, channels = LEVELS - 1, slice(0, HYPER_CHANNELS)
        mean, log_scale = parabola(self._hyper_mean, level, last), parabola(self._hyper_scale, level, last)
        symbols = np.zeros((height * width, HYPER_CHANNELS), dtype=np.int64)
        everywhere = np.zeros((height * width, HYPER_CHANNELS))
        parts = (
            iter([(np.arange(height * width), everywhere, everywhere)])
            if context is None
            else context.walk(symbols, mean, (height, width), level, last)
        )
        for positions, shift, wider in parts:
            whole, offset, scale = _table_of(mean + shift, log_scale + wider)
            # Hyper-latents are always sent: every latent hangs on them.
            scale = np.maximum(scale, SKIP_SCALE + 1)
            symbols[positions] = code(SymbolGroup(HYPER, channels, positions, whole, offset, scale))
        return symbols.reshape(height, width, HYPER_CHANNELS).astype(np.float64)

    def _features(self, hyper: Float64[np.ndarray, "i j z"], level: int) -> Float32[np.ndarray, "h w f"]:
        """Features at the latents' resolution, FRACTION fractional bits; below 2**24, so exact in half the memory."""
        x = convolve(around(hyper, slice(0, len(hyper)), "repeat"), self._first, SQUARE)
        x = shuffle(narrow(x, WEIGHT_BITS - FRACTION) + self._first_bias)
        x = _rectify(x + parabola(self._quality, level, LEVELS - 1))

        def second(rows: slice) -> Float32[np.ndarray, "rows w f"]:
            found = convolve(around(x, rows, "repeat"), self._second, SQUARE) + self._second_bias
            return _rectify(shuffle(narrow(found))).astype(np.float32)

        return np.concatenate(list(in_order(second, strips(len(x), x.shape[1], STRIP // 4))))


def _smaller(x: Plane) -> np.ndarray:
    """Whole numbers in half the memory, where they fit."""
    return x.astype(np.int32) if np.abs(x).max(initial=0) < 2**31 else x


def _table_of(
    mean: Values, log_scale: Values
) -> tuple[Int64[np.ndarray, "*n"], Int64[np.ndarray, "*n"], Int64[np.ndarray, "*n"]]:
    """Integer part of the mean, its offset, and the index of the scale."""
    return *mean_and_offset(mean.astype(np.int64), LARGEST_MEAN), scale_index(log_scale.astype(np.int64))


def _layer(values: np.ndarray) -> Layer:
    return values.transpose(2, 0, 1)


class HyperpriorModel:
    """`IntegerHyperprior` at work on the latents of one image, as an `EntropyModel`: hyper-latents, then latents.

    Args:
        level: quality, at most LEVELS - 1.
        height, width: of the latents.
        context: whether hyper-latents are predicted from each other, where the prior can.
        leading_sent: whether all symbols of the leading channels are sent, also where the prior is sure of them.
    """

    exact = True

    def __init__(
        self,
        prior: IntegerHyperprior,
        level: int,
        height: int,
        width: int,
        *,
        context: bool = True,
        leading_sent: bool = False,
    ) -> None:
        self._prior, self._of, self.tables = prior, (level, height, width), prior.tables
        self._context, self._leading_sent = context, leading_sent

    def walk(self, code: Code, known: Sequence[Layer] | None = None) -> tuple[Layer, ...]:  # noqa: ARG002
        """Visit the hyper-latents, then each half of each group of channels."""
        return self._walk(code, len(GROUPS))

    def walk_leading(self, code: Code) -> None:
        """Visit the hyper-latents and the leading channels alone."""
        self._walk(code, 1)

    def _walk(self, code: Code, groups: int) -> tuple[Layer, Layer]:
        return self._prior.walk(*self._of, code, context=self._context, leading_sent=self._leading_sent, groups=groups)


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
