"""The correction of local means: what it adds to an image, and its bytes.

Truth: SciPy's orthonormal DCT; torch's linear interpolation; identities (a round trip, a mean that is known).
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import dctn

from vitiq.codecs.logistic import frequency_tables
from vitiq.codecs.transform import correction
from vitiq.codecs.transform.correction import CELL
from vitiq.codecs.transform.networks.block_dct import colour_matrix
from vitiq.errors import BitstreamError
from vitiq.types import ImageU8

TABLES = frequency_tables()
WEIGHT = 1e-3


def smooth_errors(seed: int, rows: int, columns: int, spread: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:rows, :columns] / max(rows, columns)
    return np.asarray(spread * (np.sin(3 * x + rng.random()) + y)[:, :, None] * rng.normal(size=3))


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 70),
    columns=st.integers(1, 70),
    spread=st.sampled_from([0.5, 5.0, 200.0]),
    weight=st.sampled_from([1e-5, 1e-3, 5e-2]),
)
def test_round_trip(seed: int, rows: int, columns: int, spread: float, weight: float) -> None:
    means = smooth_errors(seed, rows, columns, spread) + np.random.default_rng(seed).normal(size=(rows, columns, 3))
    found = correction.encode(means, weight, TABLES)
    if found is None:  # then no coefficient is worth its bits
        assert np.square(means).sum() * CELL**2 < 1e4 / weight
        return
    height, width = CELL * rows - seed % CELL, CELL * columns - seed % CELL
    assert np.array_equal(correction.decode(found.data, height, width, TABLES), found.symbols)
    left = means - correction.decode_means(found.symbols, weight)
    assert (
        8 * len(found.data) + weight * CELL**2 * np.square(left).sum() < weight * CELL**2 * np.square(means).sum() + 64
    )


@given(data=st.binary(max_size=80), rows=st.integers(1, 9), columns=st.integers(1, 9))
def test_damaged_bytes_give_symbols_or_a_bitstream_error(data: bytes, rows: int, columns: int) -> None:
    try:
        symbols = correction.decode(data, CELL * rows, CELL * columns, TABLES)
    except BitstreamError as error:
        assert "damaged" in str(error)  # noqa: PT017 - either outcome is right, nothing else is
    else:
        assert symbols.shape == (3, rows, columns)


@pytest.mark.parametrize("data", [b"", b"\0\0", b"\x31\0\0\0", b"\0\0\x05"])
def test_a_correction_without_its_scales_is_damage(data: bytes) -> None:
    with pytest.raises(BitstreamError, match="without the scales of its colours"):
        correction.decode(data, 64, 64, TABLES)


@pytest.mark.parametrize("size", [(5, 7), (1, 1), (64, 3)])
def test_a_symbol_is_a_cosine_of_scipys(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    symbols = rng.integers(-3, 4, (3, *size))
    means = correction.decode_means(symbols, WEIGHT)
    planes = np.einsum("pc,yxc->pyx", colour_matrix().double().numpy(), means)
    found = np.stack([dctn(plane, norm="ortho") for plane in planes]) * CELL / correction.step(WEIGHT)
    np.testing.assert_allclose(found, symbols, atol=1e-9)


def test_tiles_of_large_images_are_cosines_of_their_own() -> None:
    symbols = np.zeros((3, 65, 130), dtype=np.int32)
    symbols[0, 0, 0] = 1
    means = correction.decode_means(symbols, WEIGHT)
    assert np.count_nonzero(means) == 3 * 32 * 43  # two tiles by three, as even as they can be
    assert np.unique(means[:32, :43].round(12)).size == 1


@pytest.mark.parametrize("size", [(96, 160), (64, 64), (32, 32)])
def test_offsets_are_interpolated_as_torch_does(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    means = rng.normal(size=(size[0] // CELL, size[1] // CELL, 3))
    tensor = torch.from_numpy(means).permute(2, 0, 1)[None]
    wanted = torch.nn.functional.interpolate(tensor, size=size, mode="bilinear", align_corners=False)[0]
    whole = correction.upsampled(means, slice(0, size[0]), slice(0, size[1]))
    np.testing.assert_allclose(whole, wanted.permute(1, 2, 0), atol=1e-5)
    part = correction.upsampled(means, slice(16, 32), slice(5, 30))
    np.testing.assert_allclose(part, whole[16:32, 5:30], atol=1e-6)


def test_mean_errors_are_of_what_a_cell_holds_of_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    image, rebuilt = (rng.integers(0, 256, (75, 50, 3), dtype=np.uint8) for _ in range(2))
    error = image.astype(np.float64) - rebuilt
    wanted = [[error[y : y + 32, x : x + 32].mean(axis=(0, 1)) for x in (0, 32)] for y in (0, 32, 64)]
    for strip in (2**22, 1):
        monkeypatch.setattr(correction, "STRIP", strip)
        np.testing.assert_allclose(correction.mean_errors(image, rebuilt), wanted, atol=1e-12)


def test_a_constant_error_is_mended_in_few_bytes_and_a_texture_is_left_alone() -> None:
    image: ImageU8 = np.full((200, 300, 3), 90, dtype=np.uint8)
    rebuilt = image + np.array([4, 2, 0], dtype=np.uint8)
    found = correction.find(image, rebuilt, WEIGHT, TABLES)
    assert found is not None
    assert len(found.data) <= 12
    means = correction.decode_means(found.symbols, WEIGHT)
    mended = rebuilt + correction.upsampled(means, slice(0, 200), slice(0, 300))
    assert np.abs(mended - image).mean() < 0.5
    noise = np.random.default_rng(3).integers(-4, 5, image.shape)
    assert correction.find(image, (image + noise).astype(np.uint8), WEIGHT, TABLES) is None
    assert correction.find(image, image, WEIGHT, TABLES) is None
