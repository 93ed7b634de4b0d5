"""Elias omega code of whole numbers n ≥ 1 (Elias 1975, IEEE Trans. Inf. Theory 21(2), DOI 10.1109/TIT.1975.1055349).

A number is preceded by its length, that by its own length, and so on; a final 0 ends the code:
1 -> 0, 2 -> 100, 4 -> 101000, 8 -> 1110000.
"""

from __future__ import annotations

from vitiq.bitstream.bits import Bits, BitWriter
from vitiq.errors import BitstreamError

MAX_BITS = 64


def write_omega(writer: BitWriter, number: int) -> None:
    """Append the code of `number`, 1 … 2**64 - 1.

    Raises:
        ValueError: the number is below 1, for which the code is not defined, or above what a reader accepts.
    """
    if number < 1:
        raise ValueError(f"Elias omega codes whole numbers from 1, {number} given; code number + 1")
    if number.bit_length() > MAX_BITS:
        raise ValueError(f"number of {number.bit_length()} bits given, at most {MAX_BITS} expected")
    code = "0"
    while number > 1:
        binary = f"{number:b}"
        code = binary + code
        number = len(binary) - 1
    writer.write(code)


def read_omega(reader: Bits) -> int:
    """The next number.

    Raises:
        BitstreamError: the bits end early, or code a number above 64 bits.
    """
    number = 1
    while (bit := reader.read()) == "1":
        if number >= MAX_BITS:
            raise BitstreamError(f"Elias omega code of a number above {MAX_BITS} bits; the file is damaged")
        number = int(bit + reader.read(number), 2)
    return number
