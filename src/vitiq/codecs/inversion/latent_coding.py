"""Layered latent symbols to bytes and back, under the generator's integer prior.

Positions are coded row by row, coarsest layer first; all channels of a position at once, each with the table that
the prior picks from what is already coded. All of it is whole-number arithmetic, the same on any machine.

Layout: length of the escapes (1 byte below 128, else 2 with the top bit set), escapes (Elias omega), symbols.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64

from vitiq.bitstream.bits import BitReader, BitWriter
from vitiq.bitstream.elias import read_omega, write_omega
from vitiq.bitstream.range_coder import SymbolDecoder, encode_symbols
from vitiq.codecs.inversion.prior_integer import CLIP, REACH, IntegerPrior, log_step
from vitiq.errors import BitstreamError

ESCAPE = 2 * REACH + 1
MAX_SYMBOL = 2**15 - 1


def _neighbours(padded: Int64[np.ndarray, "c h2 w2"]) -> Int64[np.ndarray, "h w four_c"]:
    """Left, upper left, above, upper right of every position of a layer padded by one on each side."""
    clipped = np.clip(padded, -CLIP, CLIP)
    parts = [clipped[:, 1:-1, :-2], clipped[:, :-2, :-2], clipped[:, :-2, 1:-1], clipped[:, :-2, 2:]]
    return np.concatenate(parts, axis=0).transpose(1, 2, 0)


def encode_latents(symbols: Sequence[Int64[np.ndarray, "c h w"]], prior: IntegerPrior, step: int) -> bytes:
    """Code all layers.

    Args:
        symbols: one array a layer, coarsest first, within ±32767.
        step: number of the quantisation step, which the prior reads.
    """
    rows, coded, escapes = [], [], BitWriter()
    parent: np.ndarray | None = None
    for layer, values in zip(prior.layers, symbols, strict=True):
        channels, height, width = values.shape
        context = layer.context(parent, log_step(step), height, width)
        padded = np.pad(values, ((0, 0), (1, 1), (1, 1)))
        mean, eighth, rung = layer.predict(context, _neighbours(padded))
        index = values.transpose(1, 2, 0) - mean + REACH
        outside = (index < 0) | (index >= ESCAPE)
        for value in values.transpose(1, 2, 0)[outside].tolist():
            write_escape(escapes, value)
        coded.append(np.where(outside, ESCAPE, index).reshape(-1))
        rows.append(prior.tables[rung, eighth].reshape(channels * height * width, -1))
        parent = values
    return join_escapes(escapes, encode_symbols(np.concatenate(coded), np.concatenate(rows)))


def write_escape(escapes: BitWriter, value: int) -> None:
    """Append a symbol that its table does not cover."""
    write_omega(escapes, 2 * value + 1 if value >= 0 else -2 * value)


def join_escapes(escapes: BitWriter, stream: bytes) -> bytes:
    """Length of the escapes, escapes, range-coded symbols.

    Raises:
        ValueError: more escapes than the layout holds.
    """
    escaped = escapes.to_bytes()
    if len(escaped) > 0x7FFF:
        raise ValueError(f"{len(escaped)} bytes of escaped symbols, at most 32767 expected: the step is far too fine")
    length = bytes([len(escaped)]) if len(escaped) < 0x80 else (0x8000 | len(escaped) & 0x7FFF).to_bytes(2, "big")
    return length + escaped + stream


def decode_latents(
    data: bytes, shapes: Sequence[tuple[int, int, int]], prior: IntegerPrior, step: int
) -> list[Int64[np.ndarray, "c h w"]]:
    """Inverse of `encode_latents` for layers of the given C×H×W shapes.

    Raises:
        BitstreamError: the bytes are damaged.
    """
    escapes, stream = split_escapes(data)
    reader, decoder = BitReader(escapes), SymbolDecoder(stream)
    layers: list[Int64[np.ndarray, "c h w"]] = []
    for layer, (channels, height, width) in zip(prior.layers, shapes, strict=True):
        context = layer.context(layers[-1] if layers else None, log_step(step), height, width)
        padded = np.zeros((height + 2, width + 2, channels), dtype=np.int64)
        clipped = np.zeros_like(padded)
        for y in range(height):
            for x in range(width):
                near = (clipped[y + 1, x], clipped[y, x], clipped[y, x + 1], clipped[y, x + 2])
                mean, eighth, rung = layer.predict(context[y, x], np.concatenate(near))
                index = decoder.decode(prior.tables[rung, eighth])
                values = index - REACH + mean
                for channel in np.flatnonzero(index == ESCAPE):
                    values[channel] = read_escape(reader)
                padded[y + 1, x + 1] = values
                clipped[y + 1, x + 1] = np.clip(values, -CLIP, CLIP)
        layers.append(np.ascontiguousarray(padded[1:-1, 1:-1].transpose(2, 0, 1)))
    return layers


def split_escapes(data: bytes) -> tuple[bytes, bytes]:
    """Inverse of `join_escapes`: escapes and range-coded symbols.

    Raises:
        BitstreamError: the bytes are damaged.
    """
    if not data:
        raise BitstreamError("latents are empty; the file is damaged")
    start, length = (1, data[0]) if data[0] < 0x80 else (2, int.from_bytes(data[:2], "big") & 0x7FFF)
    if start + length > len(data):
        raise BitstreamError(f"{length} bytes of escaped symbols expected, {len(data) - start} left; it is damaged")
    return data[start : start + length], data[start + length :]


def read_escape(reader: BitReader) -> int:
    """Inverse of `write_escape`.

    Raises:
        BitstreamError: the bytes are damaged.
    """
    number = read_omega(reader)
    value = number // 2 if number % 2 else -(number // 2)
    if abs(value) > MAX_SYMBOL:
        raise BitstreamError(f"symbol {value} given, at most ±{MAX_SYMBOL} expected; the file is damaged")
    return value
