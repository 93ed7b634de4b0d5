"""Symbols of the transform codec to bytes and back, under `HyperpriorModel`.

Where the prior predicts hyper-latents from each other, escapes are inline (`entropy_coding`); older files have neither.
The encoder rounds while it walks: of the two whole numbers around a latent it takes the one with the smaller
rate-distortion cost under the table that will code it (as rate-distortion optimised quantisation in video coders).
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Int, Int64

from vitiq.codecs import entropy_coding
from vitiq.codecs.entropy_coding import MAX_SYMBOL, Layer, SymbolGroup, rounded_mean
from vitiq.codecs.transform.hyperprior import LEADING
from vitiq.codecs.transform.hyperprior_integer import HYPER, SKIP_SCALE, HyperpriorModel, IntegerHyperprior

Reals = Float[np.ndarray, "c h w"]
Symbols = Int[np.ndarray, "c h w"]


def encode_groups(
    scaled: Reals,
    hyper: Int[np.ndarray, "z i j"],
    prior: IntegerHyperprior,
    level: int,
    rdo_weights: Float[np.ndarray, " c"],
    *,
    context: bool = True,
    leading_sent: bool = False,
) -> tuple[bytes, Symbols]:
    """Code latents.

    Args:
        scaled: latents times their gains.
        hyper: rounded hyper-latents.
        level: quality, -48 … 63.
        rdo_weights: bits that a squared error of 1 is worth in each channel, in symbols.
        context: whether the prior's context of hyper-latents is used and escapes are inline, as in `decode_groups`.
        leading_sent: whether all symbols of the leading channels are sent. Where they are not, those that the prior
            is sure of are what it expects, however wrong it is: of smooth images a bright or dark patch now and then.

    Returns:
        The bytes, and the symbols that they decode to.
    """
    model = HyperpriorModel(prior, level, *scaled.shape[1:], context=context, leading_sent=leading_sent)
    costs = bits_of(model.tables)
    flat = scaled.reshape(len(scaled), -1)

    def choose(group: SymbolGroup) -> Int64[np.ndarray, "n c"]:
        if group.layer == HYPER:
            return _of_group(hyper, group)
        wanted = flat[group.channels][:, group.positions].T.astype(np.float64)
        sent = np.ones(wanted.shape, dtype=bool) if group.sent is None else group.sent
        values = group.mean.copy()
        rows = (group.scale[sent], group.offset[sent])
        weights = np.broadcast_to(rdo_weights[group.channels], wanted.shape)[sent]
        values[sent], _ = cheapest(wanted[sent], group.mean[sent], costs, rows, weights)
        return values

    data, (_, symbols) = entropy_coding.encode(model, choose, inline=context)
    return data, symbols


def leading_pays(
    scaled: Reals,
    hyper: Int[np.ndarray, "z i j"],
    prior: IntegerHyperprior,
    level: int,
    rdo_weights: Float[np.ndarray, " c"],
) -> bool:
    """Whether all symbols of the leading channels cost fewer bits than the errors without them (`leading_sent`).

    Takes what `encode_groups` takes; a trial that ends after the leading channels, a small part of its work.
    """
    model = HyperpriorModel(prior, level, *scaled.shape[1:], leading_sent=True)
    costs, leading, saved = bits_of(model.tables), scaled[:LEADING].reshape(LEADING, -1), 0.0

    def choose(group: SymbolGroup) -> Int64[np.ndarray, "n c"]:
        nonlocal saved
        if group.layer == HYPER:
            return _of_group(hyper, group)
        wanted = leading[:, group.positions].T.astype(np.float64)
        weights = np.broadcast_to(rdo_weights[group.channels], wanted.shape)
        values, cost = cheapest(wanted, group.mean, costs, (group.scale, group.offset), weights)
        expected = weights * (rounded_mean(group, costs.shape[1]) - wanted) ** 2
        saved += float((expected - cost)[group.scale <= SKIP_SCALE].sum())
        return values

    model.walk_leading(choose)
    return saved > 0


def bits_of(tables: Int64[np.ndarray, "scales offsets symbols"]) -> Float[np.ndarray, "scales offsets symbols"]:
    """Bits of each symbol of each table."""
    return np.asarray(-np.log2(tables / float(tables[0, 0].sum())))


def _of_group(symbols: Int[np.ndarray, "c h w"], group: SymbolGroup) -> Int64[np.ndarray, "n c"]:
    """Symbols of all channels of a layer at a group's positions."""
    return np.asarray(symbols.reshape(len(symbols), -1).T[group.positions], dtype=np.int64)


def cheapest(
    wanted: Float[np.ndarray, "*n"],
    mean: Int64[np.ndarray, "*n"],
    costs: Float[np.ndarray, "scales offsets symbols"],
    rows: tuple[np.ndarray, np.ndarray],
    weights: Float[np.ndarray, "*n"],
) -> tuple[Int64[np.ndarray, "*n"], Float[np.ndarray, "*n"]]:
    """Of the whole numbers around each latent, the one of least bits + weight · error², and that."""
    escape = costs.shape[-1] - 1
    reach = (escape - 1) // 2
    low = np.clip(np.floor(wanted), -MAX_SYMBOL, MAX_SYMBOL - 1).astype(np.int64)
    best: np.ndarray = low
    least: np.ndarray = np.full(wanted.shape, math.inf)
    for candidate in (low, low + 1):
        index = np.clip(candidate - mean + reach, -1, escape)
        cost = costs[(*rows, np.where(index < 0, escape, index))] + weights * (candidate - wanted) ** 2
        best, least = np.where(cost < least, candidate, best), np.minimum(cost, least)
    return best, least


def decode_groups(
    data: bytes,
    height: int,
    width: int,
    prior: IntegerHyperprior,
    level: int,
    *,
    context: bool = True,
    leading_sent: bool = False,
) -> tuple[Layer, Layer]:
    """Inverse of `encode_groups`: hyper-latents' and latents' symbols, for latents of height×width.

    Raises:
        BitstreamError: the bytes are damaged.
    """
    model = HyperpriorModel(prior, level, height, width, context=context, leading_sent=leading_sent)
    hyper, symbols = entropy_coding.decode(data, model, inline=context)
    return hyper, symbols
