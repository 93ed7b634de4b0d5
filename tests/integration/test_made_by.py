"""`EncodedImage.decode` and `vitiq.decode(encoded)`: the image of the codec that made the file.

Truth: the codec's own `decode`.
"""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import vitiq
from vitiq.api.made_by import MadeBy
from vitiq.codecs.base import Codec
from vitiq.codecs.spec import make_codec
from vitiq.errors import InputError
from vitiq.types import ImageU8, ProgressCallback


class Own(Codec):
    """A codec of a script, registered nowhere: two numbers of the size, and the mean."""

    name, title, extension = "test-own", "Own", ".own"
    qualities, default_quality = (1.0, 2.0), 1.0
    quality_help, quality_range = "1 or 2", (1.0, 2.0, 1.0)

    def compress(self, image: ImageU8, quality: float, progress: ProgressCallback | None = None) -> bytes:
        height, width, _ = image.shape
        return bytes([width, height, int(image.mean()), int(quality)])

    def decompress(self, data: bytes) -> ImageU8:
        return np.full((data[1], data[0], 3), data[2], np.uint8)


@pytest.fixture(scope="module")
def image() -> ImageU8:
    rng = np.random.default_rng(3)
    return rng.integers(0, 256, (40, 56, 3), dtype=np.uint8) // 4 + np.arange(56, dtype=np.uint8)[None, :, None]


def given(kind: str) -> Any:
    """The codec as it is given to `vitiq.encode`, and again to `vitiq.decode`."""
    return {
        "name": "jpeg+deblock",
        "with a rate": "jpeg+deblock@10",
        "made": vitiq.codec("jpeg+deblock"),
        "own": Own(),
    }[kind]


@pytest.mark.parametrize("kind", ["name", "with a rate", "made", "own"])
def test_the_codec_that_made_it_decodes(kind: str, image: ImageU8) -> None:
    encoded = vitiq.encode(image, given(kind))
    wanted = (Own() if kind == "own" else vitiq.codec("jpeg+deblock")).decode(encoded.data)
    for one in (encoded, pickle.loads(pickle.dumps(encoded)), copy.deepcopy(encoded)):
        assert one == encoded
        assert repr(one) == repr(encoded)
        np.testing.assert_array_equal(one.decode(), wanted)
        np.testing.assert_array_equal(vitiq.decode(one), wanted)
        assert (vitiq.inspect(one).width, vitiq.inspect(one).height) == (56, 40)
    if kind != "own":
        plain = vitiq.decode(encoded.data)
        assert (plain != wanted).any()
        np.testing.assert_array_equal(vitiq.decode(encoded, "jpeg"), plain)
        np.testing.assert_array_equal(vitiq.decode(encoded, device="cpu"), wanted)


@pytest.mark.parametrize("codec", [*vitiq.list_codecs(), "avif[speed=9]", "jpeg[progressive=true]+deblock"])
def test_names_and_options_survive_pickle(codec: str) -> None:
    before = make_codec(codec)
    after = pickle.loads(pickle.dumps(MadeBy(before))).codec()
    assert after is not before
    assert (after.name, after.options, after.identity()) == (before.name, before.options, before.identity())


def test_a_pickle_holds_no_network(image: ImageU8) -> None:
    codec = vitiq.codec("jpeg+deblock")
    encoded = vitiq.encode(image, codec)
    encoded.decode()  # its network is there now
    assert len(pickle.dumps(encoded)) < len(encoded.data) + 2000


def test_a_codec_that_cannot_be_pickled_is_said_where_it_is_needed(image: ImageU8) -> None:
    codec = Own()
    codec.held = lambda: None  # type: ignore[attr-defined]
    encoded = vitiq.encode(image, codec)
    np.testing.assert_array_equal(encoded.decode(), codec.decode(encoded.data))
    sent = pickle.loads(pickle.dumps(encoded))
    assert sent == encoded
    said = r"codec test-own, .* did not come through pickle \(.*decode\(encoded.data, codec\)"
    with pytest.raises(InputError, match=said):
        sent.decode()
    np.testing.assert_array_equal(vitiq.decode(sent.data, codec), encoded.decode())
    again = pickle.loads(pickle.dumps(sent))
    assert again == encoded
    with pytest.raises(InputError, match="did not come through pickle"):
        vitiq.decode(again)


def test_a_device_cannot_be_given_beside_a_codec_of_ones_own(image: ImageU8) -> None:
    with pytest.raises(InputError, match="device: given beside a codec that is made already"):
        vitiq.decode(vitiq.encode(image, Own()), device="cpu")
