"""Range coding with integer frequency tables, over constriction (Bamler 2022, arXiv 2201.01741).

A table is a row of whole-number frequencies, each at least 1, that sum to 2**16. constriction takes
probabilities as floats; k / 2**16 is exact in float32, and so are its running sums, so the fixed-point table that
constriction derives from them is the same on every machine.
"""

from __future__ import annotations

import constriction
import numpy as np
from jaxtyping import Float32, Int64

from vitiq.errors import BitstreamError

PRECISION = 16
_FAMILY = constriction.stream.model.Categorical(perfect=False)


def _probabilities(tables: Int64[np.ndarray, "n symbols"]) -> Float32[np.ndarray, "n symbols"]:
    return np.asarray(tables / 2**PRECISION, dtype=np.float32)


def _to_words(data: bytes) -> np.ndarray:
    return np.frombuffer(data + b"\0" * (-len(data) % 4), dtype=">u4").astype(np.uint32)


def encode_symbols(symbols: Int64[np.ndarray, " n"], tables: Int64[np.ndarray, "n symbols"]) -> bytes:
    """Code symbol i (0 … symbols-1) with table row i. Trailing bytes the decoder can do without are cut.

    Raises:
        ValueError: a symbol is outside its table.
    """
    if symbols.size == 0:
        return b""
    if symbols.min() < 0 or symbols.max() >= tables.shape[1]:
        raise ValueError(f"symbols {symbols.min()} … {symbols.max()} given, 0 … {tables.shape[1] - 1} expected")
    encoder = constriction.stream.queue.RangeEncoder()
    probabilities = _probabilities(tables)
    encoder.encode(symbols.astype(np.int32), _FAMILY, probabilities)
    whole: bytes = encoder.get_compressed().astype(">u4").tobytes()
    # The last word may take any value in an interval: keep the shortest bytes that still decode.
    for cut in range(min(len(whole), 8), 0, -1):
        kept = whole[: len(whole) - cut]
        number = int.from_bytes(kept, "big")
        for candidate in (number, number + 1):
            if candidate.bit_length() > 8 * len(kept):
                continue
            short = candidate.to_bytes(len(kept), "big")
            if _decodes_to(short, tables, symbols):
                return short
    return whole


def _decodes_to(data: bytes, tables: Int64[np.ndarray, "n symbols"], symbols: Int64[np.ndarray, " n"]) -> bool:
    try:
        return np.array_equal(SymbolDecoder(data).decode(tables), symbols)
    except BitstreamError:
        return False


class SymbolDecoder:
    """Decodes symbols in order, some at a time, so that later tables may depend on earlier symbols."""

    def __init__(self, data: bytes) -> None:
        # Bytes cut by the encoder read as zeros.
        self._decoder = constriction.stream.queue.RangeDecoder(_to_words(data + b"\0" * 8))

    def decode(self, tables: Int64[np.ndarray, "n symbols"]) -> Int64[np.ndarray, " n"]:
        """The next n symbols, one a table row.

        Raises:
            BitstreamError: the bytes cannot come from the encoder.
        """
        try:
            decoded = self._decoder.decode(_FAMILY, _probabilities(tables))
        except (AssertionError, ValueError) as error:
            raise BitstreamError("range-coded symbols are damaged; copy the file again") from error
        return np.asarray(decoded, dtype=np.int64)


def normalise(counts: Int64[np.ndarray, " symbols"]) -> Int64[np.ndarray, " symbols"]:
    """Frequencies that sum to 2**PRECISION, each at least 1, in proportion to counts, by integer arithmetic."""
    spare = 2**PRECISION - len(counts)
    total = int(counts.sum())
    scaled = np.array([int(c) * spare // total + 1 for c in counts], dtype=np.int64)
    scaled[int(np.argmax(scaled))] += 2**PRECISION - int(scaled.sum())
    return scaled
