"""Range coding with integer frequency tables, over constriction (Bamler 2022, arXiv 2201.01741).

A table is a row of whole-number frequencies, each at least 1, that sum to 2**16 (see cdf.py). constriction takes
probabilities as float32. Frequencies over 2**16 and all their running sums are exact in float32 in any order of
addition, and their total is exactly 1. For n symbols constriction then puts the lower end of symbol i at
floor(sum · (2**24 - n)) + i: one IEEE multiplication and one truncation of exact operands. So the
24-bit fixed-point table that codes a symbol is the same on every machine. No other function of floats takes part.

Bytes are constriction's 32-bit words, big endian, cut to the shortest that still decode: the decoder reads zeros after
their end, so their number must be known from the section that holds them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import constriction
import numpy as np
from jaxtyping import Float32, Int64

from vitiq.bitstream.cdf import TOTAL, check_tables
from vitiq.errors import BitstreamError

_PAD = b"\0" * 8

TAIL = 1024
"""Symbols, at least, that are decoded again to find the shortest end; see `SymbolEncoder.finish`."""

_FAMILY = constriction.stream.model.Categorical(perfect=False)


def _probabilities(tables: Int64[np.ndarray, "*rows symbols"]) -> Float32[np.ndarray, "*rows symbols"]:
    return np.asarray(tables / TOTAL, dtype=np.float32)


def _model(table: Int64[np.ndarray, " symbols"]) -> Any:
    return constriction.stream.model.Categorical(_probabilities(table), perfect=False)


@dataclass(slots=True)
class _Stretch:
    """Calls of the coder one after the other, and its position before the first."""

    position: tuple[int, tuple[int, int]]
    calls: list[tuple[Any, Any, Any]] = field(default_factory=list)
    count: int = 0


class SymbolEncoder:
    """Codes symbols one after the other, each with a table that may depend on those before it.

    Tables given to `put` are not checked (they are made by cdf.py); `encode` checks its own.
    """

    def __init__(self) -> None:
        self._encoder = constriction.stream.queue.RangeEncoder()
        # The last symbols and how they were coded, to find out which bytes the decoder can do without: two stretches
        # of TAIL symbols or more (of all, where there are fewer), each with the coder's position before it.
        self._tail: list[_Stretch] = [_Stretch(self._encoder.pos())]

    def put(self, symbol: int, table: Int64[np.ndarray, " symbols"]) -> None:
        """Code a symbol, 0 … symbols - 1.

        Raises:
            ValueError: the symbol is outside its table.
        """
        if not 0 <= symbol < len(table):
            raise ValueError(f"symbol {symbol} given, 0 … {len(table) - 1} expected")
        self._code(int(symbol), _model(table))

    def encode(self, symbols: Int64[np.ndarray, " n"], tables: Int64[np.ndarray, "rows symbols"]) -> None:
        """Code symbol i with table row i.

        Raises:
            ValueError: a symbol is outside its table, or a table is not one.
        """
        check_tables(tables)
        if len(symbols) != len(tables):
            raise ValueError(f"{len(symbols)} symbols and {len(tables)} tables given, equal numbers expected")
        if symbols.size == 0:
            return
        if symbols.min() < 0 or symbols.max() >= tables.shape[1]:
            raise ValueError(f"symbols {symbols.min()} … {symbols.max()} given, 0 … {tables.shape[1] - 1} expected")
        self._code(symbols.astype(np.int32), _FAMILY, _probabilities(tables))

    def _code(self, symbols: Any, model: Any, probabilities: Any = None) -> None:
        if self._tail[-1].count >= TAIL:
            self._tail = [self._tail[-1], _Stretch(self._encoder.pos())]
        self._encoder.encode(symbols, model, *(() if probabilities is None else (probabilities,)))
        self._tail[-1].calls.append((symbols, model, probabilities))
        self._tail[-1].count += 1 if probabilities is None else len(symbols)

    def finish(self) -> bytes:
        """All that was coded, in the fewest bytes that decode to it when zeros follow; b"" for nothing.

        A number that decodes to the last symbols lies in the coder's interval from before them, and so in that of every
        symbol before: only the last ones are decoded to try a shorter end.
        """
        best: bytes = self._encoder.get_compressed().astype(">u4").tobytes().rstrip(b"\0")
        # The end may be any number in the coder's last interval. Where the interval holds a number of one byte less,
        # it holds the one next below or next above; where it holds none, it holds no shorter one either.
        while best:
            kept = best[:-1]
            below = int.from_bytes(kept, "big")
            candidates = (n.to_bytes(len(kept), "big") for n in (below, below + 1) if n < 256 ** len(kept))
            shorter = next((candidate for candidate in candidates if self._decodes(candidate)), None)
            if shorter is None:
                break
            best = shorter
        return best

    def _decodes(self, data: bytes) -> bool:
        position, state = self._tail[0].position
        decoder = _decoder(data.ljust(4 * position, b"\0"))
        try:
            decoder.seek(position, state)
            for symbols, model, probabilities in (call for stretch in self._tail for call in stretch.calls):
                if probabilities is None:
                    same = decoder.decode(model) == symbols
                else:
                    same = np.array_equal(decoder.decode(model, probabilities), symbols)
                if not same:
                    return False
        except (AssertionError, ValueError):
            return False
        return True


def _decoder(data: bytes) -> Any:
    padded = data + _PAD + b"\0" * (-len(data) % 4)
    return constriction.stream.queue.RangeDecoder(np.frombuffer(padded, dtype=">u4").astype(np.uint32))


class SymbolDecoder:
    """Decodes symbols in order, one or some at a time, so that later tables may depend on earlier symbols.

    Tables must be those of the encoder, made by cdf.py or checked when they were loaded.
    """

    def __init__(self, data: bytes) -> None:
        self._decoder = _decoder(data)

    def get(self, table: Int64[np.ndarray, " symbols"]) -> int:
        """The next symbol.

        Raises:
            BitstreamError: the bytes cannot come from the encoder.
        """
        return int(self._read(_model(table)))

    def decode(self, tables: Int64[np.ndarray, "rows symbols"]) -> Int64[np.ndarray, " n"]:
        """The next n symbols, one a table row.

        Raises:
            BitstreamError: the bytes cannot come from the encoder.
        """
        return np.asarray(self._read(_FAMILY, _probabilities(tables)), dtype=np.int64)

    def _read(self, *model: Any) -> Any:
        try:
            return self._decoder.decode(*model)
        except (AssertionError, ValueError) as error:
            raise BitstreamError("range-coded symbols are damaged; copy the file again") from error


def encode_symbols(symbols: Int64[np.ndarray, " n"], tables: Int64[np.ndarray, "rows symbols"]) -> bytes:
    """Code symbol i (0 … symbols-1) with table row i, in the fewest bytes.

    Raises:
        ValueError: a symbol is outside its table, a table is not one, or their counts differ.
    """
    encoder = SymbolEncoder()
    encoder.encode(symbols, tables)
    return encoder.finish()
