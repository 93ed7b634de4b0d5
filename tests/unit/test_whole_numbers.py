"""Convolutions of whole numbers leave out what is zero, and are exact all the same.

Truth: torch's own convolution in float64, of what is known.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from vitiq.codecs.transform import whole_numbers
from vitiq.codecs.transform.whole_numbers import RING, SQUARE, Neighbours, convolve, taps


def plain(padded: np.ndarray, weight: np.ndarray) -> np.ndarray:
    found = F.conv2d(torch.from_numpy(padded.transpose(2, 0, 1)[None]), torch.from_numpy(weight))
    return found[0].permute(1, 2, 0).numpy()


@given(seed=st.integers(0, 2**31), height=st.integers(1, 6), width=st.integers(1, 6), silent=st.integers(0, 5))
def test_channels_of_zeros_change_nothing(seed: int, height: int, width: int, silent: int) -> None:
    rng = np.random.default_rng(seed)
    padded = rng.integers(-9, 10, (height + 2, width + 2, 5)).astype(np.float64)
    padded[..., rng.permutation(5)[:silent]] = 0
    weight = rng.integers(-(2**12), 2**12, (4, 5, 3, 3)).astype(np.float64)
    assert np.array_equal(convolve(padded, taps(weight, SQUARE), SQUARE), plain(padded, weight))


@given(seed=st.integers(0, 2**31), height=st.integers(1, 6), width=st.integers(1, 6))
def test_neighbours_that_are_known_count_at_the_positions_asked_for(seed: int, height: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    padded = rng.integers(-9, 10, (height + 2, width + 2, 5)).astype(np.float64)
    known = rng.integers(0, 2, (height + 2, width + 2, 1)).astype(np.float64)
    positions = np.flatnonzero(rng.integers(0, 2, height * width))
    weight = rng.integers(-(2**12), 2**12, (4, 5, 3, 3)).astype(np.float64)
    weight[:, :, 1, 1] = 0
    found = Neighbours(known, positions)
    wanted = plain(padded * known, weight).reshape(-1, 4)[positions]
    assert np.array_equal(found.convolve(padded, taps(weight, RING)), wanted)
    own = rng.integers(-(2**12), 2**12, (5, 1, 3, 3)).astype(np.float64)
    own[:, :, 1, 1] = 0
    each = F.conv2d(torch.from_numpy((padded * known).transpose(2, 0, 1)[None]), torch.from_numpy(own), groups=5)
    by_channel = np.stack([own[:, 0, dy, dx] for dy, dx in RING])
    wanted = each[0].permute(1, 2, 0).numpy().reshape(-1, 5)[positions]
    assert np.array_equal(found.depthwise(padded, by_channel), wanted)


def test_a_checkerboard_multiplies_half_its_neighbours_at_half_its_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def counted(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        sizes.append(a.shape)
        return np.asarray(a @ b)

    monkeypatch.setattr(whole_numbers, "product", counted)
    rows, columns = np.indices((8, 8))
    known = ((rows + columns) % 2)[..., None].astype(np.float64)
    positions = np.flatnonzero((rows + columns)[1:-1, 1:-1] % 2 == 0)
    padded = np.ones((8, 8, 3))
    padded[..., 1] = 0
    Neighbours(known, positions).convolve(padded, np.ones((8, 3, 2)))
    assert sizes == [(18, 2)] * 4
