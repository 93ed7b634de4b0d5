"""JPEG 2000 colour of more than 8 bits is read to the last bit, or refused by name.

Truth: the array that OpenJPEG 2.5 (pylibjpeg-openjpeg 2.6.0) was given to encode without loss, rounded by numpy;
codestream headers changed byte by byte as ISO/IEC 15444-1, A.5.1 lays them out.
"""

from __future__ import annotations

import struct
import sys

import numpy as np
import pytest
from openjpeg.utils import encode_array

from vitiq.errors import InputError
from vitiq.image.limits import MAX_PIXELS
from vitiq.image.read import decode_image


def coded(samples: np.ndarray, bits: int, *, boxed: bool = True) -> bytes:
    channels = samples.shape[2]
    kind = 1 if channels == 3 else 0
    made = encode_array(
        samples, bits_stored=bits, codec_format=int(boxed), photometric_interpretation=kind, use_mct=channels == 3
    )
    return bytes(made)


def random(bits: int, channels: int) -> np.ndarray:
    made: np.ndarray = np.random.default_rng(bits).integers(0, 2**bits, (45, 37, channels), dtype=np.uint16)
    return made


def eight(samples: np.ndarray, bits: int) -> np.ndarray:
    rounded: np.ndarray = np.rint(samples * (255 / (2**bits - 1))).astype(np.uint8)
    return rounded


@pytest.mark.parametrize("boxed", [True, False])
@pytest.mark.parametrize("bits", [9, 10, 12, 14, 16])
def test_deep_colour_is_rounded_not_cut(bits: int, boxed: bool) -> None:
    samples = random(bits, 3)
    image, notes = decode_image(coded(samples, bits, boxed=boxed), "x")
    assert np.array_equal(image, eight(samples, bits))
    assert notes == [f"{bits} bits rounded to 8"]


def test_signed_components_are_moved_to_the_middle() -> None:
    samples = random(12, 3)
    signed = (samples.astype(np.int32) - 2**11).astype(np.int16)
    assert np.array_equal(decode_image(coded(signed, 12), "x")[0], eight(samples, 12))


def test_alpha_of_deep_colour_is_laid_on_white() -> None:
    samples = random(16, 4)
    image, notes = decode_image(coded(samples, 16), "x")
    cover = eight(samples[:, :, 3:], 16) / 255
    assert np.array_equal(image, np.rint(eight(samples[:, :, :3], 16) * cover + 255 * (1 - cover)).astype(np.uint8))
    assert notes == ["16 bits rounded to 8", "transparency laid on white"]


def test_what_is_not_read_exactly_is_refused_by_name() -> None:
    data = coded(random(12, 3), 12)
    space, size = data.index(b"colr") + 7, data.index(b"\xff\x4f\xff\x51") + 42
    for changed, said in (
        (data[:space] + struct.pack(">I", 18) + data[space + 4 :], "12 bits in sYCC"),
        (data[: size + 4] + b"\2\2" + data[size + 6 :], "12 bits, subsampled"),
        (data[:space] + struct.pack(">I", 12) + data[space + 4 :], "with 3 components"),
        (data[: size + 3] + b"\x07" + data[size + 4 :], "components of 12, 8, 12 bits"),
        (data[: len(data) // 2], "truncated or damaged"),
    ):
        with pytest.raises(InputError, match=said):
            decode_image(changed, "x")


def test_pixels_are_counted_before_they_are_decoded() -> None:
    data = coded(random(12, 3), 12, boxed=False)
    with pytest.raises(InputError, match=f"at most {MAX_PIXELS}"):
        decode_image(data[:8] + struct.pack(">II", 2**31 - 1, 2**31 - 1) + data[16:], "x")


def test_without_the_package_the_message_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openjpeg.utils", None)
    with pytest.raises(InputError, match=r"pip install 'vitiq\[jpeg2000\]'"):
        decode_image(coded(random(12, 3), 12), "x")
