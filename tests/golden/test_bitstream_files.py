"""Files written by the bitstream package, byte for byte.

Truth: the files in data/, written once by this module (`python tests/golden/test_bitstream_files.py`) and only written
again on purpose, with a new format version. Reading them is the promise to people who own files; writing them again
to the same bytes shows that the format has not moved.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitiq.bitstream import container as viq
from vitiq.bitstream import qsgd, uniform
from vitiq.bitstream.bits import BitReader, BitWriter
from vitiq.bitstream.cdf import AdaptiveTable, gaussian_table, laplace_table
from vitiq.bitstream.elias import read_omega, write_omega
from vitiq.bitstream.range_coder import SymbolDecoder, SymbolEncoder, encode_symbols
from vitiq.codecs.inversion.codec import Inversion
from vitiq.codecs.inversion.generators.embedded import EmbeddedGenerator
from vitiq.codecs.inversion.latent_coding import LayeredEntropyModel, encode_latents
from vitiq.codecs.inversion.prior_integer import step_size
from vitiq.codecs.viq_codec import symbols_crc

DATA = Path(__file__).parent / "data"
LEVELS = np.array([(k * k * 31 + k * 7) % 13 - 6 for k in range(200)], np.int64)
SYMBOLS = LEVELS + 6
NUMBERS = [1, 2, 3, 7, 8, 100, 1_000_000, 2**32 - 1]
TABLES = np.array([(gaussian_table if k % 2 else laplace_table)(k % 40, 6) for k in range(200)])
QUANTISED = qsgd.Quantised(12.5, LEVELS % 2 == 1, np.where(LEVELS % 2 == 1, -abs(LEVELS), abs(LEVELS)), 7)
# Mostly small numbers fit the Laplace ladder, a wide hump the Gaussian one, two far peaks neither.
LAPLACE = np.array([(k * 17) % 11 - 5 if k % 9 == 0 else k % 3 - 1 if k % 4 == 0 else 0 for k in range(200)], np.int64)
GAUSSIAN = np.array([(k * 40503 % 65536).bit_count() - 8 for k in range(200)], np.int64)
IMAGE_STEP = 140
# Small symbols, and in each layer one that no table covers.
IMAGE = [
    np.array([(k * k * 31 + k * 7) % 5 - 2 if k % 3 else 300 * (k == 0) for k in range(c * h * w)], np.int64).reshape(
        c, h, w
    )
    for c, h, w in ((8, 1, 2), (12, 2, 4), (16, 4, 8))
]
FAIR = np.array([2**15, 2**15], np.int64)
NUMBERS_OF = {"inversion": 1, "inversion-vector": 2}
PEAKS = np.array([40 if (k * k) % 7 < 3 else -40 for k in range(200)], np.int64)


def omega() -> bytes:
    writer = BitWriter()
    for number in NUMBERS:
        write_omega(writer, number)
    return writer.to_bytes()


def gamma(number: int) -> str:
    """Elias's gamma code."""
    return "0" * (number.bit_length() - 1) + f"{number:b}"


def sequence() -> bytes:
    encoder, table = SymbolEncoder(), AdaptiveTable(13)
    for symbol in SYMBOLS.tolist():
        encoder.put(symbol, table.frequencies())
        table.update(symbol)
    for number in NUMBERS:
        for bit in gamma(number):
            encoder.put(int(bit), FAIR)
    return encoder.finish()


PAYLOADS = {
    "omega": omega(),
    "range": encode_symbols(SYMBOLS, TABLES),
    "sequence": sequence(),
    "qsgd": qsgd.to_bytes(QUANTISED),
    "qsgd-thesis": qsgd.to_bytes(QUANTISED, compat=True),
    "uniform-gaussian": uniform.to_bytes(GAUSSIAN, 0.125),
    "uniform-laplace": uniform.to_bytes(LAPLACE, 0.125),
    "uniform-adaptive": uniform.to_bytes(PEAKS, 0.125),
}


def file(name: str) -> viq.Container:
    """A plugin's file with one coder's bytes between two other sections."""
    sections = (viq.Section(1, b""), viq.Section(2, PAYLOADS[name]), viq.Section(200, bytes(200)))
    return viq.Container(f"golden-{name}", 768, 512, bytes.fromhex("0123456789abcdef"), 0x01020304, sections)


@pytest.mark.parametrize("name", PAYLOADS)
def test_bytes_have_not_moved(name: str) -> None:
    assert viq.pack(file(name)) == (DATA / f"{name}.viq").read_bytes()


@pytest.mark.parametrize("name", ["inversion", "inversion-vector"])
def test_built_in_codecs_keep_their_numbers(name: str) -> None:
    stored = (DATA / f"{name}.viq").read_bytes()
    assert viq.unpack(stored) == built_in(name)
    assert viq.pack(built_in(name)) == stored


def built_in(name: str) -> viq.Container:
    """A file of a built-in codec's number (its payload is no image)."""
    return viq.Container(NUMBERS_OF[name], 512, 512, bytes(range(8)), 0xCBF43926, (viq.Section(1, b"123456789"),))


def image() -> viq.Container:
    """An `inversion` file of made-up symbols at 128×64, for the shipped generator; it decodes."""
    generator = EmbeddedGenerator().at(128, 64)
    prefix = bytes.fromhex(generator.weights_sha256)[:8]
    shapes = [(layer.channels, layer.height, layer.width) for layer in generator.layers]
    model = LayeredEntropyModel(generator.integer_prior, shapes, IMAGE_STEP)
    payload = bytes([2, 1, IMAGE_STEP]) + encode_latents(IMAGE, model)
    return viq.Container(NUMBERS_OF["inversion"], 150, 70, prefix, symbols_crc(IMAGE), (viq.Section(1, payload),))


def test_an_image_of_the_shipped_generator_reads() -> None:
    """New weights need a new file (and a line under "Bitstream" in the changelog): files name the weights they need."""
    stored = (DATA / "inversion-image.viq").read_bytes()
    assert viq.pack(image()) == stored
    codec = Inversion()
    for read, symbols in zip(codec.inspect(stored, symbols=True).latents or (), IMAGE, strict=True):
        assert np.array_equal(read, (symbols * step_size(IMAGE_STEP)).astype(np.float32))
    assert codec.decode(stored).shape == (70, 150, 3)


def stored(name: str) -> bytes:
    container = viq.unpack((DATA / f"{name}.viq").read_bytes())
    assert container == file(name)
    return container.section(2)


def test_omega_reads() -> None:
    reader = BitReader(stored("omega"))
    assert [read_omega(reader) for _ in NUMBERS] == NUMBERS


def test_range_reads() -> None:
    assert np.array_equal(SymbolDecoder(stored("range")).decode(TABLES), SYMBOLS)


def test_sequence_reads() -> None:
    decoder, table = SymbolDecoder(stored("sequence")), AdaptiveTable(13)
    for symbol in SYMBOLS.tolist():
        assert decoder.get(table.frequencies()) == symbol
        table.update(symbol)
    for number in NUMBERS:
        assert [decoder.get(FAIR) for _ in gamma(number)] == [int(bit) for bit in gamma(number)]


def test_qsgd_reads() -> None:
    read = qsgd.from_bytes(stored("qsgd"), 200, 3)
    assert (read.norm, read.s) == (12.5, 7)
    assert np.array_equal(read.levels, QUANTISED.levels)
    thesis = qsgd.from_bytes(stored("qsgd-thesis"), 200, 3, compat=True)
    assert np.array_equal(thesis.levels[LEVELS != 0], QUANTISED.levels[LEVELS != 0])
    assert (thesis.levels[LEVELS == 0] == 1).all()


@pytest.mark.parametrize(
    ("name", "symbols", "first", "last"),
    [("gaussian", GAUSSIAN, 0, 39), ("laplace", LAPLACE, 40, 79), ("adaptive", PEAKS, 80, 80)],
)
def test_uniform_reads(name: str, symbols: np.ndarray, first: int, last: int) -> None:
    data = stored(f"uniform-{name}")
    assert first <= data[2] <= last
    read, step = uniform.from_bytes(data, 200)
    assert step == 0.125
    assert np.array_equal(read, symbols)


def main() -> None:
    """Write all files again."""
    DATA.mkdir(exist_ok=True)
    for name in PAYLOADS:
        (DATA / f"{name}.viq").write_bytes(viq.pack(file(name)))
    for name in ("inversion", "inversion-vector"):
        (DATA / f"{name}.viq").write_bytes(viq.pack(built_in(name)))
    (DATA / "inversion-image.viq").write_bytes(viq.pack(image()))


if __name__ == "__main__":
    main()
