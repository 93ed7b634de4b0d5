"""Tensors in weights files. Truth: the bound of rounding to 255 steps between plus and minus a row's largest value."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vitiq.errors import WeightsError
from vitiq.weights.file import SCALE, eight_bit, half, in_float, read_weights, write_weights


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.sampled_from([(7,), (3, 2, 2)]), st.floats(1e-3, 1e3))
def test_eight_bits_keep_every_output_to_half_a_step(
    seed: int, outputs: int, rest: tuple[int, ...], size: float
) -> None:
    values = np.random.default_rng(seed).normal(size=(outputs, *rest)) * size
    kernel = torch.from_numpy(values.astype(np.float32))
    found = in_float(eight_bit("a.weight", kernel) | half("a.bias", kernel[:, 0]))
    assert set(found) == {"a.weight", "a.bias"}
    largest = kernel.abs().flatten(1).amax(dim=1).view(-1, *[1] * len(rest))
    # Half a step, and the scale's own rounding to half precision.
    assert bool(((found["a.weight"] - kernel).abs() <= largest * (0.5 / 127 + 2**-10) + 1e-6).all())


def test_a_file_gives_back_what_it_holds(tmp_path: Path) -> None:
    path, kernel = tmp_path / "x.safetensors", torch.linspace(-1, 1, 24).view(4, 6)
    write_weights(path, eight_bit("k", kernel), {"format": "this", "steps": 3})
    tensors, metadata = read_weights(path, "this", "codec")
    assert metadata["steps"] == 3
    assert tensors["k"].dtype == torch.int8
    assert tensors["k" + SCALE].shape == (4, 1)
    with pytest.raises(WeightsError, match="'that' expected"):
        read_weights(path, "that", "codec")
