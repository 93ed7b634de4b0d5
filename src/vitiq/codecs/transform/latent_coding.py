"""Symbols of the generative codec to bytes and back, in the order of `IntegerHyperprior.walk`.

The encoder rounds while it walks: of the two whole numbers around a latent it takes the one with the smaller
rate-distortion cost under the table that will code it (as rate-distortion optimised quantisation in video coders).

Layout: as `latent_coding`: length of the escapes, escapes (Elias omega), range-coded symbols.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Int64

from vitiq.bitstream.bits import BitReader, BitWriter
from vitiq.bitstream.range_coder import SymbolDecoder, SymbolEncoder
from vitiq.codecs.inversion.latent_coding import ESCAPE, join_escapes, read_escape, split_escapes, write_escape
from vitiq.codecs.inversion.prior_integer import MEANS, REACH
from vitiq.codecs.transform.hyperprior import HYPER_STRIDE
from vitiq.codecs.transform.hyperprior_integer import SKIP_RUNG, IntegerHyperprior, Slot

Reals = Float[np.ndarray, "c h w"]
Symbols = Int64[np.ndarray, "c h w"]


def encode_groups(
    scaled: Reals,
    hyper: Int64[np.ndarray, "z i j"],
    prior: IntegerHyperprior,
    level: int,
    prices: Float[np.ndarray, " c"],
) -> tuple[bytes, Symbols]:
    """Code latents.

    Args:
        scaled: latents times their gains.
        hyper: rounded hyper-latents.
        level: quality, 0 … 63.
        prices: bits that a squared error of 1 is worth in each channel, in symbols.

    Returns:
        The bytes, and the symbols that they decode to.
    """
    encoder, escapes = SymbolEncoder(), BitWriter()
    costs = -np.log2(prior.tables / float(prior.tables[0, 0].sum()))
    flat = np.ascontiguousarray(scaled.reshape(len(scaled), -1).T, dtype=np.float64)

    def write(values: np.ndarray, slot: Slot, sent: np.ndarray) -> None:
        index = values - slot.mean + REACH
        outside = (index < 0) | (index >= ESCAPE)
        for value in values[outside & sent].tolist():
            write_escape(escapes, value)
        encoder.encode(np.where(outside, ESCAPE, index)[sent], prior.tables[slot.rung[sent], slot.eighth[sent]])

    def code_hyper(slot: Slot) -> np.ndarray:
        values: np.ndarray = hyper.reshape(len(hyper), -1).T[slot.positions]
        write(values, slot, np.ones_like(values, dtype=bool))
        return values

    def code(slot: Slot) -> np.ndarray:
        wanted = flat[slot.positions, slot.channels]
        sent = slot.rung > SKIP_RUNG
        values: np.ndarray = slot.mean + (slot.eighth >= MEANS // 2)
        rows = (slot.rung[sent], slot.eighth[sent])
        price = np.broadcast_to(prices[slot.channels], wanted.shape)[sent]
        values[sent] = _cheapest(wanted[sent], slot.mean[sent], costs, rows, price)
        write(values, slot, sent)
        return values

    symbols = prior.walk(level, scaled.shape[1], scaled.shape[2], code_hyper, code)
    return join_escapes(escapes, encoder.finish()), symbols


def _cheapest(
    wanted: Float[np.ndarray, " n"],
    mean: Int64[np.ndarray, " n"],
    costs: Float[np.ndarray, "scales means symbols"],
    rows: tuple[np.ndarray, np.ndarray],
    price: Float[np.ndarray, " n"],
) -> Int64[np.ndarray, " n"]:
    """Of the whole numbers around each latent, the one of least bits + price · error²."""
    low = np.floor(wanted).astype(np.int64)
    best: np.ndarray = low
    least = np.full(len(wanted), math.inf)
    for candidate in (low, low + 1):
        index = np.clip(candidate - mean + REACH, -1, ESCAPE)
        cost = costs[(*rows, np.where(index < 0, ESCAPE, index))] + price * (candidate - wanted) ** 2
        best, least = np.where(cost < least, candidate, best), np.minimum(cost, least)
    return best


def decode_groups(
    data: bytes, height: int, width: int, prior: IntegerHyperprior, level: int
) -> tuple[Symbols, Symbols]:
    """Inverse of `encode_groups`: hyper-latents' and latents' symbols, for latents of height×width.

    Raises:
        BitstreamError: the bytes are damaged.
    """
    escapes, stream = split_escapes(data)
    reader, decoder = BitReader(escapes), SymbolDecoder(stream)
    hyper: list[np.ndarray] = []

    def read(slot: Slot, sent: np.ndarray) -> np.ndarray:
        values: np.ndarray = slot.mean + (slot.eighth >= MEANS // 2)
        if sent.any():
            index = decoder.decode(prior.tables[slot.rung[sent], slot.eighth[sent]])
            found = index - REACH + slot.mean[sent]
            for at in np.flatnonzero(index == ESCAPE):
                found[at] = read_escape(reader)
            values[sent] = found
        return values

    def code_hyper(slot: Slot) -> np.ndarray:
        hyper.append(read(slot, np.ones_like(slot.mean, dtype=bool)))
        return hyper[0]

    def code(slot: Slot) -> np.ndarray:
        return read(slot, slot.rung > SKIP_RUNG)

    symbols = prior.walk(level, height, width, code_hyper, code)
    grid = (-(-height // HYPER_STRIDE), -(-width // HYPER_STRIDE))
    return np.ascontiguousarray(hyper[0].T).reshape(-1, *grid), symbols
