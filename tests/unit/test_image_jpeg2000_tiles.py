"""JPEG 2000 with tiles that are not there, or with errors in its structure that other readers pass over.

Truth: Pillow's lossless files, whose tile-part headers are changed byte by byte as ISO/IEC 15444-1, A.4.2 lays them
out. Files of openjpeg-data with these errors come out as imagecodecs 2026.3.6 decodes them.
"""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from vitiq.errors import InputError
from vitiq.image.jpeg2000_tiles import MENDED
from vitiq.image.read import decode_image

RGB = np.random.default_rng(5).integers(0, 256, (40, 56, 3), np.uint8)
SOT, EOC = b"\xff\x90\x00\x0a", b"\xff\xd9"


def coded(*, boxed: bool, samples: np.ndarray = RGB, tile: int = 32) -> bytes:
    """Four tiles, of 32×32, 24×32, 32×8 and 24×8 pixels, one part each."""
    buffer = io.BytesIO()
    Image.fromarray(samples).save(buffer, "JPEG2000", tile_size=(tile, tile), no_jp2=not boxed)
    return buffer.getvalue()


def parts(data: bytes) -> list[int]:
    """Where the tile-parts begin."""
    found = [data.index(SOT)]
    while data[(end := found[-1] + int.from_bytes(data[found[-1] + 6 : found[-1] + 10], "big")) :][:4] == SOT:
        found.append(end)
    return found


def resized(data: bytes, less: int) -> bytes:
    """The file with its last box, the codestream, stated to be so much shorter."""
    at = data.index(b"jp2c") - 4
    length = int.from_bytes(data[at : at + 4], "big")
    return data[:at] + struct.pack(">I", length - less if length else 0) + data[at + 4 :]


@pytest.mark.parametrize("boxed", [False, True])
def test_tiles_that_are_missing_are_not_read_as_black(boxed: bool) -> None:
    whole = coded(boxed=boxed)
    assert np.array_equal(decode_image(whole, "x")[0], RGB)
    first, second, *_, last = parts(whole)
    for left_out in (slice(last, len(whole) - 2), slice(last, len(whole)), slice(first, second)):
        rest = whole[: left_out.start] + whole[left_out.stop :]
        if boxed:
            rest = resized(rest, left_out.stop - left_out.start)
        with pytest.raises(InputError, match="1 of 4 tiles are missing"):
            decode_image(rest, "x")


def test_parts_of_a_tile_that_are_missing_are_noticed() -> None:
    data = bytearray(coded(boxed=False))
    data[parts(bytes(data))[1] + 11] = 2
    with pytest.raises(InputError, match="parts of a tile are missing"):
        decode_image(bytes(data), "x")


@pytest.mark.parametrize("boxed", [False, True])
def test_a_number_of_parts_that_is_too_low_is_mended(boxed: bool) -> None:
    """As an encoder of documents writes it; one part numbered 1 of 1 has the number of a second."""
    data = bytearray(coded(boxed=boxed))
    at = parts(bytes(data))[0]
    length = int.from_bytes(data[at + 6 : at + 10], "big")
    # Behind the first part comes a second, empty one, of the same tile.
    data[at + length : at + length] = SOT + struct.pack(">HIBB", 0, 14, 1, 1) + b"\xff\x93"
    bare = bytes(data)
    image, notes = decode_image(resized(bare, -14) if boxed else bare, "x")
    assert np.array_equal(image, RGB)
    assert notes == [MENDED]


@pytest.mark.parametrize("boxed", [False, True])
def test_a_missing_end_mark_behind_whole_parts_is_mended(boxed: bool) -> None:
    whole = coded(boxed=boxed)
    assert whole.endswith(EOC)
    image, notes = decode_image(resized(whole[:-2], 2) if boxed else whole[:-2], "x")
    assert np.array_equal(image, RGB)
    assert notes == [MENDED]


def test_a_last_part_without_a_length_needs_an_end_mark_or_a_box() -> None:
    """Else nothing tells a whole file from one that is cut short."""
    bare, boxed = (bytearray(coded(boxed=boxed, tile=64)) for boxed in (False, True))
    for data in (bare, boxed):
        at = parts(bytes(data))[0]
        data[at + 6 : at + 10] = bytes(4)
        assert np.array_equal(decode_image(bytes(data), "x")[0], RGB)
    for cut in (2, 60):
        with pytest.raises(InputError, match="it may be cut short"):
            decode_image(bytes(bare[:-cut]), "x")
    image, notes = decode_image(resized(bytes(boxed[:-2]), 2), "x")
    assert np.array_equal(image, RGB)
    assert notes == [MENDED]


@pytest.mark.parametrize("boxed", [False, True])
def test_no_prefix_is_read_as_another_image(boxed: bool) -> None:
    whole = coded(boxed=boxed)
    near = {at + more for at in [*parts(whole), len(whole)] for more in range(-4, 14)}
    for length in sorted(near | set(range(0, len(whole), 97))):
        try:
            image, _ = decode_image(whole[:length], "x.jp2")
        except InputError:
            continue
        assert np.array_equal(image, RGB)


@pytest.mark.parametrize("components", [1, 5])
def test_subsampled_grey_and_many_components_are_refused_by_name(components: int) -> None:
    data = bytearray(coded(boxed=False, samples=RGB[:, :, 0]))
    at = data.index(b"\xff\x51") + 2
    if components == 1:
        data[at + 39 : at + 41] = b"\2\2"
    else:
        size = data[at : at + 38] + data[at + 38 : at + 41] * components
        size[:2] = (38 + 3 * components).to_bytes(2, "big")
        size[36:38] = components.to_bytes(2, "big")
        data[at : at + 41] = size
    with pytest.raises(InputError, match=r"JPEG 2000 of (subsampled grey|5 components), which vitiq cannot decode"):
        decode_image(bytes(data), "x")


@pytest.mark.parametrize(
    ("size", "tile", "steps", "refused"),
    [
        ((33, 32), 64, (2, 1), True),  # 16 of 17 columns of colour would be taken, and all rows lie askew
        ((32, 33), 64, (2, 2), True),
        ((32, 33), 64, (2, 1), False),
        ((32, 32), 15, (2, 2), True),
        ((32, 32), 16, (2, 2), False),
    ],
)
def test_subsampled_colour_between_whose_samples_an_edge_lies_is_refused(
    size: tuple[int, int], tile: int, steps: tuple[int, int], refused: bool
) -> None:
    """As openjpeg-data's issue411-ycc420.jp2, which OpenJPEG reads and Pillow takes apart wrongly."""
    data = bytearray(coded(boxed=False, samples=np.zeros((size[1], size[0], 3), np.uint8), tile=tile))
    at = data.index(b"\xff\x51") + 2 + 38
    for component in (1, 2):  # their data has too many samples now, which only the decoder finds
        data[at + 3 * component + 1 : at + 3 * component + 3] = bytes(steps)
    said = ""
    try:
        decode_image(bytes(data), "x")
    except InputError as error:
        said = str(error)
    assert ("JPEG 2000 with subsampled colour and a size that is no multiple of it" in said) == refused
