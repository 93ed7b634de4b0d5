"""Range coding.

Truth: a second decoder in whole numbers only, written below from the description of the algorithm in constriction's
paper (Bamler 2022, arXiv 2201.01741; Martin 1979): it must read what constriction wrote, symbol for
symbol. With it stands the promise that no float decides what a file holds.
"""

from __future__ import annotations

import numpy as np
import pytest

from vitiq.bitstream.cdf import TOTAL, laplace_table, normalise
from vitiq.bitstream.range_coder import SymbolDecoder, SymbolEncoder, encode_symbols
from vitiq.errors import BitstreamError

POINT = 24  # bits of constriction's fixed-point probabilities


def edges(table: list[int]) -> list[int]:
    """Fixed-point lower ends of the symbols, and the end of the last, in whole numbers only."""
    result, below = [], 0
    for index, count in enumerate(table):
        product = below * (2**POINT - len(table))  # over 2**16
        extra = max(0, product.bit_length() - 24)  # a float32 holds 24 bits: round half to even
        half, rest = 1 << extra >> 1, product & ((1 << extra) - 1)
        product >>= extra
        if rest > half or (extra and rest == half and product & 1):
            product += 1
        result.append((product << extra) // TOTAL + index)
        below += count
    return [*result, 2**POINT]


def decode_in_whole_numbers(data: bytes, tables: list[list[int]]) -> list[int]:
    def word(index: int) -> int:
        return int.from_bytes(data[4 * index : 4 * index + 4].ljust(4, b"\0"), "big")

    low, size, point, used = 0, 2**64 - 1, word(0) << 32 | word(1), 2
    symbols = []
    for table in tables:
        ends = edges(table)
        unit = size >> POINT
        at = (point - low) % 2**64 // unit
        symbol = next(index for index, end in enumerate(ends[1:]) if at < end)
        low = (low + unit * ends[symbol]) % 2**64
        size = unit * (ends[symbol + 1] - ends[symbol])
        if size < 2**32:
            low, size, point, used = (
                low << 32 & (2**64 - 1),
                size << 32,
                (point << 32 & (2**64 - 1)) | word(used),
                used + 1,
            )
        symbols.append(symbol)
    return symbols


@pytest.mark.parametrize("alphabet", [2, 3, 19, 82, 511, 3000])
def test_a_second_decoder_reads_the_same_symbols(alphabet: int) -> None:
    rng = np.random.default_rng(alphabet)
    tables = np.array([normalise(rng.integers(0, 10 ** rng.integers(1, 12), alphabet)) for _ in range(300)])
    symbols = np.array([rng.choice(alphabet, p=row / TOTAL) for row in tables])
    symbols[::7] = rng.integers(0, alphabet, symbols[::7].size)  # rare ones too
    data = encode_symbols(symbols, tables)
    assert np.array_equal(SymbolDecoder(data).decode(tables), symbols)
    assert decode_in_whole_numbers(data, tables.tolist()) == symbols.tolist()


def test_size_is_the_information_and_less_than_a_byte_more() -> None:
    rng = np.random.default_rng(0)
    for length in (1, 2, 3, 10, 100, 1000):
        table = laplace_table(12, 20)
        symbols = rng.choice(41, length, p=table / TOTAL)
        bits = -np.log2(table[symbols] / TOTAL).sum()
        coded = encode_symbols(symbols, np.broadcast_to(table, (length, 41)))
        assert len(coded) <= bits / 8 + 1


def test_no_shorter_bytes_decode_to_the_same() -> None:
    table = normalise(np.array([3, 2, 1]))
    rng = np.random.default_rng(2)
    for _ in range(200):
        symbols = rng.integers(0, 3, int(rng.integers(1, 9)))
        tables = np.broadcast_to(table, (symbols.size, 3))
        data = encode_symbols(symbols, tables)
        if data:
            shorter = (value.to_bytes(len(data) - 1, "big") for value in range(256 ** (len(data) - 1)))
            assert len(data) > 2 or not any(np.array_equal(SymbolDecoder(b).decode(tables), symbols) for b in shorter)


def test_certain_symbols_cost_nothing() -> None:
    tables = np.broadcast_to(normalise(np.array([1, 0, 0])), (10_000, 3))
    data = encode_symbols(np.zeros(10_000, np.int64), tables)
    assert data == b""
    assert not SymbolDecoder(data).decode(tables).any()


def test_no_symbols_are_no_bytes() -> None:
    empty = np.zeros(0, np.int64)
    assert encode_symbols(empty, np.zeros((0, 3), np.int64)) == b""
    assert SymbolDecoder(b"").decode(np.zeros((0, 3), np.int64)).tolist() == []
    assert SymbolEncoder().finish() == b""


def test_one_by_one_and_all_at_once_give_the_same_bytes() -> None:
    rng = np.random.default_rng(4)
    tables = np.array([laplace_table(int(scale), 6) for scale in rng.integers(0, 40, 50)])
    symbols = rng.integers(0, 13, 50)
    encoder = SymbolEncoder()
    for symbol, table in zip(symbols.tolist(), tables, strict=True):
        encoder.put(symbol, table)
    data = encoder.finish()
    assert data == encode_symbols(symbols, tables)
    decoder = SymbolDecoder(data)
    assert [decoder.get(table) for table in tables] == symbols.tolist()


def test_symbols_outside_their_table_are_refused() -> None:
    table = normalise(np.array([1, 1]))
    for symbol in (-1, 2):
        with pytest.raises(ValueError, match="0 … 1"):
            SymbolEncoder().put(symbol, table)
        with pytest.raises(ValueError, match="0 … 1"):
            encode_symbols(np.array([symbol]), table[None])
    with pytest.raises(ValueError, match="2 symbols and 1 tables"):
        encode_symbols(np.array([0, 1]), table[None])
    with pytest.raises(ValueError, match="frequency tables"):
        encode_symbols(np.array([0]), np.array([[1, 2]]))


def test_bytes_that_no_encoder_writes_are_refused() -> None:
    with pytest.raises(BitstreamError, match="damaged"):
        SymbolDecoder(b"\xff" * 12).get(normalise(np.array([1, 1])))
