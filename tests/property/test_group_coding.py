"""Symbols of the generative codec survive their bytes, whatever they are.

Truth: identity. The prior is random but fixed; no weights file takes part.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vitiq.codecs.transform.hyperprior import HYPER_CHANNELS, LEADING, Hyperprior
from vitiq.codecs.transform.hyperprior_integer import IntegerHyperprior, export_hyperprior
from vitiq.codecs.transform.latent_coding import decode_groups, encode_groups, leading_pays
from vitiq.codecs.transform.networks.block_dct import CHANNELS
from vitiq.codecs.transform.sections import HIGHEST, LOWEST
from vitiq.errors import BitstreamError

PRICES = np.full(CHANNELS, 4.0)


@lru_cache(maxsize=1)
def prior() -> IntegerHyperprior:
    torch.manual_seed(3)
    network = Hyperprior(context=True).requires_grad_(False)
    for group in network.groups:
        group.get_submodule("out").get_parameter("weight").normal_(0, 0.05)
    assert network.context is not None
    for name, value in network.context.named_parameters():
        if name.endswith(("out.weight", "linear", "always.weight")):
            value.normal_(0, 0.1)
    return IntegerHyperprior(export_hyperprior(network))


@lru_cache(maxsize=1)
def untrained() -> IntegerHyperprior:
    """A prior that expects zeros everywhere, and is sure of them."""
    network = Hyperprior(context=True).requires_grad_(False)
    for group in network.groups:
        group.get_submodule("out").get_parameter("bias").chunk(2)[1].fill_(-9.0)
    return IntegerHyperprior(export_hyperprior(network))


class Kind(NamedTuple):
    """How symbols are coded; `leading_sent` exists with a context alone."""

    context: bool
    leading_sent: bool


def latents(seed: int, height: int, width: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    hyper = np.rint(rng.laplace(0, 3, (HYPER_CHANNELS, -(-height // 4), -(-width // 4)))).astype(np.int64)
    return rng.laplace(0, spread, (CHANNELS, height, width)).astype(np.float32), hyper


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    height=st.integers(1, 6),
    width=st.integers(1, 6),
    spread=st.sampled_from([0.05, 1.0, 30.0]),
    level=st.integers(LOWEST, HIGHEST),
    kind=st.sampled_from([Kind(False, False), Kind(True, False), Kind(True, True)]),
)
def test_round_trip(seed: int, height: int, width: int, spread: float, level: int, kind: Kind) -> None:
    scaled, hyper = latents(seed, height, width, spread)
    data, symbols = encode_groups(scaled, hyper, prior(), level, PRICES, **kind._asdict())
    found_hyper, found = decode_groups(data, height, width, prior(), level, **kind._asdict())
    assert np.array_equal(found, symbols)
    assert np.array_equal(found_hyper, hyper)
    if kind.leading_sent:
        assert np.abs(symbols[:LEADING] - scaled[:LEADING]).max() < 1.0 + 1e-6


def test_leading_channels_are_sent_where_the_prior_is_sure_and_wrong() -> None:
    """A prior that expects zeros, of the narrowest table: right at first, then wrong by 40 symbols at one position."""
    sure, level = untrained(), 30
    scaled, hyper = np.zeros((CHANNELS, 6, 6), np.float32), np.zeros((HYPER_CHANNELS, 2, 2), np.int64)
    assert not leading_pays(scaled, hyper, sure, level, PRICES)
    scaled[:LEADING, 3, 2] = 40.0
    assert leading_pays(scaled, hyper, sure, level, PRICES)
    assert not leading_pays(scaled, hyper, sure, level, PRICES * 1e-4)
    without, with_them = (
        encode_groups(scaled, hyper, sure, level, PRICES, leading_sent=sent) for sent in (False, True)
    )
    assert np.abs(without[1] - scaled).max() == 40
    assert np.array_equal(with_them[1], scaled)
    assert len(with_them[0]) < len(without[0]) + 30


def test_symbols_are_near_the_latents_and_cheaper_than_plain_rounding() -> None:
    scaled, hyper = latents(0, 6, 6, 2.0)
    plain, _ = encode_groups(scaled, hyper, prior(), 10, np.full(CHANNELS, 1e9))
    data, symbols = encode_groups(scaled, hyper, prior(), 10, PRICES)
    exact = encode_groups(scaled, hyper, prior(), 10, np.full(CHANNELS, 1e9))[1]
    assert np.abs(symbols - scaled).max() < 1.0 + 1e-6
    assert np.array_equal(exact, np.rint(scaled))
    assert len(data) < len(plain)


@given(data=st.binary(max_size=200), seed=st.integers(0, 1000))
def test_damaged_bytes_give_symbols_or_a_bitstream_error(data: bytes, seed: int) -> None:
    scaled, hyper = latents(seed, 3, 4, 1.0)
    good, _ = encode_groups(scaled, hyper, prior(), 5, PRICES)
    for damaged in (data, good[: len(good) // 2], good[:5] + data + good[5:]):
        try:
            _, symbols = decode_groups(damaged, 3, 4, prior(), 5)
        except BitstreamError as error:
            assert str(error)  # noqa: PT017 - either outcome is right, nothing else is
        else:
            assert symbols.shape == (CHANNELS, 3, 4)


def test_empty_bytes_are_reported() -> None:
    with pytest.raises(BitstreamError, match="empty"):
        decode_groups(b"", 2, 2, prior(), 0, context=False)
