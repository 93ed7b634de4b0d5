"""Single bits to bytes and back, most significant bit first."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from jaxtyping import Int64

from vitiq.errors import BitstreamError


class Bits(Protocol):
    """What coded numbers are read from."""

    def read(self, count: int = 1) -> str:
        """The next `count` bits as '0' and '1'."""


class BitWriter:
    """Collects bits."""

    def __init__(self) -> None:
        self._bits: list[str] = []

    def write(self, bits: str) -> None:
        """Append a string of '0' and '1'."""
        self._bits.append(bits)

    def take(self) -> Int64[np.ndarray, " n"]:
        """All bits as numbers 0 and 1; the writer is empty afterwards."""
        bits = np.frombuffer("".join(self._bits).encode("ascii"), np.uint8).astype(np.int64) - ord("0")
        self._bits.clear()
        return bits

    def to_bytes(self) -> bytes:
        """All bits, padded with zeros to whole bytes."""
        signs = np.frombuffer("".join(self._bits).encode("ascii"), np.uint8)
        return np.packbits(signs == ord("1")).tobytes()


class BitReader:
    """Reads bits from the front."""

    def __init__(self, data: bytes) -> None:
        bits = np.unpackbits(np.frombuffer(data, np.uint8))
        self._bits = (bits + ord("0")).astype(np.uint8).tobytes().decode("ascii")
        self._at = 0

    def read(self, count: int = 1) -> str:
        """The next `count` bits as '0' and '1'.

        Raises:
            BitstreamError: fewer are left.
        """
        if count > len(self._bits) - self._at:
            raise BitstreamError(f"coded numbers end early: {count} bits expected, {len(self._bits) - self._at} left")
        self._at += count
        return self._bits[self._at - count : self._at]

    def finish(self) -> None:
        """Check that only the writer's padding is left: fewer than eight bits, all zero.

        Raises:
            BitstreamError: there is more.
        """
        left = self._bits[self._at :]
        if len(left) >= 8 or "1" in left:
            raise BitstreamError(f"{len(left)} bits follow the last coded number, only padding expected; it is damaged")
