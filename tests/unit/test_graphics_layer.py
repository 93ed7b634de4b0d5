"""The layer of graphics.

Truth: identities (stored without loss; pixels outside are left alone; all colours are kept where they are few), orders
(a squared error that costs more is smaller), and libwebp, which reads a stored layer once it has a file's header.
"""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from graphics_images import captioned, text_page
from vitiq.codecs.transform.graphics_layer import (
    BLOCK,
    LONGEST,
    covered,
    filled,
    find_layer,
    graphic_blocks,
    pack,
    unpack,
)
from vitiq.errors import BitstreamError
from vitiq.types import ImageU8

SIZES = st.tuples(st.integers(1, 70), st.integers(1, 70))


@given(SIZES, st.integers(1, 300), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=40)
def test_a_layer_is_stored_without_loss(size: tuple[int, int], colours: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    palette = rng.integers(0, 256, (colours, 4), dtype=np.uint8)
    palette[:, 3] = np.where(palette[:, 3] < 128, 0, 255)
    pixels = palette[rng.integers(0, colours, size)]
    np.testing.assert_array_equal(unpack(pack(pixels), *size), pixels)
    opaque = unpack(pack(np.ascontiguousarray(pixels[:, :, :3])), *size)
    np.testing.assert_array_equal(opaque[:, :, :3], pixels[:, :, :3])
    assert (opaque[:, :, 3] == 255).all()


def test_a_layer_with_the_header_of_a_file_is_a_webp_image() -> None:
    page = text_page(40, 60)
    data = pack(page)
    chunk = b"VP8L" + len(data).to_bytes(4, "little") + data + bytes(len(data) % 2)
    file = b"RIFF" + (4 + len(chunk)).to_bytes(4, "little") + b"WEBP" + chunk
    np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(file)).convert("RGB")), page)


@given(noise=st.binary(max_size=60), at=st.integers(0, 200), cut=st.booleans())
@settings(deadline=None)
def test_damaged_layers_are_refused_or_keep_their_size(noise: bytes, at: int, cut: bool) -> None:
    data = pack(text_page(24, 40))
    at %= len(data)
    damaged = data[:at] if cut else data[:at] + noise + data[at + len(noise) :]
    try:
        found = unpack(damaged, 24, 40)
    except BitstreamError:
        return
    assert found.shape == (24, 40, 4)


def test_a_layer_of_another_size_is_refused_before_it_is_decoded() -> None:
    huge = b"\x2f" + (0x3FFF | 0x3FFF << 14).to_bytes(4, "little") + bytes(20)
    with pytest.raises(BitstreamError, match="16384×16384 pixels given, 40×24 expected"):
        unpack(huge, 24, 40)


def test_a_translucent_layer_is_refused() -> None:
    pixels = np.full((20, 30, 4), 255, np.uint8)
    pixels[3, 4, 3] = 128
    with pytest.raises(BitstreamError, match="translucent"):
        unpack(pack(pixels), 20, 30)


@pytest.mark.parametrize("name", ["animal", "building"])
def test_photographs_have_no_graphics(name: str, bundled: dict[str, ImageU8]) -> None:
    assert graphic_blocks(bundled[name]) is None


@pytest.mark.parametrize("size", [(64, 64), (61, 130), (16, 16), (15, 40)])
def test_text_is_graphics_at_any_size(size: tuple[int, int]) -> None:
    blocks = graphic_blocks(text_page(*size))
    assert blocks is not None
    assert blocks.shape == (-(-size[0] // BLOCK), -(-size[1] // BLOCK))
    assert blocks.mean() > 0.9


@pytest.mark.parametrize("value", [0, 77, 255])
def test_nothing_is_gained_where_nothing_has_an_edge(value: int) -> None:
    assert graphic_blocks(np.full((70, 90, 3), value, np.uint8)) is None
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert graphic_blocks(noise) is None


def test_limits_of_a_layer_are_heeded() -> None:
    row = np.tile(text_page(32, 64), (1, 257, 1))
    assert row.shape[1] > LONGEST
    assert graphic_blocks(row) is None
    assert graphic_blocks(np.ascontiguousarray(row[:, :LONGEST])) is not None
    large = np.tile(row[:32, :4096], (65, 1, 1))
    assert graphic_blocks(large) is None
    assert graphic_blocks(large[:2048]) is not None


def test_smooth_shades_are_left_to_the_latents() -> None:
    image = np.array(Image.fromarray(text_page(128, 128)))
    image[:48] = np.linspace(200, 247, 48).astype(np.uint8)[:, None, None]
    blocks = graphic_blocks(image)
    assert blocks is not None
    assert not blocks[:3].any()
    assert blocks[3:].mean() > 0.9


def test_a_caption_is_found_below_its_photograph(bundled: dict[str, ImageU8]) -> None:
    photograph = bundled["animal"][:128, :192]
    blocks = graphic_blocks(captioned(photograph))
    assert blocks is not None
    assert not blocks[:8].any()
    assert blocks[8:].mean() > 0.9


def test_what_is_filled_is_smooth_and_the_rest_untouched(bundled: dict[str, ImageU8]) -> None:
    image = captioned(bundled["animal"][:100, :150])  # no side is a multiple of a block
    blocks = graphic_blocks(image)
    assert blocks is not None
    found, inside = filled(image, blocks), covered(blocks, *image.shape[:2])
    np.testing.assert_array_equal(found[~inside], image[~inside])
    assert found[inside].min() >= image[~inside].min()
    assert found[inside].max() <= image[~inside].max()
    assert found[inside].std() < 0.5 * image[inside].std()


def test_few_colours_are_all_kept() -> None:
    image = np.array(Image.fromarray(text_page(64, 96)).quantize(7).convert("RGB"))
    blocks = np.ones((4, 6), bool)
    layer = find_layer(image, blocks, 10.0)
    assert layer is not None
    assert layer.error == 0
    assert layer.cost == 8 * len(layer.data)
    np.testing.assert_array_equal(unpack(layer.data, 64, 96)[:, :, :3], image)


def test_dearer_errors_are_smaller_and_take_more_bytes() -> None:
    image, blocks = text_page(96, 160), np.ones((6, 10), bool)
    layers = [find_layer(image, blocks, weight) for weight in (1e-5, 1e-3, 1.0, 100.0)]
    errors = [layer.error for layer in layers if layer]
    sizes = [len(layer.data) for layer in layers if layer]
    assert errors == sorted(errors, reverse=True)
    assert sizes == sorted(sizes)
    assert errors[0] > 100 * errors[2] > 0 == errors[3]
    for layer in layers:  # the error that is stated is the image's
        assert layer is not None
        found = unpack(layer.data, 96, 160)[:, :, :3].astype(float)
        assert float(((found - image) ** 2).sum()) == pytest.approx(layer.error)


def test_a_small_spot_of_a_colour_of_its_own_is_kept() -> None:
    """Where a page has many shades of grey and one red dot."""
    page = Image.fromarray(text_page(128, 256)).convert("L").convert("RGB")
    page.putpixel((200, 90), (250, 20, 30))
    for x, y in ((201, 90), (200, 91), (201, 91), (202, 91)):
        page.putpixel((x, y), (240, 25, 35))
    layer = find_layer(np.array(page), np.ones((8, 16), bool), 2e-4)
    assert layer is not None
    found = unpack(layer.data, 128, 256)[:, :, :3]
    assert len(np.unique(found.reshape(-1, 3), axis=0)) <= 12
    assert np.abs(found[91, 200:202].astype(int) - (240, 25, 35)).max() < 30


def test_a_layer_that_costs_too_much_is_none() -> None:
    image, blocks = text_page(96, 160), np.ones((6, 10), bool)
    layer = find_layer(image, blocks, 0.01)
    assert layer is not None
    assert find_layer(image, blocks, 0.01, layer.cost) is None
    assert find_layer(image, blocks, 0.01, layer.cost + 1) == layer


def test_more_colours_than_a_palette_holds() -> None:
    """Some hundred thousand colours: two ramps."""
    rows, columns = np.mgrid[:400, :400]
    image = np.stack([rows % 256, columns % 256, (rows // 256 + 2 * (columns // 256))], axis=2).astype(np.uint8)
    blocks = np.zeros((25, 25), bool)
    blocks[2:20] = True
    layer = find_layer(image, blocks, 1000.0)
    assert layer is not None
    assert layer.error == 0
    inside = covered(blocks, 400, 400)
    np.testing.assert_array_equal(unpack(layer.data, 400, 400)[inside][:, :3], image[inside])
