"""Round trips of every coder and hostile bytes for every reader.

Truth: what was put in comes out, and whatever the bytes, a reader returns a legal value or raises BitstreamError.
"""

from __future__ import annotations

import contextlib
import zlib

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vitiq.bitstream import container as viq
from vitiq.bitstream import qsgd, uniform
from vitiq.bitstream.bits import BitReader, BitWriter
from vitiq.bitstream.cdf import WIDTHS, AdaptiveTable, check_tables, gaussian_table, laplace_table, normalise
from vitiq.bitstream.elias import read_omega, write_omega
from vitiq.bitstream.range_coder import SymbolDecoder, SymbolEncoder, encode_symbols
from vitiq.codecs.detect import codec_of
from vitiq.errors import BitstreamError

NAMES = st.one_of(
    st.integers(1, 255),
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True),
)
SECTIONS = st.lists(st.builds(viq.Section, st.integers(0, 255), st.binary(max_size=300)), min_size=1, max_size=5)
COMPACT = st.builds(
    viq.Container,
    codec=st.integers(1, viq.COMPACT_CODECS),
    width=st.integers(1, 4096),
    height=st.integers(1, viq.MAX_SIDE),
    weights=st.binary(min_size=viq.COMPACT_WEIGHTS, max_size=viq.COMPACT_WEIGHTS),
    symbols_crc=st.integers(0, 2**16 - 1),
    sections=st.tuples(st.builds(viq.Section, st.integers(0, viq.COMPACT_KINDS), st.binary(max_size=300))),
    version=st.just(viq.COMPACT),
)
CONTAINERS = COMPACT | st.builds(
    viq.Container,
    codec=NAMES,
    width=st.integers(1, 4096),
    height=st.integers(1, viq.MAX_SIDE),
    weights=st.binary(max_size=viq.MAX_WEIGHTS),
    symbols_crc=st.integers(0, 2**32 - 1),
    sections=SECTIONS.map(tuple),
)
COUNTS = st.lists(st.integers(0, 2**46), min_size=2, max_size=60).filter(any)


@given(CONTAINERS)
def test_container_round_trip(container: viq.Container) -> None:
    data = viq.pack(container)
    assert viq.unpack(data) == container


@given(CONTAINERS, st.data())
def test_damaged_containers_are_refused(container: viq.Container, draw: st.DataObject) -> None:
    data = bytearray(viq.pack(container))
    start = draw.draw(st.integers(0, len(data) - 1))
    # A CRC-32 finds every burst of up to 32 bits.
    burst = draw.draw(st.binary(min_size=1, max_size=min(4, len(data) - start)).filter(any))
    for index, change in enumerate(burst):
        data[start + index] ^= change
    with contextlib.suppress(BitstreamError):
        viq.unpack(bytes(data))
        raise AssertionError("a damaged container was read")


@given(st.binary(max_size=80), st.sampled_from([viq.MAGIC + bytes([viq.VERSION]), viq.COMPACT_MAGIC]))
def test_any_sealed_bytes_are_read_to_one_form_or_refused(body: bytes, start: bytes) -> None:
    head = start + body
    data = head + zlib.crc32(head).to_bytes(4, "big")
    with contextlib.suppress(BitstreamError):
        assert viq.pack(viq.unpack(data)) == data


@given(st.binary(max_size=64))
def test_any_bytes_are_recognised_or_refused(data: bytes) -> None:
    with contextlib.suppress(BitstreamError):
        assert codec_of(data) in {"jpeg", "jpeg2000", "webp", "avif", "jxl"}


@given(st.lists(st.integers(1, 2**64 - 1)))
def test_omega_round_trip(numbers: list[int]) -> None:
    writer = BitWriter()
    for number in numbers:
        write_omega(writer, number)
    reader = BitReader(writer.to_bytes())
    assert [read_omega(reader) for _ in numbers] == numbers
    reader.finish()


@given(st.binary(max_size=40))
def test_omega_reads_or_refuses_any_bytes(data: bytes) -> None:
    with contextlib.suppress(BitstreamError):
        assert 1 <= read_omega(BitReader(data)) < 2**64


VECTORS = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=60).map(lambda v: np.array(v, np.float64))


@given(VECTORS, st.sampled_from(qsgd.BITS), st.integers(0, 2**32))
def test_qsgd_round_trip(vector: np.ndarray, bits: int, seed: int) -> None:
    quantised = qsgd.quantise(vector, bits, np.random.default_rng(seed))
    back = qsgd.from_bytes(qsgd.to_bytes(quantised), vector.size, bits)
    assert back.norm == quantised.norm
    assert back.s == quantised.s
    assert np.array_equal(back.levels, quantised.levels)
    assert np.array_equal(qsgd.dequantise(back), qsgd.dequantise(quantised))

    thesis = qsgd.from_bytes(qsgd.to_bytes(quantised, compat=True), vector.size, bits, compat=True)
    ones = np.where(quantised.negative, -1, 1)
    assert np.array_equal(thesis.levels, np.where(quantised.levels == 0, ones, quantised.levels))


@given(st.binary(max_size=40), st.integers(0, 40), st.sampled_from(qsgd.BITS), st.booleans())
def test_qsgd_reads_or_refuses_any_bytes(data: bytes, length: int, bits: int, compat: bool) -> None:
    with contextlib.suppress(BitstreamError):
        back = qsgd.from_bytes(data, length, bits, compat=compat)
        assert np.abs(back.levels).max(initial=0) <= back.s
        assert np.isfinite(qsgd.dequantise(back)).all()


@given(COUNTS)
def test_normalise_makes_tables(counts: list[int]) -> None:
    table = normalise(np.array(counts, np.int64))
    check_tables(table)
    order = np.argsort(counts, kind="stable")
    assert (np.diff(table[order]) >= 0).all() or counts.count(max(counts)) > 1


@given(st.data())
def test_range_coder_round_trip(draw: st.DataObject) -> None:
    size = draw.draw(st.integers(2, 60))
    row = st.lists(st.integers(0, 2**46), min_size=size, max_size=size).filter(any)
    kinds = np.array([normalise(np.array(draw.draw(row), np.int64)) for _ in range(3)])
    symbols = np.array(draw.draw(st.lists(st.integers(0, size - 1), max_size=80)), np.int64)
    tables = kinds[np.arange(symbols.size) % 3]
    data = encode_symbols(symbols, tables)
    assert np.array_equal(SymbolDecoder(data).decode(tables), symbols)
    assert len(data) <= -np.log2(tables[np.arange(symbols.size), symbols] / 2**16).sum() / 8 + 1
    # Bytes after the end of a section change nothing only if they are zeros; those are what the encoder leaves out.
    assert np.array_equal(SymbolDecoder(data + bytes(5)).decode(tables), symbols)
    assert not data.endswith(b"\0")


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, WIDTHS - 1))))
def test_sequential_round_trip(items: list[tuple[int, int]]) -> None:
    encoder = SymbolEncoder()
    for symbol, width in items:
        encoder.put(symbol, gaussian_table(width, 4))
    decoder = SymbolDecoder(encoder.finish())
    for symbol, width in items:
        assert decoder.get(gaussian_table(width, 4)) == symbol


@given(st.lists(st.integers(0, 12), max_size=200))
def test_adaptive_round_trip(symbols: list[int]) -> None:
    encoder, table = SymbolEncoder(), AdaptiveTable(13)
    for symbol in symbols:
        encoder.put(symbol, table.frequencies())
        table.update(symbol)
    decoder, table = SymbolDecoder(encoder.finish()), AdaptiveTable(13)
    for symbol in symbols:
        assert decoder.get(table.frequencies()) == symbol
        table.update(symbol)


@given(st.binary(max_size=40), st.integers(0, WIDTHS - 1))
def test_range_coder_reads_or_refuses_any_bytes(data: bytes, scale: int) -> None:
    with contextlib.suppress(BitstreamError):
        symbols = SymbolDecoder(data).decode(np.broadcast_to(laplace_table(scale, 5), (50, 11)))
        assert symbols.min() >= 0
        assert symbols.max() <= 10


@given(st.lists(st.integers(-255, 255), min_size=1, max_size=100), st.floats(2**-14, 65504, width=16))
@settings(deadline=None)
def test_uniform_round_trip(symbols: list[int], step: float) -> None:
    values = np.array(symbols, np.int64)
    data = uniform.to_bytes(values, step)
    read, read_step = uniform.from_bytes(data, values.size)
    assert np.array_equal(read, values)
    assert read_step == step


@given(st.binary(max_size=40), st.integers(1, 60))
@settings(deadline=None)
def test_uniform_reads_or_refuses_any_bytes(data: bytes, length: int) -> None:
    with contextlib.suppress(BitstreamError):
        symbols, step = uniform.from_bytes(data, length)
        assert symbols.size == length
        assert np.abs(symbols).max() <= uniform.MAX_REACH
        assert 0 < step < np.inf


@given(VECTORS.filter(lambda v: np.abs(v).max() <= uniform.MAX_MAGNITUDE), st.integers(0, 100))
@settings(deadline=None, max_examples=30)
def test_finest_within_keeps_its_budget(vector: np.ndarray, budget: int) -> None:
    symbols, step = uniform.finest_within(vector, budget)
    assert len(uniform.to_bytes(symbols, step)) <= budget or not symbols.any()
