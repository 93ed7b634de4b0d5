"""The layered inversion codec: working resolution, budget, rounding, hostile heads.

Truth: the rules in docs/reference/viq-format.md, and hand-made packers whose sizes are counted here. How good the
images are is no unit test: see README and docs/adr/0004-working-resolution-by-rate.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vitiq.bitstream import container as viq
from vitiq.codecs.inversion.budget import STEPS, fit, relaxed
from vitiq.codecs.inversion.codec import LATENTS, Inversion
from vitiq.codecs.inversion.common import LARGEST_AREA, LONGEST_SIDE, STRIDE
from vitiq.codecs.inversion.generators.embedded import EmbeddedGenerator
from vitiq.codecs.inversion.working_size import choose, resolutions
from vitiq.errors import BitstreamError, InputError
from vitiq.optimise.rate_control import RateController
from vitiq.types import ImageU8, Quality

sides = st.integers(1, 70_000)


@pytest.fixture(scope="module")
def generator() -> EmbeddedGenerator:
    return EmbeddedGenerator()


@given(sides, sides)
def test_working_resolutions_keep_the_rules_of_the_format(width: int, height: int) -> None:
    found = resolutions(width, height)
    assert len(set(found)) == len(found)
    assert found[-1] == (1, 1)
    for wide, high in found:
        assert 1 <= wide <= min(LONGEST_SIDE, -(-width // STRIDE))
        assert 1 <= high <= min(LONGEST_SIDE, -(-height // STRIDE))
        assert wide * high <= LARGEST_AREA
    areas = [wide * high for wide, high in found]
    assert areas == sorted(areas, reverse=True)


def test_working_resolutions_have_the_images_shape() -> None:
    assert resolutions(512, 512) == [(n, n) for n in range(8, 0, -1)]
    assert resolutions(768, 512)[0] == (9, 7)
    assert resolutions(512, 768)[0] == (7, 9)
    assert resolutions(30_000, 2) == [(16, 1), (9, 1), (4, 1), (1, 1)]
    assert resolutions(1, 1) == [(1, 1)]


def test_working_resolutions_grow_with_the_budget(generator: EmbeddedGenerator, bundled: dict[str, ImageU8]) -> None:
    image = bundled["building"]
    sizes = [choose(generator, image, bits, STEPS[-1]) for bits in (1, 4_000, 8_000, 16_000, 10**9)]
    areas = [wide * high for wide, high in sizes]
    assert areas == sorted(areas)
    assert sizes[0] == (1, 1)
    assert sizes[-1] == (8, 8)
    assert 1 < areas[1] < 64


def test_a_generator_at_another_size_leaves_the_first_as_it_was(generator: EmbeddedGenerator) -> None:
    other = generator.at(192, 128)
    assert [(c.channels, c.height, c.width) for c in other.layers] == [(8, 2, 3), (12, 4, 6), (16, 8, 12)]
    assert (generator.layers[0].height, generator.layers[0].width) == (8, 8)
    latents = [torch.zeros(1, c.channels, c.height, c.width) for c in other.layers]
    assert other.generate(latents).shape == (1, 3, 128, 192)
    assert other.generate(latents[:1]).shape == (1, 3, 128, 192)


@pytest.mark.parametrize("budget", [130, 400, 1540])
def test_files_keep_the_budget(budget: int, bundled: dict[str, ImageU8]) -> None:
    image = np.ascontiguousarray(bundled["building"][:200, :320])
    codec = Inversion(iterations=2)
    data = codec.encode(image, Quality(budget))
    assert len(data) <= budget
    assert codec.decode(data).shape == image.shape
    wide, tall, _ = viq.unpack(data).section(LATENTS)[:3]
    assert (codec.inspect(data, symbols=True).latents or ())[0].shape == (8, tall, wide)
    assert codec.inspect(data).notes == (f"reconstructed at {64 * wide}×{64 * tall} and resized to 320×200",)


def test_budgets_that_hold_nothing_are_refused(small: ImageU8) -> None:
    with pytest.raises(InputError, match="from 120"):
        Inversion(iterations=1).encode(small, Quality(119))


def nonzero(symbols: Sequence[np.ndarray]) -> bytes:
    """A byte a symbol that is not zero, after ten of head."""
    return bytes(10 + sum(int(np.count_nonzero(layer)) for layer in symbols))


def test_fit_rounds_plainly_where_bytes_are_left() -> None:
    latents = [np.array([[[1.4, -0.6]]]), np.array([[[0.51, -2.5, 0.49]]])]
    symbols, data = fit(latents, nonzero, 100)
    assert [s.tolist() for s in symbols] == [[[[1, -1]]], [[[1, -3, 0]]]]
    assert len(data) == 14


def test_fit_drops_the_smallest_of_the_finest_layer_first() -> None:
    latents = [np.full((1, 1, 4), 0.6), np.array([[[0.55, 0.65, 0.75, 0.85]]])]
    for space in range(4, -1, -1):
        symbols, data = fit(latents, nonzero, 14 + space)
        assert len(data) <= 14 + space
        assert symbols[0].tolist() == [[[1, 1, 1, 1]]]
        assert symbols[1].tolist() == [[[0] * (4 - space) + [1] * space]]
    # Large symbols outlive the dead zone and go one size after the other, then coarser layers.
    symbols, data = fit([np.full((1, 1, 2), 3.0), np.array([[[2.0, 5.0]]])], nonzero, 13)
    assert [s.tolist() for s in symbols] == [[[[3, 3]]], [[[0, 5]]]]
    symbols, _ = fit([np.full((1, 1, 2), 3.0), np.array([[[2.0, 5.0]]])], nonzero, 10)
    assert not any(s.any() for s in symbols)
    with pytest.raises(InputError, match="cannot hold"):
        fit(latents, nonzero, 9)


def test_relaxed_latents_are_noisy_first_and_whole_at_last() -> None:
    values = torch.linspace(-3, 3, 241).view(1, 1, 1, -1)
    noisy, last, again = (relaxed(values, share, torch.Generator().manual_seed(5)) for share in (0.2, 1.0, 1.0))
    assert (noisy - values).abs().max() <= 0.5
    assert (noisy - values).abs().mean() > 0.2
    assert torch.equal(last, again)
    assert (last - last.round()).abs().mean() < 0.02
    assert (last - values).abs().max() < 1
    assert (last.round() == values.round()).float().mean() > 0.9


def test_the_weight_of_the_rate_answers_the_rate() -> None:
    too_much, too_little = RateController(1.0, 1000, 100), RateController(1.0, 1000, 100)
    for iteration in range(0, 200, 4):
        too_much.update(1500, iteration)
        too_little.update(600, iteration)
    assert too_much.value > 10
    assert too_little.value < 0.1


@pytest.mark.parametrize("head", [(0, 1), (1, 0), (17, 1), (1, 17), (9, 8), (255, 255)])
def test_hostile_resolutions_are_refused_before_decoding(head: tuple[int, int], generator: EmbeddedGenerator) -> None:
    data = sealed(generator, bytes([*head, 128, 0, 0]))
    for read in (Inversion().decode, Inversion().inspect):
        with pytest.raises(BitstreamError, match="working resolution"):
            read(data)


@pytest.mark.parametrize("payload", [b"", b"\x01", b"\x01\x01\x80"])
def test_short_sections_are_refused(payload: bytes, generator: EmbeddedGenerator) -> None:
    with pytest.raises(BitstreamError, match="damaged"):
        Inversion().decode(sealed(generator, payload))


@given(st.binary(min_size=3, max_size=60))
def test_well_sealed_nonsense_is_reported(generator: EmbeddedGenerator, tail: bytes) -> None:
    data = sealed(generator, b"\x01\x01" + tail)
    with pytest.raises(BitstreamError):
        Inversion().decode(data)


def sealed(generator: EmbeddedGenerator, payload: bytes) -> bytes:
    """A file with a valid container around any payload; its symbol checksum fits none."""
    prefix = bytes.fromhex(generator.weights_sha256)[:8]
    return viq.pack(viq.Container(1, 40, 30, prefix, 0x12345678, (viq.Section(LATENTS, payload),)))


def test_sections_come_once_in_any_order_and_unknown_ones_are_ignored() -> None:
    """As the format page says; the file is the golden one."""
    data = (Path(__file__).parents[1] / "golden" / "data" / "inversion-image.viq").read_bytes()
    file, wanted = viq.unpack(data), Inversion().decode(data)
    for more in ((viq.Section(99, b"abc"), *file.sections), (*file.sections, viq.Section(99, b""))):
        assert np.array_equal(Inversion().decode(viq.pack(replace(file, sections=more))), wanted)
    for twice in (2 * file.sections, (*file.sections, viq.Section(99, b""), viq.Section(99, b"abc"))):
        for read in (Inversion().decode, Inversion().inspect):
            with pytest.raises(BitstreamError, match=r"section (1|99) is in the inversion file more than once"):
                read(viq.pack(replace(file, sections=twice)))
