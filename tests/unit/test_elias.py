"""Elias omega codewords.

Truth: the codewords of Elias 1975 (IEEE Trans. Inf. Theory 21(2), DOI 10.1109/TIT.1975.1055349), by
its rule: write 0; while n > 1, write n in binary in front and go on with its length - 1. They equal the table of
codewords in "Elias omega coding" of Wikipedia (1 to 17, 100, 1000, 10 000, 100 000, 1 000 000).
"""

from __future__ import annotations

import pytest

from vitiq.bitstream.bits import BitReader, BitWriter
from vitiq.bitstream.elias import read_omega, write_omega
from vitiq.errors import BitstreamError

CODEWORDS = {
    1: "0",
    2: "10 0",
    3: "11 0",
    4: "10 100 0",
    5: "10 101 0",
    6: "10 110 0",
    7: "10 111 0",
    8: "11 1000 0",
    9: "11 1001 0",
    10: "11 1010 0",
    11: "11 1011 0",
    12: "11 1100 0",
    13: "11 1101 0",
    14: "11 1110 0",
    15: "11 1111 0",
    16: "10 100 10000 0",
    17: "10 100 10001 0",
    100: "10 110 1100100 0",
    1000: "11 1001 1111101000 0",
    10_000: "11 1101 10011100010000 0",
    100_000: "10 100 10000 11000011010100000 0",
    1_000_000: "10 100 10011 11110100001001000000 0",
}


def bits_of(data: bytes) -> str:
    return "".join(f"{byte:08b}" for byte in data)


@pytest.mark.parametrize(("number", "codeword"), CODEWORDS.items())
def test_codeword_is_the_published_one(number: int, codeword: str) -> None:
    expected = codeword.replace(" ", "")
    writer = BitWriter()
    write_omega(writer, number)
    coded = bits_of(writer.to_bytes())
    assert coded == expected + "0" * (-len(expected) % 8)
    assert read_omega(BitReader(writer.to_bytes())) == number


@pytest.mark.parametrize("number", [0, -1])
def test_numbers_below_one_have_no_code(number: int) -> None:
    with pytest.raises(ValueError, match="from 1"):
        write_omega(BitWriter(), number)


def test_largest_number() -> None:
    writer = BitWriter()
    write_omega(writer, 2**64 - 1)
    assert read_omega(BitReader(writer.to_bytes())) == 2**64 - 1
    with pytest.raises(ValueError, match="65 bits"):
        write_omega(BitWriter(), 2**64)


def test_a_code_of_a_giant_number_is_refused_before_it_is_read() -> None:
    # 11 1111 1111111111111111, then a 1: the next number would have 65,536 bits.
    with pytest.raises(BitstreamError, match="64 bits"):
        read_omega(BitReader(b"\xff" * 3))


def test_codes_that_end_early_are_refused() -> None:
    with pytest.raises(BitstreamError, match="end early"):
        read_omega(BitReader(b"\xff"))
    with pytest.raises(BitstreamError, match="end early"):
        read_omega(BitReader(b""))


def test_only_padding_may_follow() -> None:
    BitReader(b"").finish()
    reader = BitReader(b"\x80")
    assert reader.read() == "1"
    reader.finish()
    for rest in (b"\xc0", b"\x80\x00"):
        reader = BitReader(rest)
        reader.read()
        with pytest.raises(BitstreamError, match="padding"):
            reader.finish()
