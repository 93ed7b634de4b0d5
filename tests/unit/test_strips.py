"""Large images are worked on in strips: the same bytes, the same symbols, and images that differ by rounding alone.

Truth: the whole image at once, which small images are.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

import vitiq
from vitiq.codecs.transform import decoder, hyperprior_integer
from vitiq.codecs.transform.latent_coding import decode_groups, encode_groups
from vitiq.codecs.transform.networks import embedded
from vitiq.codecs.transform.networks.embedded import load_model
from vitiq.image.io import read_image
from vitiq.models.strips import by_strips, cropped, in_order, left_over, strips, tiles
from vitiq.types import ImageU8, Quality

IMAGE = Path(__file__).parents[2] / "examples" / "images" / "portrait.png"


@given(rows=st.integers(1, 3000), width=st.integers(1, 3000), area=st.integers(1, 10**5), multiple=st.integers(1, 4))
def test_strips_cover_every_row_once(rows: int, width: int, area: int, multiple: int) -> None:
    found = strips(rows, width, area, multiple)
    assert [row for part in found for row in range(rows)[part]] == list(range(rows))
    assert all(part.start % multiple == 0 for part in found)


@given(rows=st.integers(1, 90), columns=st.integers(1, 90), area=st.integers(1, 900), halo=st.integers(0, 9))
def test_tiles_cover_every_position_once_and_see_the_halo_inside_the_grid(
    rows: int, columns: int, area: int, halo: int
) -> None:
    count = np.zeros((rows, columns), int)
    for tile in tiles(rows, columns, area, halo):
        count[tile.rows, tile.columns] += 1
        down, across = tile.seen
        assert (down.start, down.stop) == (max(0, tile.rows.start - halo), min(rows, tile.rows.stop + halo))
        assert (across.start, across.stop) == (
            max(0, tile.columns.start - halo),
            min(columns, tile.columns.stop + halo),
        )
        seen = torch.zeros(1, 1, down.stop - down.start, across.stop - across.start)
        used = halo // 2
        part = cropped(cropped(seen, tile.margins, used), left_over(tile.margins, used), halo)
        assert part.shape[2:] == count[tile.rows, tile.columns].shape
    assert (count == 1).all()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_results_come_in_order_on_one_torch_thread_each(count: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        found = list(in_order(lambda item: (item, torch.get_num_threads()), range(20)))
    finally:
        torch.set_num_threads(before)
    assert found == [(item, 1) for item in range(20)]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_operations_are_counted_at_any_number_of_threads(count: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    weight = torch.ones(3, 3)
    try:
        with FlopCounterMode(display=False) as counter:
            list(in_order(lambda item: item * weight @ weight, range(5)))
            with by_strips(6, 5, 10) as each:
                each(lambda x: x @ weight, torch.ones(1, 1, 6, 3))
    finally:
        torch.set_num_threads(before)
    assert counter.get_total_flops() == 5 * 2 * 27 + 2 * 6 * 9


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_network_in_strips_of_rows_is_the_network(count: int) -> None:
    """Truth: each step on the whole grid."""
    torch.manual_seed(0)
    near, finer = torch.nn.Conv2d(4, 8, 3, padding=1), torch.nn.Conv2d(8, 8, 3, padding=1)
    coarse, fine = torch.randn(1, 4, 11, 7), torch.randn(1, 2, 22, 14)

    def step(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.pixel_shuffle(finer(near(x)), 2) + y

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with torch.no_grad(), by_strips(11, 7, 21) as each:
            found = each(step, coarse, fine, reach=2)
            again = each(near, coarse, reach=1)
        assert torch.get_num_threads() == count
        assert not found.requires_grad
        torch.testing.assert_close(found, step(coarse, fine).detach())
        torch.testing.assert_close(again, near(coarse).detach())
    finally:
        torch.set_num_threads(before)


def test_an_image_in_strips_of_rows_is_the_same_at_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    codec = vitiq.codec("generative")
    data = codec.encode(odd_image(), Quality(30))
    monkeypatch.setattr(decoder, "AT_ONCE", 100)
    before, found = torch.get_num_threads(), []
    for count in (1, 2, 3):
        torch.set_num_threads(count)
        found.append(codec.decode(data))
    torch.set_num_threads(before)
    assert all(np.array_equal(image, found[0]) for image in found)
    monkeypatch.setattr(decoder, "AT_ONCE", 10**6)
    assert np.abs(found[0].astype(int) - codec.decode(data)).max() <= 1


def test_an_error_in_a_strip_is_the_caller_s() -> None:
    with pytest.raises(ZeroDivisionError):
        list(in_order(lambda item: 1 // (item - 3), range(9)))


@pytest.fixture
def small_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (decoder, hyperprior_integer, embedded):
        monkeypatch.setattr(module, "STRIP", 100)


def odd_image() -> ImageU8:
    return np.ascontiguousarray(read_image(IMAGE)[:, :203])


@pytest.fixture(scope="module")
def whole() -> dict[str, tuple[bytes, ImageU8]]:
    found = {}
    for name in ("generative", "generative-mse"):
        codec = vitiq.codec(name)
        data = codec.encode(odd_image(), Quality(30))
        found[name] = data, codec.decode(data)
    return found


@pytest.mark.usefixtures("small_strips")
@pytest.mark.parametrize("name", ["generative", "generative-mse"])
def test_decoded_in_strips_an_image_is_the_same_but_for_rounding(
    name: str, whole: dict[str, tuple[bytes, ImageU8]]
) -> None:
    data, image = whole[name]
    found = vitiq.codec(name).decode(data)
    difference = np.abs(found.astype(int) - image)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3


@pytest.mark.usefixtures("small_strips")
def test_symbols_are_exact_in_strips(whole: dict[str, tuple[bytes, ImageU8]]) -> None:
    data, _ = whole["generative-mse"]
    codec = vitiq.codec("generative-mse")
    symbols = codec.inspect(data, symbols=True).symbols  # refused where the checksum of the whole image's differs
    assert symbols is not None
    assert symbols[0].shape == (256, 32, 13)


@pytest.mark.usefixtures("small_strips")
def test_encoded_in_strips_latents_differ_by_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_model()
    found = model.analyse_image(odd_image(), 30)
    monkeypatch.setattr(embedded, "STRIP", 10**6)
    for strip, at_once in zip(found, model.analyse_image(odd_image(), 30), strict=True):
        np.testing.assert_allclose(strip, at_once, atol=2e-3)


@pytest.mark.parametrize(("context", "leading_sent"), [(False, False), (True, False), (True, True)])
def test_bytes_do_not_depend_on_strips(context: bool, leading_sent: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = {"context": context, "leading_sent": leading_sent}
    rng = np.random.default_rng(0)
    prior = load_model().integer_prior
    scaled = rng.laplace(0, 2, (256, 21, 13)).astype(np.float32)
    hyper = rng.integers(-5, 6, (32, 6, 4))
    at_once, symbols = encode_groups(scaled, hyper, prior, 40, np.full(256, 4.0), **kind)
    monkeypatch.setattr(hyperprior_integer, "STRIP", 40)
    in_strips, again = encode_groups(scaled, hyper, prior, 40, np.full(256, 4.0), **kind)
    assert in_strips == at_once
    assert np.array_equal(again, symbols)
    found_hyper, found = decode_groups(at_once, 21, 13, prior, 40, **kind)
    assert np.array_equal(found, symbols)
    assert np.array_equal(found_hyper, hyper)
