"""Coding of symbols under an entropy model: escapes, groups and the range coder, once for every codec.

An entropy model visits all symbols in coding order (`walk`) and says for each group which table codes which symbol;
encoder and decoder share the walk, so they cannot part. It must be exact: whole-number arithmetic, the same on any
machine.

Layout: length of the escapes, escapes (Elias omega), symbols. The length has 1 byte below 128, 2 with the top bit set
below 32767, else 0xFFFF and 4 bytes. Or, `inline`, nothing but symbols: the bits of escapes follow the symbols of
their row of positions (of their group, where it names no rows) in the same range-coded stream, a bit a symbol of a
table with two equal halves. So the bytes do not hang on how many rows come in a group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
from jaxtyping import Bool, Int, Int64

from vitiq.bitstream.bits import BitReader, Bits, BitWriter
from vitiq.bitstream.elias import read_omega, write_omega
from vitiq.bitstream.range_coder import SymbolDecoder, SymbolEncoder
from vitiq.errors import BitstreamError

MAX_SYMBOL = 2**15 - 1
BATCH = 2**15
"""Symbols whose tables are in memory at once."""

SHORT, MEDIUM = 2**7, 2**15 - 1
"""Lengths of escapes below these have 1 and 2 bytes."""

BIT = np.array([[2**15, 2**15]], dtype=np.int64)
"""Table of one bit of an inline escape."""

LONG = b"\xff\xff"
"""Stands before a length of 4 bytes."""

Layer: TypeAlias = Int[np.ndarray, "_ _ _"]
"""Symbols of one latent layer, channels × height × width."""


class SymbolGroup(NamedTuple):
    """Symbols that are coded together: n positions × c channels, position by position.

    Attributes:
        layer: number of the layer they belong to.
        channels: which of its channels.
        positions: which positions of its flattened grid.
        mean, offset, scale: integer part of the mean, and the indices of the table: `tables[scale, offset]`.
        sent: which are coded; the others are their rounded means. None for all.
        width: of the grid, where positions come in whole rows; None where they do not.
    """

    layer: int
    channels: slice
    positions: Int64[np.ndarray, " n"]
    mean: Int64[np.ndarray, "n c"]
    offset: Int64[np.ndarray, "n c"]
    scale: Int64[np.ndarray, "n c"]
    sent: Bool[np.ndarray, "n c"] | None = None
    width: int | None = None


Values: TypeAlias = Int64[np.ndarray, "n c"]
Code: TypeAlias = Callable[[SymbolGroup], Values]
"""Codes or decodes the symbols of a group, and returns them."""


class EntropyModel(Protocol):
    """Which table codes which symbol of one image.

    Attributes:
        tables: frequencies of the symbols -r … r around the integer part of the mean, then of one escape; each row
            sums to 2**16, every entry is at least 1. Scales × offsets × (2r + 2).
        exact: True where the walk is whole-number arithmetic only; others are refused.
    """

    @property
    def tables(self) -> Int64[np.ndarray, "scales offsets symbols"]:
        """As stated above."""

    @property
    def exact(self) -> bool:
        """As stated above."""

    def walk(self, code: Code, known: Sequence[Layer] | None = None) -> tuple[Layer, ...]:
        """Visit all symbols in coding order.

        Args:
            code: called for each group, with what it needs to know from the groups before.
            known: all symbols, where the encoder has them already: a model may then make fewer, larger groups, as long
                as their symbols come in the same order.

        Returns:
            All symbols, a layer each.
        """


def encode(
    model: EntropyModel, choose: Code, known: Sequence[Layer] | None = None, *, inline: bool = False
) -> tuple[bytes, tuple[Layer, ...]]:
    """Code the symbols that `choose` gives for each group; those that are not sent may be anything.

    Args:
        inline: whether escapes follow the symbols of their row.

    Returns:
        The bytes, and the symbols that they decode to.

    Raises:
        ValueError: the model is not exact.
    """
    if not model.exact:
        raise ValueError(f"entropy model {type(model).__name__} is not exact; a decoder could not follow it")
    encoder, escapes, tables = SymbolEncoder(), BitWriter(), model.tables
    escape = tables.shape[-1] - 1
    reach = (escape - 1) // 2

    def code(group: SymbolGroup) -> Values:
        values, sent = choose(group), _sent(group)
        index = values - group.mean + reach
        outside = ((index < 0) | (index >= escape)) & sent
        index[outside] = escape
        rows = _rows(group, inline=inline)
        for row in _joined(rows, [outside[row].any() for row in rows]):
            for value in values[row][outside[row]].tolist():
                write_escape(escapes, value)
            coded = sent[row]
            symbols, scale, offset = index[row][coded], group.scale[row][coded], group.offset[row][coded]
            for part in _batches(len(symbols)):
                encoder.encode(symbols[part], tables[scale[part], offset[part]])
            if inline:
                bits = escapes.take()
                encoder.encode(bits, np.repeat(BIT, len(bits), axis=0))
        return values if group.sent is None else np.where(sent, values, rounded_mean(group, tables.shape[1]))

    layers = model.walk(code, known)
    return encoder.finish() if inline else join_escapes(escapes, encoder.finish()), layers


class _InlineBits:
    """Reads the bits of escapes from the stream of symbols."""

    def __init__(self, decoder: SymbolDecoder) -> None:
        self._decoder = decoder

    def read(self, count: int = 1) -> str:
        """The next `count` bits as '0' and '1'."""
        return "".join(map(str, self._decoder.decode(np.repeat(BIT, count, axis=0)).tolist()))


def decode(data: bytes, model: EntropyModel, *, inline: bool = False) -> tuple[Layer, ...]:
    """Inverse of `encode`.

    Raises:
        BitstreamError: the bytes are damaged.
    """
    escaped, stream = (b"", data) if inline else split_escapes(data)
    decoder, tables = SymbolDecoder(stream), model.tables
    reader = _InlineBits(decoder) if inline else BitReader(escaped)
    escape = tables.shape[-1] - 1
    reach = (escape - 1) // 2

    def code(group: SymbolGroup) -> Values:
        sent = _sent(group)
        values = rounded_mean(group, tables.shape[1])
        for row in _rows(group, inline=inline):
            coded = sent[row]
            scale, offset = group.scale[row][coded], group.offset[row][coded]
            read = [decoder.decode(tables[scale[part], offset[part]]) for part in _batches(len(scale))]
            index = np.concatenate([*read, np.empty(0, dtype=np.int64)])
            found = index - reach + group.mean[row][coded]
            for at in np.flatnonzero(index == escape):
                found[at] = read_escape(reader)
            values[row][coded] = found
        return values

    return model.walk(code)


def _rows(group: SymbolGroup, *, inline: bool) -> list[slice]:
    """The parts of a group that escapes follow: rows of the grid, or all of it."""
    count = len(group.positions)
    if not inline or group.width is None:
        return [slice(0, count)]
    ends = np.flatnonzero(np.diff(group.positions // group.width)) + 1
    return [slice(start, end) for start, end in pairwise([0, *ends.tolist(), count])]


def _joined(rows: list[slice], followed: list[bool]) -> Iterator[slice]:
    """Rows with those before them that nothing follows, so that few calls code many."""
    start = 0
    for row, ends in zip(rows, followed, strict=True):
        if ends or row is rows[-1]:
            yield slice(start, row.stop)
            start = row.stop


def _batches(count: int) -> Iterator[slice]:
    """Parts of `count` symbols, BATCH each."""
    return (slice(start, start + BATCH) for start in range(0, count, BATCH))


def rounded_mean(group: SymbolGroup, offsets: int) -> Values:
    """What stands for symbols that are not sent."""
    return np.asarray(group.mean + (group.offset >= offsets // 2))


def _sent(group: SymbolGroup) -> Bool[np.ndarray, "n c"]:
    return np.ones(group.mean.shape, dtype=bool) if group.sent is None else group.sent


def write_escape(escapes: BitWriter, value: int) -> None:
    """Append a symbol that its table does not cover."""
    write_omega(escapes, 2 * value + 1 if value >= 0 else -2 * value)


def read_escape(reader: Bits) -> int:
    """Inverse of `write_escape`.

    Raises:
        BitstreamError: the bytes are damaged.
    """
    number = read_omega(reader)
    value = number // 2 if number % 2 else -(number // 2)
    if abs(value) > MAX_SYMBOL:
        raise BitstreamError(f"symbol {value} given, at most ±{MAX_SYMBOL} expected; the file is damaged")
    return value


def join_escapes(escapes: BitWriter, stream: bytes) -> bytes:
    """Length of the escapes, escapes, range-coded symbols.

    Example:
        >>> join_escapes(BitWriter(), b"ab")
        b'\\x00ab'
    """
    return joined(escapes.to_bytes(), stream)


def joined(part: bytes, rest: bytes) -> bytes:
    """Length of a part, the part, and what follows it; inverse of `split_escapes`."""
    return _length(len(part)) + part + rest


def _length(count: int) -> bytes:
    if count < SHORT:
        return bytes([count])
    if count < MEDIUM:
        return (0x8000 | count).to_bytes(2, "big")
    return LONG + count.to_bytes(4, "big")


def split_escapes(data: bytes, what: str = "escaped symbols") -> tuple[bytes, bytes]:
    """Inverse of `join_escapes`: escapes and range-coded symbols.

    Args:
        what: the first part is, in an error.

    Raises:
        BitstreamError: the bytes are damaged.
    """
    if not data:
        raise BitstreamError("latents are empty; the file is damaged")
    if data[:2] == LONG:
        start, length = 6, int.from_bytes(data[2:6], "big")
    elif data[0] >= SHORT:
        start, length = 2, int.from_bytes(data[:2], "big") & 0x7FFF
    else:
        start, length = 1, data[0]
    if start + length > len(data):
        raise BitstreamError(f"{length} bytes of {what} expected, {len(data) - start} left; it is damaged")
    return data[start : start + length], data[start + length :]
